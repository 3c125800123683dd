package sched

import "slices"

// ids hands out the sequence ids of the cache. Running requests come first: what is left of
// the ids after setting one aside for each possible row may be spent on retained prefixes. They take
// the lowest ids, prefixes the highest.
type ids struct {
	free     []Seq
	reserved int // ids kept for rows that do not run yet
}

func newIDs(total, rows int) *ids {
	p := &ids{reserved: rows}
	for id := total - 1; id >= 0; id-- {
		p.free = append(p.free, Seq(id))
	}
	return p
}

// take removes an id and returns it.
func (p *ids) take(id Seq) Seq {
	at := slices.Index(p.free, id)
	last := len(p.free) - 1
	p.free[at] = p.free[last]
	p.free = p.free[:last]
	return id
}

// live takes the lowest id for a running request; there is one for each row.
func (p *ids) live() Seq {
	p.reserved--
	return p.take(slices.Min(p.free))
}

func (p *ids) releaseLive(id Seq) {
	p.reserved++
	p.free = append(p.free, id)
}

// Retain implements prefix.IDs.
func (p *ids) Retain() (Seq, bool) {
	if len(p.free) <= p.reserved {
		return 0, false
	}
	return p.take(slices.Max(p.free)), true
}

// Release implements prefix.IDs.
func (p *ids) Release(id Seq) { p.free = append(p.free, id) }
