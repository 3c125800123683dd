package sched

import (
	"fmt"
	"slices"
	"time"
)

// FullError refuses a request because its class has no place left in the queue, or because its
// turn would come after its deadline.
type FullError struct {
	Wait time.Duration // until a request of this class would have its turn
	Late bool          // that is after its deadline
}

func (e *FullError) Error() string { return fmt.Sprintf("queue is full for %s", e.Wait) }

// Submit queues a request. It fails with *FullError when as many of its class wait as may:
// requests that only wait for the step under way to end, because a row is free for them, do not
// count. So it does at once when the request cannot have its turn before its deadline.
func (s *Scheduler) Submit(r Request, now time.Time) error {
	if r.Class < 0 || r.Class >= Classes {
		return fmt.Errorf("there is no class %d", r.Class)
	}
	wait := s.Wait(r.Class)
	// The wait is estimated from a mean: with a quarter more, hardly anybody who is let in is given up later.
	late := !r.Deadline.IsZero() && now.Add(wait+wait/4).After(r.Deadline)
	if late || s.WaitingOf(r.Class) >= s.cfg.Queue+s.cfg.Rows-len(s.runs) {
		return &FullError{Wait: wait, Late: late}
	}
	if r.Private {
		r.Scope = fmt.Sprintf("\x00private %d", r.ID) // that nobody else can have
	}
	if len(s.runs) > 0 {
		s.company.came()
	}
	n := &run{Request: r, tokens: r.Tokens, prompt: len(r.Tokens), arrived: now}
	s.waiting = append(s.waiting, n)
	s.byID[r.ID] = n
	return nil
}

func (s *Scheduler) dequeue(r *run) {
	s.waiting = slices.DeleteFunc(s.waiting, func(o *run) bool { return o == r })
}

// expire drops requests that wait beyond their deadline. Those that have begun stay.
func (s *Scheduler) expire(now time.Time) (gone []ID) {
	s.waiting = slices.DeleteFunc(s.waiting, func(r *run) bool {
		late := r.admitted.IsZero() && !r.Deadline.IsZero() && now.After(r.Deadline)
		if late {
			gone = append(gone, r.ID)
			delete(s.byID, r.ID)
		}
		return late
	})
	return gone
}

// Wait estimates how long a request of a class that came now would wait for its turn: until
// those before it have left, at the pace at which requests leave.
func (s *Scheduler) Wait(c Class) time.Duration {
	rows, before := s.cfg.Rows, 0
	for _, r := range s.runs {
		if r.Class <= c || !s.yields(r) {
			rows--
		}
	}
	for _, r := range s.waiting {
		if r.Class <= c {
			before++
		}
	}
	if before < rows {
		return 0
	}
	return s.drain.pace(s.cfg.Rows) * time.Duration(before-rows+1)
}

// gaveUp tells that r was cancelled without what it came for, after it might have waited as long as it may: it was not served at
// the pace that it was admitted by. Were it counted among those that are, an overloaded queue would take itself for a fast one,
// and let in more that cannot be served. A completion is of use as a whole, anything else from its first token on.
func (r *run) gaveUp(now time.Time) bool {
	return !r.Deadline.IsZero() && now.After(r.Deadline) && (r.Class == Completion || len(r.tokens) == r.prompt)
}

// drain measures how fast requests leave while others wait for their rows.
type drain struct {
	service time.Duration // how long a request runs, smoothed
	gap     time.Duration // between two that leave while others wait, smoothed; 0: not seen yet
	last    time.Time     // when one left while others waited
}

// finished notes that a request left after it had run for that long.
func (d *drain) finished(ran time.Duration, now time.Time, others bool) {
	if d.service == 0 {
		d.service = ran
	}
	d.service += (ran - d.service) / 8
	d.left(now, others)
}

// left notes that a running request left.
func (d *drain) left(now time.Time, others bool) {
	if !others {
		d.last = time.Time{}
		return
	}
	if !d.last.IsZero() {
		if d.gap == 0 {
			d.gap = now.Sub(d.last)
		}
		// Requests that were admitted together leave together: one gap says little.
		d.gap += (now.Sub(d.last) - d.gap) / 16
	}
	d.last = now
}

// pace is the time between two that leave.
func (d *drain) pace(rows int) time.Duration {
	if d.gap > 0 {
		return d.gap
	}
	return d.service / time.Duration(rows)
}
