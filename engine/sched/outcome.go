package sched

import (
	"slices"
	"time"
)

// Computed confirms the step, which took that long: its tokens are in the cache. sampled has one
// token for each row of the plan; it becomes the next token of that row's request.
func (s *Scheduler) Computed(sampled []int32, took time.Duration) {
	if n := len(s.plan.Tokens); n > 0 {
		s.cost.observe(n, s.used(), took)
		s.tree.Tick(n)
	}
	for _, r := range s.runs {
		if r.planned == r.computed {
			continue
		}
		r.computed = r.planned
		// Others may share a prompt as soon as it is computed. Generated tokens join them at
		// the end, not one by one.
		s.retain(r, min(r.computed, r.prompt))
	}
	for i, row := range s.plan.Rows {
		if r := s.byID[row.ID]; r != nil {
			// The prompt's slice belongs to the caller: never append in place.
			r.tokens = append(r.tokens[:len(r.tokens):len(r.tokens)], sampled[i])
		}
	}
}

// Failed reports that the step's batch was not computed, or not to its end. Cells that it may
// have left behind are removed before the next one; the step can be planned again.
func (s *Scheduler) Failed() {
	for _, r := range s.runs {
		if r.planned > r.computed {
			s.ops = append(s.ops, Op{Src: r.seq, From: r.computed, To: End})
			r.planned = r.computed
		}
	}
}

// NoRoom reports that the cache found no cells for the batch, which careful accounting should
// have prevented. It gives up what costs least: prefixes that nobody uses, else the request
// that was admitted last, which waits again. It returns false if nothing is left to give up.
func (s *Scheduler) NoRoom() bool {
	s.Failed()
	if s.tree.Evict(s.cfg.Cells) > 0 {
		return true
	}
	if len(s.runs) < 2 {
		return false
	}
	victim := s.runs[len(s.runs)-1]
	s.remove(victim)
	if victim.phase == running {
		// It keeps its place: ahead of everybody of its class.
		at := 0
		for at < len(s.waiting) && s.waiting[at].Class < victim.Class {
			at++
		}
		s.waiting = slices.Insert(s.waiting, at, victim)
	}
	return true
}

// Distrust ends a request whose cells may hold damaged data. Nothing of it is retained, nor of
// anybody who does not run: damage may sit in a prefix that was shared.
func (s *Scheduler) Distrust(id ID) {
	r := s.byID[id]
	if r == nil {
		return
	}
	delete(s.byID, id)
	s.remove(r)
	s.tree.Evict(s.cfg.Cells)
}

// Forget drops everything that is retained. The caller clears the cache itself. Nothing may run.
func (s *Scheduler) Forget() {
	s.tree.Evict(s.cfg.Cells)
	s.ops = s.ops[:0]
}
