package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/models"
)

func TestGenerate(t *testing.T) {
	f := newFakeContext()
	e := startFake(t, f, nil)
	var got strings.Builder
	res, err := e.Generate(t.Context(), request(100, 5), collect(&got))
	if err != nil || got.String() != "aaaaa" {
		t.Fatalf("%q, %v", got.String(), err)
	}
	if res.Finish != FinishLength || res.PromptTokens != 100 || res.OutputTokens != 5 || res.CachedTokens != 0 {
		t.Errorf("%+v", res)
	}
	// The same again takes all but the last token of the prompt from the cache.
	res, err = e.Generate(t.Context(), request(100, 5), discard)
	if err != nil || res.CachedTokens != 99 {
		t.Errorf("%+v, %v; want 99 cached tokens", res, err)
	}
	if s := e.State(); s.Requests != 2 || s.OutputTokens != 10 || s.Running != 0 || s.CellsUsed != s.Evictable {
		t.Errorf("%+v", s)
	}
}

func TestStops(t *testing.T) {
	f := newFakeContext()
	e := startFake(t, f, nil)
	req := request(3, 50)
	req.Stops.Texts = []string{"aaa"}
	var got strings.Builder
	res, err := e.Generate(t.Context(), req, collect(&got))
	if err != nil || got.String() != "" || res.Finish != FinishStop || res.OutputTokens != 3 {
		t.Errorf("stop text: %q, %+v, %v", got.String(), res, err)
	}
	f.mu.Lock()
	f.token = fakeEnd
	f.mu.Unlock()
	res, err = e.Generate(t.Context(), request(3, 50), collect(&got))
	if err != nil || got.String() != "" || res.Finish != FinishStop || res.OutputTokens != 0 {
		t.Errorf("stop token: %q, %+v, %v", got.String(), res, err)
	}
}

func TestWhatCannotBeComputedIsRefused(t *testing.T) {
	f := newFakeContext()
	e := startFake(t, f, nil)
	foreign := request(2, 1)
	foreign.Prompt[1] = 3
	emptyStop := request(2, 1)
	emptyStop.Stops.Texts = []string{""}
	for name, req := range map[string]Request{
		"empty prompt": request(0, 1), "nothing wanted": request(1, 0), "foreign token": foreign, "empty stop text": emptyStop,
	} {
		if _, err := e.Generate(t.Context(), req, discard); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := e.Generate(t.Context(), request(1000, 25), discard)
	if long := (*models.TooLongError)(nil); !errors.As(err, &long) || long.Tokens != 1025 || long.Limit != 1024 {
		t.Errorf("too long: %v", err)
	}
	if f.steps != 0 {
		t.Errorf("%d steps for requests that were refused", f.steps)
	}
}

// A full queue is refused although the model is in the middle of a step that takes for ever.
func TestAFullQueueIsRefusedAtOnce(t *testing.T) {
	f := newFakeContext()
	f.hold = make(chan struct{})
	e := startFake(t, f, nil) // 2 rows, queue of 2
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for i := range 4 {
		go func() {
			_, err := e.Generate(ctx, request(10, 5), discard)
			results <- err
		}()
		eventually(t, "admission", func() bool { s := e.State(); return s.Running+s.Waiting == i+1 && (i > 0 || s.Running == 1) })
	}
	_, err := e.Generate(ctx, request(10, 5), discard)
	if busy := (*BusyError)(nil); !errors.As(err, &busy) {
		t.Errorf("error %v, want BusyError", err)
	}
	cancel()
	for range 4 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("result %v", err)
		}
	}
	eventually(t, "an idle engine", func() bool { s := e.State(); return s.Running == 0 && s.Waiting == 0 })
	if s := e.State(); s.Refused != 1 || s.CellsUsed != s.Evictable {
		t.Errorf("%+v", s)
	}
}

