package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
)

// slowContext takes time: as long as take says for each step.
type slowContext struct {
	*fakeContext
	take func(step int) time.Duration
}

func (s *slowContext) Step(step *llama.Step) error {
	time.Sleep(s.take(s.steps))
	return s.fakeContext.Step(step)
}

// Steps are counted by how long they took and by what they did, and so is every second in which an answer
// stands still.
func TestStepTimesAndStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowContext{newFakeContext(), func(step int) time.Duration {
			switch step {
			case 0: // the prompt
				return 40 * time.Millisecond
			case 3:
				return 1500 * time.Millisecond
			case 4:
				return 10 * time.Second
			}
			return 20 * time.Millisecond
		}}
		e := newEngine(settings{sched: sched.Config{Cells: 1024, Rows: 2, BatchTokens: 64, SliceTokens: 16, Queue: 2}, limit: 1024, maxWait: time.Minute}, nil)
		e.vocab = fakeVocabulary()
		e.sampler = func(Request) (*llama.Sampler, error) { return nil, nil }
		if err := e.start(func() (stepper, error) { return s, nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Generate(t.Context(), request(10, 6), discard); err != nil {
			t.Fatal(err)
		}
		got := e.State()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		want := Totals{Stalls: 2}
		want.PromptSteps.Counts[6], want.PromptSteps.Sum = 1, 40*time.Millisecond
		want.DecodeSteps.Counts[4], want.DecodeSteps.Counts[13], want.DecodeSteps.Counts[14] = 3, 1, 1
		want.DecodeSteps.Sum = 11_560 * time.Millisecond
		if got.PromptSteps != want.PromptSteps || got.DecodeSteps != want.DecodeSteps || got.Stalls != want.Stalls {
			t.Errorf("%+v", got.Totals)
		}
	})
}

// Who is refused is told why.
func TestBusyForAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowContext{newFakeContext(), func(int) time.Duration { return time.Second }}
		e := newEngine(settings{sched: sched.Config{Cells: 1024, Rows: 1, BatchTokens: 64, SliceTokens: 16, Queue: 1}, limit: 1024, maxWait: 5 * time.Second}, nil)
		e.vocab = fakeVocabulary()
		e.sampler = func(Request) (*llama.Sampler, error) { return nil, nil }
		if err := e.start(func() (stepper, error) { return s, nil }); err != nil {
			t.Fatal(err)
		}
		ask := func(wait time.Duration, max int) error {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			_, err := e.Generate(ctx, request(10, max), discard)
			return err
		}
		reasons := make(chan Busy, 3)
		reason := func(err error) {
			var busy *BusyError
			if errors.As(err, &busy) {
				reasons <- busy.Why
			} else {
				reasons <- ""
			}
		}
		go func() { reason(ask(time.Hour, 100)) }() // runs
		synctest.Wait()
		time.Sleep(3 * time.Second)
		waits := make(chan error, 1)
		go func() { waits <- ask(time.Hour, 1) }()
		synctest.Wait()
		if err := ask(time.Hour, 1); !errors.As(err, new(*BusyError)) {
			t.Fatalf("a third: %v", err)
		} else if reason(err); <-reasons != QueueFull {
			t.Errorf("a third: %v", err)
		}
		if reason(<-waits); <-reasons != TurnPassed {
			t.Error("the second did not give up")
		}
		if <-reasons != "" {
			t.Error("the first did not end")
		}
		// By now it is known how long one runs.
		go func() { reason(ask(time.Hour, 100)) }()
		synctest.Wait()
		time.Sleep(time.Second)
		err := ask(time.Hour, 1)
		if reason(err); <-reasons != TooLate {
			t.Errorf("with a wait that is known: %v", err)
		}
		<-reasons
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
