package sched

import (
	"errors"
	"testing"
	"time"
)

// started steps until somebody is admitted, and returns who.
func (w *world) started(t *testing.T) ID {
	t.Helper()
	for n := len(w.admitted); len(w.admitted) == n; {
		if worked, err := w.step(succeed); err != nil || !worked {
			t.Fatalf("nobody was admitted, %v", err)
		}
	}
	return w.admitted[len(w.admitted)-1]
}

func oneRow() Config {
	cfg := config()
	cfg.Rows = 1
	return cfg
}

// A class goes before the later ones, but not before what has waited for longer than it may.
func TestWhoHasWaitedGoesBeforeAnEarlierClass(t *testing.T) {
	for waited, first := range map[time.Duration]Class{ageing: Completion, 3 * ageing: Chat} {
		w := newWorld(oneRow())
		busy := w.ask(t, []int32{0}, 20, Completion)
		w.started(t)
		chat := w.ask(t, []int32{0, 1}, 1, Chat)
		w.now = w.now.Add(waited)
		typing := w.ask(t, []int32{0, 2}, 1, Completion)
		want := map[Class]ID{Completion: typing, Chat: chat}[first]
		w.cancel(busy)
		if got := w.started(t); got != want {
			t.Errorf("after %s of waiting, request %d goes first, want %d", waited, got, want)
		}
	}
}

func TestAShortPromptGoesFirstUnlessTheLongOneHasWaited(t *testing.T) {
	for waited, shortFirst := range map[time.Duration]bool{0: true, time.Second: false} {
		w := newWorld(oneRow())
		busy := w.ask(t, []int32{0}, 20, Completion)
		w.started(t)
		long := w.ask(t, make([]int32, 100), 1, Completion) // 100 ms of reading
		w.now = w.now.Add(waited)
		short := w.ask(t, []int32{1}, 1, Completion)
		w.cancel(busy)
		if got := w.started(t); (got == short) != shortFirst || got != short && got != long {
			t.Errorf("after %s of waiting, request %d goes first; the short one is %d", waited, got, short)
		}
	}
}

