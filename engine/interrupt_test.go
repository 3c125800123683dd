package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"aigw/engine/sched"
)

// A prompt without company is computed in steps of a second. Who arrives during one does not wait
// for its end, and the prompt is answered all the same.
func TestWhoArrivesDuringALongStepDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeContext()
		f.pace = 2 * time.Millisecond
		e := startFake(t, f, func(c *sched.Config) {
			c.Cells, c.BatchTokens, c.Interruptible = 1<<14, 512, true
		})
		ask := func(prompt int) time.Duration {
			began := time.Now()
			if _, err := e.Generate(t.Context(), request(prompt, 1), discard); err != nil {
				t.Error(err)
			}
			return time.Since(began)
		}
		for i := range 10 { // it learns what a token takes
			ask(100 + 7*i)
		}
		paste := make(chan time.Duration)
		go func() { paste <- ask(1024) }()
		time.Sleep(100 * time.Millisecond)
		if took := ask(5); took > 400*time.Millisecond {
			t.Errorf("an answer took %s beside a prompt of 2 s", took)
		}
		if took := <-paste; took > 2600*time.Millisecond {
			t.Errorf("the prompt of 2 s took %s", took)
		}
		if n := e.State().Aborted; n != 1 {
			t.Errorf("%d steps were interrupted, want 1", n)
		}
	})
}
