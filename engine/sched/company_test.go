package sched

import (
	"testing"
	"time"
)

// A prompt without company is computed with whole batches. Who arrives during one ends it, and from
// then on steps are shorter, until it has been quiet for a while.
func TestAPromptWithoutCompanyIsComputedWhole(t *testing.T) {
	cfg := config()
	cfg.Cells, cfg.BatchTokens, cfg.SliceTokens = 1<<16, 512, 4
	cfg.StepTime, cfg.IdleTime, cfg.Interruptible = 50*time.Millisecond, 300*time.Millisecond, true
	w := newWorld(cfg)
	step := func() int {
		t.Helper()
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
		return len(w.s.plan.Tokens)
	}
	alone := func(first int32) int {
		t.Helper()
		w.ask(t, append([]int32{first, 2}, make([]int32, 700)...), 1, Completion)
		n := step()
		for len(w.readers) > 0 {
			step()
		}
		return n
	}
	for range learned {
		alone(1)
	}
	if n := alone(3); n != 512 { // 1,034 ms
		t.Errorf("%d tokens in the first step of a prompt without company, want the whole batch", n)
	}
	w.ask(t, append([]int32{4, 2}, make([]int32, 700)...), 1, Chat)
	p, _, _ := w.s.Step(w.now)
	if len(p.Tokens) != 512 {
		t.Fatalf("%d tokens", len(p.Tokens))
	}
	began := w.now
	if !w.s.Interrupt(began, began.Add(100*time.Millisecond)) {
		t.Error("somebody who comes after 100 ms of 1,034 waits for the rest")
	}
	if w.s.Interrupt(began, began.Add(900*time.Millisecond)) {
		t.Error("a step is given up that would end in time")
	}
	w.s.Failed()
	if w.s.Interrupt(began, began) {
		t.Error("a step is interrupted that is over")
	}
	for range 20 { // people come all the time
		w.ask(t, []int32{5, 1}, 1, Completion)
		step()
	}
	for len(w.readers) > 0 {
		step()
	}
	if n := alone(6); n < 120 || n > 170 {
		t.Errorf("%d tokens in a step where people come all the time, about 145 wanted", n)
	}
	for range 300 {
		alone(7)
		w.s.tree.Clear()
	}
	if n := alone(8); n != 512 {
		t.Errorf("%d tokens in a step after minutes without company", n)
	}
}