// Somebody who types gets the row of somebody who reads, who goes on afterwards from where he was.
func TestALaterClassMakesRoom(t *testing.T) {
	w := newWorld(oneRow())
	chat := w.ask(t, []int32{1, 2, 1, 2, 1}, 30, Chat)
	for range 5 {
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	had := len(w.readers[chat].got)
	typing := w.ask(t, []int32{0, 2}, 3, Completion)
	if got := w.started(t); got != typing {
		t.Fatalf("request %d was admitted, want the completion %d", got, typing)
	}
	w.reused = 0
	if got := w.started(t); got != chat {
		t.Fatalf("request %d was admitted, want the conversation %d", got, chat)
	}
	if want := 5 + had - 1; w.reused != want {
		t.Errorf("%d tokens of the conversation were still there, want %d", w.reused, want)
	}
	if err := w.drain(); err != nil { // compares all text with a plain run
		t.Fatal(err)
	}
	if w.preempted != 1 {
		t.Errorf("%d times somebody made room, want once", w.preempted)
	}
}

// However many people type, a conversation makes room only so often.
func TestNobodyMakesRoomForEver(t *testing.T) {
	w := newWorld(oneRow())
	chat := w.ask(t, []int32{1}, 50, Chat)
	w.started(t)
	for range 3000 {
		if w.s.Waiting() < 2 {
			w.ask(t, []int32{0, 2}, 3, Completion)
		}
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	if w.readers[chat] != nil {
		t.Errorf("the conversation has %d tokens of 50 after 3000 steps", len(w.readers[chat].got))
	}
	if w.preempted != yieldings {
		t.Errorf("it made room %d times, want %d", w.preempted, yieldings)
	}
}

// Cells are made room for, too: but only if that is enough.
func TestCellsAreMadeRoomFor(t *testing.T) {
	w := newWorld(config()) // 256 cells
	small := w.ask(t, []int32{2}, 40, Chat)
	w.started(t)
	large := w.ask(t, make([]int32, 100), 60, Chat)
	w.started(t)
	typing := w.ask(t, append([]int32{1}, make([]int32, 149)...), 10, Completion)
	if got := w.started(t); got != typing {
		t.Fatalf("request %d was admitted, want %d", got, typing)
	}
	if w.s.byID[large].yielded != 1 || w.s.byID[small].yielded != 0 {
		t.Error("the small one made room, which is not enough")
	}
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
}

func TestEachClassHasItsQueue(t *testing.T) {
	w := newWorld(config()) // 4 rows, 4 places
	for range 4 {
		w.ask(t, []int32{1}, 50, Completion)
	}
	w.started(t)
	for class := range Class(Classes) {
		for range 4 {
			w.ask(t, []int32{1}, 1, class)
		}
		var full *FullError
		if _, err := w.submit([]int32{1}, 1, class); !errors.As(err, &full) {
			t.Errorf("class %d: error %v, want FullError", class, err)
		}
	}
	if _, err := w.submit([]int32{1}, 1, Classes); err == nil {
		t.Error("a class that there is none of was accepted")
	}
}

// What cannot have its turn in time is refused at once, and given up when the estimate was wrong.
func TestDeadlines(t *testing.T) {
	w := newWorld(oneRow())
	for range 3 { // each runs for 20 steps of 10 ms
		w.ask(t, []int32{1}, 20, Completion)
		if err := w.drain(); err != nil {
			t.Fatal(err)
		}
	}
	long := w.ask(t, []int32{1}, 200, Completion)
	w.started(t)
	w.ask(t, []int32{1}, 20, Completion)
	w.deadline = w.now.Add(100 * time.Millisecond) // the turn comes in 2 * 200
	_, err := w.submit([]int32{1}, 1, Completion)
	var full *FullError
	if !errors.As(err, &full) || full.Wait < 300*time.Millisecond || full.Wait > 500*time.Millisecond {
		t.Errorf("%v, want FullError with about 400 ms", err)
	}
	w.deadline = w.now.Add(time.Second) // seems to be enough, but the first one is a long one
	w.ask(t, []int32{1}, 1, Completion)
	for w.readers[long] != nil {
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	if w.expired != 1 {
		t.Errorf("%d expired, want 1", w.expired)
	}
}

// The wait is a mean: who would be served just in time after it is refused, so that hardly anybody is let in for nothing.
func TestWhoMightBeLateIsRefused(t *testing.T) {
	w := newWorld(oneRow())
	for range 3 {
		w.ask(t, []int32{1}, 20, Completion)
		if err := w.drain(); err != nil {
			t.Fatal(err)
		}
	}
	w.ask(t, []int32{1}, 20, Completion)
	w.started(t)
	wait := w.s.Wait(Completion)
	if wait == 0 {
		t.Fatal("nobody waits behind a request")
	}
	w.deadline = w.now.Add(wait * 6 / 5)
	if _, err := w.submit([]int32{1}, 1, Completion); !errors.As(err, new(*FullError)) {
		t.Errorf("a deadline of 1.2 times the wait of %s: %v, want FullError", wait, err)
	}
	w.deadline = w.now.Add(wait * 13 / 10)
	if _, err := w.submit([]int32{1}, 1, Completion); err != nil {
		t.Errorf("1.3 times: %v", err)
	}
}

// The wait is estimated from how fast requests leave, not from how long they run.
func TestWaitFollowsTheDrainRate(t *testing.T) {
	w := newWorld(config()) // 4 rows
	for range 100 {
		for w.s.Waiting() < 4 {
			w.ask(t, []int32{1}, 8, Generation)
		}
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	// Four leave every 8 steps of 10 ms; a fifth in the queue is in the second next group.
	if wait := w.s.Wait(Generation); wait < 60*time.Millisecond || wait > 140*time.Millisecond {
		t.Errorf("wait %s, want about 100 ms", wait)
	}
	if wait := w.s.Wait(Completion); wait != 0 {
		t.Errorf("a completion waits %s, though generations make room", wait)
	}
}

// Somebody who hangs up makes room like somebody who is done. Somebody who gives up because his answer comes too late was not
// served, and the pace is no better for him.
func TestWhoGivesUpIsNotServed(t *testing.T) {
	for late, want := range map[bool]time.Duration{false: 90 * time.Millisecond, true: 180 * time.Millisecond} {
		w := newWorld(oneRow())
		for asked := 0; asked < 100; {
			for ; w.s.Waiting() < 2; asked++ { // every other one wants 8 tokens, the rest hang up after 8
				w.ask(t, []int32{1}, 8+asked%2*100, Completion)
			}
			who := w.started(t)
			r := w.s.byID[who]
			if r.MaxTokens == 8 {
				continue
			}
			if r.Deadline = w.now.Add(time.Hour); late {
				r.Deadline = w.now
			}
			for range 8 {
				if _, err := w.step(succeed); err != nil {
					t.Fatal(err)
				}
			}
			w.cancel(who)
		}
		if got := w.s.drain.pace(1); got < want*3/4 || got > want*5/4 {
			t.Errorf("late %v: one leaves each %s, want %s", late, got, want)
		}
	}
}
