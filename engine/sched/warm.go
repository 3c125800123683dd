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

// Scratch is a sequence id below the number of rows that nobody has, while nothing runs.
func (s *Scheduler) Scratch() (Seq, bool) {
	for _, id := range s.ids.free {
		if int(id) < s.cfg.Rows {
			return id, true
		}
	}
	return 0, false
}
