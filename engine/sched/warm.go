package sched

import "aigw/engine/prefix"

// popular is how often somebody must have come back to a prefix for it to outlive the process.
const popular = 2

// Popular lists the prefixes that several came back to and that everybody may share, parents
// before children, most popular first. Their cells are in the cache once the operations of the next
// Step are done. A cache with a sliding window has none: its cells alone are not enough.
func (s *Scheduler) Popular() []prefix.Branch {
	if s.cfg.Window || !s.cfg.Reuse {
		return nil
	}
	return s.tree.Popular("", popular)
}

// Graft adds a prefix that was saved, and returns the sequence into which the caller puts its
// cells. It fails when there is no room for it, or nothing to add it to.
func (s *Scheduler) Graft(b prefix.Branch) (Seq, bool) {
	if s.cfg.Window || !s.cfg.Reuse || s.tree.Cells()+len(b.Path)-b.From > s.cfg.RetainCells {
		return 0, false
	}
	return s.tree.Graft("", b)
}

// Reset drops everything that runs or is retained, and tells what ran. The caller clears the cache.
func (s *Scheduler) Reset() (ran []ID) {
	for len(s.runs) > 0 {
		r := s.runs[0]
		ran = append(ran, r.ID)
		delete(s.byID, r.ID)
		s.remove(r)
		s.forget(r)
	}
	s.Forget()
	s.long = 0
	return ran
}

// Scratch is a sequence id that nobody ever has. It is the first that is not a row's, Rows: llama.cpp
// saves only sequences whose id is below the number that its context was made for.
func (s *Scheduler) Scratch() Seq { return s.scratch }
