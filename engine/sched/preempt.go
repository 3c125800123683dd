package sched

// yieldings is how often a request makes room for others. It bounds what pre-emption can delay
// anybody, and so nobody starves.
const yieldings = 2

// yields: r can make room. What it has computed stays in the tree, so that it goes on from there
// unless the cells were needed. Without a tree it would have to begin anew, which costs more than
// waiting. Who has waited for ageing has earned the row.
func (s *Scheduler) yields(r *run) bool {
	return s.cfg.Reuse && r.phase == running && r.yielded < yieldings && r.admitted.Sub(r.arrived) < ageing
}

// mayYield: there is somebody who waits and somebody running of a later class who yields.
func (s *Scheduler) mayYield() bool {
	first := Class(Classes)
	for _, r := range s.waiting {
		first = min(first, r.Class)
	}
	for _, r := range s.runs {
		if r.Class > first && s.yields(r) {
			return true
		}
	}
	return false
}

// victim is who makes room for r: of those of a later class whose leaving would be enough, one
// of the last class that was admitted last. Nil if there is none.
func (s *Scheduler) victim(r *run) *run {
	var best *run
	for _, o := range s.runs {
		if o.Class > r.Class && s.yields(o) && (best == nil || o.Class >= best.Class) && s.fitsWithout(r, o) {
			best = o
		}
	}
	return best
}

// fitsWithout: r would fit if victim did not run. It may say no where the two share a prefix and
// yes would be right.
func (s *Scheduler) fitsWithout(r, victim *run) bool {
	taken := s.tree.Pinned()
	for _, o := range s.runs {
		if o != victim {
			taken += o.worst()
		}
	}
	if victim.lease != nil {
		taken -= victim.lease.Alone()
	}
	return taken+r.prompt+r.MaxTokens <= s.cfg.Cells
}

// preempt lets a running request wait again. It keeps its time of arrival, and so its rank.
func (s *Scheduler) preempt(r *run) {
	r.yielded++
	s.retain(r, r.computed)
	s.remove(r)
	s.waiting = append(s.waiting, r)
}
