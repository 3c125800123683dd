package engine

import "time"

// StepBounds are the upper ends of the classes of StepTimes: from one token of a small model on a GPU to
// a whole batch of a large one on a busy CPU.
var StepBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 35 * time.Millisecond, 50 * time.Millisecond,
	75 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
}

// StepTimes counts how long steps took.
type StepTimes struct {
	// Counts has for each of StepBounds the steps that took no longer and longer than the one before;
	// the last is for the rest.
	Counts [len(StepBounds) + 1]uint64
	Sum    time.Duration
}

func (s *StepTimes) observe(took time.Duration) {
	i := 0
	for i < len(StepBounds) && took > StepBounds[i] {
		i++
	}
	s.Counts[i]++
	s.Sum += took
}

// stallAfter is how long nothing may follow a token of an answer before people who read it think that it
// hangs. Whatever the reason is, they see the same: a long step, or room made for somebody else.
const stallAfter = time.Second