func TestAHangUpEndsTheRunningStep(t *testing.T) {
	f := newFakeContext()
	f.hold = make(chan struct{})
	e := startFake(t, f, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client is gone")
	result := make(chan error)
	go func() {
		_, err := e.Generate(ctx, request(10, 5), discard)
		result <- err
	}()
	eventually(t, "a step", func() bool { e.mu.Lock(); defer e.mu.Unlock(); return e.alive == 1 })
	cancel(gone)
	if err := <-result; !errors.Is(err, gone) {
		t.Errorf("result %v", err)
	}
	eventually(t, "the step's end", func() bool { return e.State().Aborted == 1 })
	close(f.hold)
	if _, err := e.Generate(t.Context(), request(10, 5), discard); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// While somebody still wants the step, it goes on.
func TestAHangUpOfOneLeavesTheStepToTheOthers(t *testing.T) {
	f := newFakeContext()
	e := startFake(t, f, nil)
	f.mu.Lock()
	f.hold = make(chan struct{})
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	left, stays := make(chan error), make(chan error)
	go func() { _, err := e.Generate(ctx, request(10, 500), discard); left <- err }()
	go func() { _, err := e.Generate(t.Context(), request(12, 3), discard); stays <- err }()
	eventually(t, "both in one step", func() bool {
		select {
		case f.hold <- struct{}{}:
		default:
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.alive == 2
	})
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(f.hold)
	if err := <-stays; err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
	if n := e.State().Aborted; n != 0 {
		t.Errorf("%d steps aborted", n)
	}
}

func TestFailuresEndOnlyWhatTheyMust(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*fakeContext)
		meets  func(error) bool // what the request that meets it gets
		clears bool
	}{
		"decode error":  {func(f *fakeContext) { f.fail = []error{&llama.DecodeError{Code: -3}} }, func(err error) bool { return errors.As(err, new(*llama.DecodeError)) }, false},
		"no slot":       {func(f *fakeContext) { f.fail = []error{nil, llama.ErrNoSlot} }, func(err error) bool { return errors.Is(err, llama.ErrNoSlot) }, false},
		"not a number":  {func(f *fakeContext) { f.row = llama.RowBad }, func(err error) bool { return errors.Is(err, errNotANumber) }, true},
		"grammar":       {func(f *fakeContext) { f.row = llama.RowStuck }, func(err error) bool { return errors.Is(err, ErrNoContinuation) }, false},
		"complete":      {func(f *fakeContext) { f.row = llama.RowComplete }, func(err error) bool { return err == nil }, false},
		"aborted alone": {func(f *fakeContext) { f.fail = []error{llama.ErrAborted, nil, llama.ErrAborted} }, func(err error) bool { return err == nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeContext()
			e := startFake(t, f, nil)
			f.mu.Lock()
			tt.change(f)
			f.mu.Unlock()
			_, err := e.Generate(t.Context(), request(10, 5), discard)
			if !tt.meets(err) {
				t.Errorf("error %v", err)
			}
			if _, err := e.Generate(t.Context(), request(10, 5), discard); err != nil {
				t.Errorf("the next request: %v", err)
			}
			if tt.clears != (f.cleared > 0) {
				t.Errorf("cache cleared %d times", f.cleared)
			}
			eventually(t, "no cell in use", func() bool { s := e.State(); return s.CellsUsed == s.Evictable })
		})
	}
}

// When the cache has no room, one request is put back and everybody gets an answer.
func TestNoSlotPutsOneBackAndFailsNobody(t *testing.T) {
	f := newFakeContext()
	e := startFake(t, f, nil)
	f.mu.Lock()
	f.hold = make(chan struct{})
	f.mu.Unlock()
	results := make(chan error)
	texts := make(chan string, 2)
	for i := range 2 {
		go func() {
			var got strings.Builder
			_, err := e.Generate(t.Context(), request(10+i, 6), collect(&got))
			texts <- got.String()
			results <- err
		}()
	}
	eventually(t, "both in one step", func() bool {
		select {
		case f.hold <- struct{}{}:
		default:
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.alive == 2
	})
	f.mu.Lock()
	f.fail = []error{llama.ErrNoSlot, llama.ErrNoSlot}
	f.mu.Unlock()
	close(f.hold)
	for range 2 {
		if text := <-texts; text != "aaaaaa" {
			t.Errorf("text %q", text)
		}
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestCloseTellsEverybody(t *testing.T) {
	f := newFakeContext()
	f.hold = make(chan struct{})
	e := startFake(t, f, nil)
	results := make(chan error)
	for range 3 {
		go func() { _, err := e.Generate(t.Context(), request(10, 5), discard); results <- err }()
	}
	eventually(t, "three requests", func() bool { s := e.State(); return s.Running+s.Waiting == 3 })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-results; !errors.Is(err, ErrClosed) {
			t.Errorf("result %v", err)
		}
	}
	if _, err := e.Generate(t.Context(), request(1, 1), discard); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAnErrorOfTheReaderEndsTheGeneration(t *testing.T) {
	f := newFakeContext()
	e := startFake(t, f, nil)
	broken := errors.New("broken pipe")
	_, err := e.Generate(t.Context(), request(10, 900), func(string) error { return broken })
	if !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	eventually(t, "an idle engine", func() bool { return e.State().Running == 0 })
}

func TestKVSharing(t *testing.T) {
	for sharing, want := range map[Sharing][3]int{ // cached tokens of: the same owner, another one, nobody known
		ShareInstance: {99, 99, 99}, ShareUser: {99, 0, 0}, ShareOff: {0, 0, 0},
	} {
		e := startFake(t, newFakeContext(), nil)
		e.set.sharing = sharing
		ask := func(owner string) int {
			req := request(100, 5)
			req.Owner = owner
			res, err := e.Generate(t.Context(), req, discard)
			if err != nil {
				t.Fatal(err)
			}
			return res.CachedTokens
		}
		ask("user-1")
		same, other := ask("user-1"), ask("user-2")
		ask("")
		if got := [3]int{same, other, ask("")}; got != want {
			t.Errorf("%s: %v cached tokens, want %v", sharing, got, want)
		}
	}
	if _, err := ParseSharing("everybody"); err == nil {
		t.Error("an unknown setting was accepted")
	}
}

// A reader that has enough gets the result of a generation that stopped.
func TestAReaderThatHasEnoughGetsAResult(t *testing.T) {
	f := newFakeContext()
	f.hold = make(chan struct{}, 3) // steps: the prompt, and two tokens
	for range 3 {
		f.hold <- struct{}{}
	}
	e := startFake(t, f, nil)
	text := 0
	result, err := e.Generate(t.Context(), request(5, 50), func(piece string) error {
		if text += len(piece); text >= 3 {
			return fmt.Errorf("the code block has ended: %w", ErrEnough)
		}
		return nil
	})
	if err != nil || result.Finish != FinishStop || result.PromptTokens != 5 || result.OutputTokens != 3 {
		t.Errorf("%+v, %v after %d bytes", result, err, text)
	}
	eventually(t, "an idle engine", func() bool { return e.State().Running == 0 })
}

// A reader who takes his time holds up nobody, neither the model nor other readers.
func TestASlowReaderHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeContext()
		e := newEngine(settings{sched: sched.Config{Cells: 1024, Rows: 2, BatchTokens: 64, SliceTokens: 16, Queue: 2}, limit: 1024, maxWait: time.Minute}, nil)
		e.vocab = fakeVocabulary()
		e.sampler = func(Request) (*llama.Sampler, error) { return nil, nil }
		if err := e.start(func() (stepper, error) { return f, nil }); err != nil {
			t.Fatal(err)
		}
		slow := make(chan error)
		began := time.Now()
		go func() {
			_, err := e.Generate(t.Context(), request(10, 300), func(string) error { time.Sleep(time.Hour); return nil })
			slow <- err
		}()
		if _, err := e.Generate(t.Context(), request(10, 300), discard); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the quick reader waited %s", took)
		}
		if err := <-slow; err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func discard(string) error { return nil }

func collect(b *strings.Builder) func(string) error {
	return func(text string) error {
		b.WriteString(text)
		return nil
	}
}
