package sched

import "time"

// parking decides when prefixes that nobody uses leave the cache for main memory.
type parking struct {
	on   bool
	cell float64 // seconds that it takes to move a cell, one way
}

const (
	// assumedMove is what moving a cell takes before any has been moved.
	assumedMove = 20e-6
	// parkShare is the share of a step that parking may take while somebody decodes.
	parkShare = 0.25
	// usualAnswer is how many tokens an answer is expected to have: a suggestion's rather than a chat's.
	usualAnswer = 64
)

// Park lets prefixes leave the cache for main memory, cells of them at most. Plans then have
// operations of all kinds. A cache with a sliding window keeps its prefixes: cells are not all of
// its state.
func (s *Scheduler) Park(cells int) {
	if cells > 0 && s.cfg.Reuse && !s.cfg.Window {
		s.parking = parking{on: true, cell: assumedMove}
		s.tree.Park((*opList)(&s.ops), cells, s.makeRoom)
	}
}

// Moved tells how long it took to save or load so many cells.
func (s *Scheduler) Moved(cells int, took time.Duration) {
	if cells > 0 {
		s.parking.cell += (took.Seconds()/float64(cells) - s.parking.cell) / 4
	}
}

// Parked is the number of cells in main memory.
func (s *Scheduler) Parked() int { return s.tree.Parked() }

// makeRoom takes prefixes that nobody uses out of the cache until so many cells are free.
func (s *Scheduler) makeRoom(cells int) bool {
	if short := s.used() + cells - s.cfg.Cells; short > 0 {
		s.tree.Evict(short)
	}
	return s.used()+cells <= s.cfg.Cells
}

// park moves prefixes out of the cache that have been, or are about to be, passed by for too long:
// what those who run have before them is known. So a prompt is computed after others' prefixes have
// left, and takes their cells, which keeps low the number of cells that attention looks at.
func (s *Scheduler) park(decoding bool) {
	if len(s.plan.Tokens) == 0 {
		return // nobody passes by anything
	}
	ahead := 0
	for _, r := range s.runs {
		left := r.prompt + r.MaxTokens - len(r.tokens)
		ahead += len(r.tokens) - r.computed + min(left, usualAnswer)
	}
	age := s.parking.patience(&s.cost) - ahead
	if s.cfg.ParkAlways {
		age = -1
	}
	s.tree.ParkIdle(age, s.parking.most(decoding, s.cfg.StepTime))
}

// patience is how many tokens may be computed, by anybody, while a cell that nobody uses is kept in
// the cache: then passing by it has cost as much as moving it out and back in (see cost.patience).
func (p *parking) patience(c *cost) int {
	const (
		unknown = 256
		least   = 16
		most    = 1 << 16
	)
	passing := c.passing()
	if !c.believed() || passing <= 0 {
		return unknown
	}
	return int(min(max(2*p.cell/passing, least), most))
}

// most is the number of cells that may be parked with a step.
func (p *parking) most(decoding bool, step time.Duration) int {
	if !decoding {
		return 1 << 30
	}
	return int(parkShare * step.Seconds() / p.cell)
}
