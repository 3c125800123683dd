package sched

import (
	"cmp"
	"slices"
	"time"
)

// Class orders work that waits for the same model: a lower class goes first.
type Class int

// The classes.
const (
	Completion Class = iota // somebody is typing
	Generation              // somebody asked for code and watches
	Chat                    // somebody reads an answer
	Background              // nobody waits

	Classes = 4
)

var classNames = [Classes]string{Completion: "completion", Generation: "generation", Chat: "chat", Background: "background"}

// String is the name of a class in metrics, logs and pages.
func (c Class) String() string {
	if c < 0 || c >= Classes {
		return "other"
	}
	return classNames[c]
}

// ageing is how much longer a request must have waited than one of the class before to go first.
const ageing = 5 * time.Second

// guessed is what a token of a prompt is taken to cost while nothing was measured.
const guessed = time.Millisecond

// rank is when r's turn has come: the moment at which its prompt would have been read if it had
// been alone since it came, put off by ageing for each class. The lowest goes first. So inside
// a class a short prompt goes before a long one, unless that came earlier by more than the
// difference; a class goes before the later ones; and nobody starves, since what comes later
// has a later rank in the end.
func (s *Scheduler) rank(r *run, known int) time.Time {
	if s.cfg.arrivalOrder {
		return r.arrived
	}
	each := guessed
	if s.cost.believed() {
		middle := tile * (known + len(r.tokens)) / 2
		each = max(s.cost.predict(load{tile, middle, s.used()})/tile, 1)
	}
	reads := min(each*time.Duration(len(r.tokens)-known), ageing)
	return r.arrived.Add(ageing*time.Duration(r.Class) + reads)
}

// first is the waiting request with the lowest rank, or nil if it is clear that nobody can be admitted.
func (s *Scheduler) first() *run {
	if len(s.runs) == s.cfg.Rows && !s.mayYield() {
		return nil
	}
	var (
		best *run
		when time.Time
	)
	for _, r := range s.waiting {
		known := 0
		if s.cfg.Reuse {
			known = s.tree.Match(r.Scope, r.tokens)
		}
		if at := s.rank(r, known); best == nil || at.Before(when) {
			best, when = r, at
		}
	}
	return best
}

// sortByRank orders prompts that are being computed.
func (s *Scheduler) sortByRank(runs []*run) {
	slices.SortStableFunc(runs, func(a, b *run) int {
		return cmp.Or(s.rank(a, a.computed).Compare(s.rank(b, b.computed)), cmp.Compare(a.ID, b.ID))
	})
}
