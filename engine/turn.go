package engine

import (
	"sync"

	"aigw/engine/llama"
)

// turns lets several engines compute one after the other: all of them have as many threads as there
// are processors, and threads that wait for a processor make every operation wait for them. A step is
// short (Options.StepTime), and a mutex that somebody waits for is handed over, so that each gets
// its turn. What a step waits counts as its time: the engine then plans shorter ones.
type turns struct {
	stepper
	turn sync.Locker
}

func (t turns) Step(s *llama.Step) error {
	t.turn.Lock()
	defer t.turn.Unlock()
	return t.stepper.Step(s)
}
