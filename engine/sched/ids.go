package sched

// ids hands out the sequence ids of the cache. Running requests come first: what is left of
// the ids after setting one aside for each possible row may be spent on retained prefixes.
type ids struct {
	free     []Seq // a stack; low ids on top
	reserved int   // ids kept for rows that do not run yet
}

func newIDs(total, rows int) *ids {
	p := &ids{reserved: rows}
	for id := total - 1; id >= 0; id-- {
		p.free = append(p.free, Seq(id))
	}
	return p
}

func (p *ids) pop() Seq {
	id := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return id
}

// live takes an id for a running request; there is one for each row.
func (p *ids) live() Seq {
	p.reserved--
	return p.pop()
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
	return p.pop(), true
}

// Release implements prefix.IDs.
func (p *ids) Release(id Seq) { p.free = append(p.free, id) }
