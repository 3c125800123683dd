package sched

import (
	"slices"
	"time"
)

// Computed confirms the step, which took that long: its tokens are in the cache. sampled has one
// token for each row of the plan; it becomes the next token of that row's request. Rows behind a
// wrong guess have -1, and the cells of wrong guesses are removed before the next batch.
func (s *Scheduler) Computed(sampled []int32, took time.Duration) {
	p := &s.plan
	s.long = 0
	s.company.served(took)
	if n := len(p.Tokens); n > 0 {
		done := s.planned()
		if predicted := s.cost.predict(done); s.cost.believed() && predicted > s.cost.within(s.cfg.StepTime)/2 {
			s.cost.compare(predicted, took)
		}
		s.cost.observe(done, took)
		s.tree.Tick(n)
		if n == len(p.Rows) {
			s.spec.observe(n-p.Drafted, p.Drafted, s.used(), took)
		}
	}
	for i, row := range p.Rows {
		if r := s.byID[row.ID]; r != nil && sampled[i] >= 0 {
			if len(r.tokens) == r.prompt { // the prompt's slice belongs to the caller
				r.tokens = slices.Clip(r.tokens)
			}
			r.tokens = append(r.tokens, sampled[i])
		}
	}
	for _, r := range s.runs {
		if r.planned == r.computed {
			continue
		}
		r.computed = r.planned
		if len(r.draft) > 0 {
			s.checkDraft(r)
		}
		// Others may share a prompt as soon as it is computed. Generated tokens join them at
		// the end, not one by one, unless the cache would forget them.
		n := min(r.computed, r.prompt)
		if s.cfg.Window {
			n = r.computed
		}
		s.retain(r, n)
	}
}

// checkDraft takes back the guesses of r that did not come true: its tokens, to which the sampled
// ones were added, say which did. All but the last one of them were in the batch.
func (s *Scheduler) checkDraft(r *run) {
	if wrong := r.computed - (len(r.tokens) - 1); wrong > 0 {
		s.ops = append(s.ops, Op{Src: r.seq, From: len(r.tokens) - 1, To: End})
		r.computed -= wrong
	}
	if right := len(r.draft) - (r.planned - r.computed); right >= 0 { // else it was cancelled meanwhile
		s.spec.learn(r, right)
	}
	r.planned, r.draft = r.computed, nil
}

// Failed reports that the step's batch was not computed, or not to its end. Cells that it may
// have left behind are removed before the next one; the step can be planned again.
func (s *Scheduler) Failed() {
	s.long = 0
	for _, r := range s.runs {
		if r.planned > r.computed {
			if !s.cfg.Reuse { // such a cache cannot be cut back, only emptied
				r.computed = 0
			}
			s.ops = append(s.ops, Op{Src: r.seq, From: r.computed, To: End})
			r.planned, r.draft = r.computed, nil
		}
	}
}

// NoRoom reports that the cache found no cells for the batch, which careful accounting should
// have prevented. It gives up what costs least: prefixes that nobody uses, else the request of
// the last class that was admitted last, which waits again. It returns false if nothing is left to give up.
func (s *Scheduler) NoRoom() bool {
	s.Failed()
	if s.tree.Evict(s.cfg.Cells) > 0 {
		return true
	}
	if len(s.runs) < 2 {
		return false
	}
	victim := s.runs[0]
	for _, r := range s.runs[1:] {
		if r.phase == cancelled || victim.phase == running && r.Class >= victim.Class {
			victim = r
		}
	}
	s.remove(victim)
	if victim.phase == running {
		s.waiting = append(s.waiting, victim)
	} else {
		s.forget(victim)
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
	s.forget(r)
	s.tree.Clear()
}

// Forget drops everything that is retained. The caller clears the cache, and what is parked, itself.
// Nothing may run.
func (s *Scheduler) Forget() {
	s.tree.Clear()
	s.ops = s.ops[:0]
}
