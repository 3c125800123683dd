package engine

import (
	"time"

	"aigw/engine/sched"
)

// State is what an engine is doing now.
type State struct {
	Totals
	Running, Waiting            int
	Cells, CellsUsed, Evictable int
	Parallel, Queue             int
	ByClass                     [sched.Classes]ClassState
	// Prefixes is the number of runs of tokens that the prefix tree holds; KeptTokens of them are
	// kept for good, and EvictedTokens were given up so far.
	Prefixes, KeptTokens int
	Shared               int // cells that two or more running requests use at once
	EvictedTokens        uint64
	ParkedTokens         int // of prefixes that are in main memory
	Threads              int // that decode at the moment
}

// ClassState is what requests of one class are doing.
type ClassState struct {
	Running, Waiting int
	Wait             time.Duration // until one that came now would have its turn, as far as is known
}

// State reports what the engine is doing.
func (e *Engine) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := State{
		Totals: e.totals, Running: e.sched.Running(), Waiting: e.sched.Waiting(),
		Cells: e.set.sched.Cells, Parallel: e.set.sched.Rows, Queue: e.set.sched.Queue,
		Threads: int(e.threads.Load()),
	}
	s.CellsUsed, s.Evictable = e.sched.Cells()
	s.Prefixes, s.KeptTokens, s.EvictedTokens = e.sched.Prefixes()
	s.Shared = e.sched.Shared()
	s.ParkedTokens = e.sched.Parked()
	for class := range sched.Class(sched.Classes) {
		s.ByClass[class] = ClassState{e.sched.RunningOf(class), e.sched.WaitingOf(class), e.sched.Wait(class)}
	}
	return s
}
