package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// Three requests, two rows, and a model that stands still after one step: what is written, read and waits is told
// apart, and two people are counted by three requests.
func TestLook(t *testing.T) {
	f := newFakeContext()
	f.hold = make(chan struct{})
	e := startFake(t, f, nil)
	if l := e.Look(); len(l.Requests) != 0 || l.People != 0 || l.StepTime == 0 || l.IdleTime == 0 {
		t.Errorf("idle: %+v", l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	ask := func(owner string, prompt int) {
		all.Go(func() {
			r := request(prompt, 5)
			r.Owner = owner
			if _, err := e.Generate(ctx, r, func(string) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	phases := func() map[Phase]int {
		count := map[Phase]int{}
		for _, r := range e.Look().Requests {
			count[r.Phase]++
		}
		return count
	}
	ask("a", 20)
	eventually(t, "a request that is read", func() bool { return phases()[Reads] == 1 })
	f.hold <- struct{}{}
	eventually(t, "a request that is written", func() bool { return phases()[Writes] == 1 })
	ask("b", 30)
	ask("a", 40)
	// The step under way holds one that writes; of the others one gets the second row with the next step.
	eventually(t, "requests that wait", func() bool { return phases()[Waits] == 2 })
	f.hold <- struct{}{}
	eventually(t, "one that is read", func() bool { p := phases(); return p[Waits] == 1 && p[Reads]+p[Writes] == 2 })
	l := e.Look()
	if l.People != 2 || l.Requests[0].Age < l.Requests[2].Age || l.Requests[0].PromptTokens != 20 || l.Requests[0].OutputTokens == 0 || l.Requests[0].MaxOutputTokens != 5 {
		t.Errorf("%+v", l)
	}
	if len(l.Held) == 0 || l.Held[0].Cells == 0 || l.Held[0].Users == 0 {
		t.Errorf("the tree holds %+v", l.Held)
	}
	cancel()
	all.Wait()
	if l := e.Look(); len(l.Requests) != 0 {
		t.Errorf("after the end: %+v", l)
	}
}
