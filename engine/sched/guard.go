package sched

import "aigw/engine/prefix"

// guards keep the cache of a model with a sliding window from forgetting what the tree holds.
//
// llama.cpp takes a cell away from its sequence when it lies so far back that no layer with a
// window will look at it again, as long as only one sequence has it. For the sequence itself
// nothing is lost, but a prompt that goes on from the middle of it would miss a part of its window.
// So each node of the tree has a second sequence id that holds the same cells: what two
// sequences have is never taken. What a request computes is retained at once, before the next step
// may take it. It costs half of the ids, and the cache must be of full size for such layers
// (swa_full). Removed and copied ranges then behave as in a cache without windows.
type guards struct {
	ops *opList
	ids *ids
	of  map[Seq]Seq // node's id -> its guard
}

func newGuards(ops *opList, ids *ids) *guards { return &guards{ops, ids, map[Seq]Seq{}} }

// Copy implements prefix.Cache.
func (g *guards) Copy(src, dst Seq, from, to int) {
	g.ops.Copy(src, dst, from, to)
	if guard, ok := g.of[dst]; ok {
		g.ops.Copy(src, guard, from, to)
	}
}

// Remove implements prefix.Cache.
func (g *guards) Remove(seq Seq, from, to int) {
	g.ops.Remove(seq, from, to)
	if guard, ok := g.of[seq]; ok {
		g.ops.Remove(guard, from, to)
	}
}

// Retain implements prefix.IDs.
func (g *guards) Retain() (Seq, bool) {
	id, ok := g.ids.Retain()
	if !ok {
		return 0, false
	}
	guard, ok := g.ids.Retain()
	if !ok {
		g.ids.Release(id)
		return 0, false
	}
	g.of[id] = guard
	return id, true
}

// Release implements prefix.IDs.
func (g *guards) Release(id Seq) {
	g.ids.Release(g.of[id])
	delete(g.of, id)
	g.ids.Release(id)
}

var (
	_ prefix.Cache = (*guards)(nil)
	_ prefix.IDs   = (*guards)(nil)
)
