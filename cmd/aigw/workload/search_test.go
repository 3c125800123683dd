package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// machine answers as many questions at once as it has seats, each within a time; more wait.
type machine struct {
	seats  chan struct{}
	takes  time.Duration
	answer func(r Request) error // nil: well

	mu    sync.Mutex
	asked []string // bodies
}

func newMachine(seats int, takes time.Duration) *machine {
	return &machine{seats: make(chan struct{}, seats), takes: takes}
}

func (m *machine) Ask(ctx context.Context, _ int, r Request, piece func(string)) error {
	body, err := json.Marshal(r.Body)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.asked = append(m.asked, string(r.Class)+" "+string(body))
	m.mu.Unlock()
	if m.answer != nil {
		return m.answer(r)
	}
	select {
	case m.seats <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-m.seats }()
	for range 4 {
		if !wait(ctx, m.takes/4) {
			return ctx.Err()
		}
		if r.Streamed {
			piece("word ")
		}
	}
	piece("end")
	return nil
}

func newRun(t *testing.T, mix string, a Asker) *Run {
	t.Helper()
	r, err := Recorded()
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Mix(mix)
	if err != nil {
		t.Fatal(err)
	}
	return &Run{Recording: r, Mix: m, Asker: a, For: time.Minute, Most: 64, Objectives: Objectives{
		Within: map[Class]time.Duration{Completion: 500 * time.Millisecond, OfGeneration: 2 * time.Second, OfChat: 2 * time.Second}, Gap: time.Second,
	}}
}

// A machine that answers four at once within 400 ms is found to serve some people, more than one and fewer than 64, in time.
func TestHowManyPeopleAreServedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, began := newRun(t, "typing", newMachine(4, 400*time.Millisecond)), time.Now()
		run.For = 3 * time.Minute
		got, err := run.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Served < 2 || got.Served > 32 || got.Missed <= got.Served {
			t.Errorf("%d are served, %d not: %s", got.Served, got.Missed, got.Verdict)
		}
		if !strings.Contains(got.Verdict, fmt.Sprintf("serves about %d people at once", got.Served)) || !strings.Contains(got.Verdict, fmt.Sprintf("With %d, 95 of 100 suggestions began within", got.Missed)) {
			t.Errorf("verdict %q", got.Verdict)
		}
		if took := time.Since(began); took > run.For+10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		seats, people, most int
		takes               time.Duration
		served              int
		says                string
	}{
		"too slow for one":      {1, 0, 64, 30 * time.Second, 0, "does not serve even one person"},
		"more than are tried":   {64, 0, 8, 10 * time.Millisecond, 8, "and more: raise --most"},
		"a number is served":    {64, 6, 64, 10 * time.Millisecond, 6, "serves 6 people at once (6 type)"},
		"a number is not":       {1, 6, 64, time.Second, 0, "does not serve 6 people"},
		"the answer never came": {1, 2, 64, time.Hour, 0, "95 of 100 suggestions began within"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run := newRun(t, "typing", newMachine(test.seats, test.takes))
				run.People, run.Most = test.people, test.most
				got, err := run.Run(t.Context())
				if err != nil || got.Served != test.served || !strings.Contains(got.Verdict, test.says) {
					t.Errorf("%+v %v", got, err)
				}
			})
		})
	}
}

// Streams are timed by their first text, and by the longest time without text.
func TestStreamsAreTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := newRun(t, "chat", newMachine(64, 4*time.Second))
		run.People = 3
		got, err := run.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f := got.Stages[0].Classes[OfChat]
		if f.FirstP50 == nil || *f.FirstP50 != 1000 || *f.FirstP95 != 1000 || f.WorstGap != 1000 || *f.WholeP50 != 4000 || f.Empty != 0 || f.Speed <= 0 {
			t.Errorf("%+v", f)
		}
		if len(got.Stages[0].Missed) != 0 {
			t.Errorf("missed %q", got.Stages[0].Missed)
		}
	})
}

// What is refused or fails misses the objectives; a machine that does nothing else ends the measurement.
func TestFailuresMissTheObjectives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(1, time.Second)
		m.answer = func(Request) error { return fmt.Errorf("%w: 429", ErrRefused) }
		run := newRun(t, "mixed", m)
		run.People = 5
		got, err := run.Run(t.Context())
		if err != nil || got.Served != 0 || !strings.Contains(got.Verdict, "were refused") {
			t.Errorf("%+v %v", got, err)
		}
		m.answer = func(Request) error { return errors.New("no such page") }
		if _, err := run.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no such page") {
			t.Errorf("%v", err)
		}
	})
}

// The recording is played as it says: text grows by keystrokes, nobody shares a text with another, a pause asks.
func TestTheRecordingIsPlayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(64, time.Millisecond)
		run := newRun(t, "mixed", m)
		run.People = len(run.Mix.People)
		if _, err := run.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(m.asked, "\n")
		if strings.Contains(all, Name) {
			t.Errorf("%s was not replaced", Name)
		}
		for _, want := range []string{
			string(Opening) + ` {"current_file":{"content_above_cursor":"// Package n`, string(Completion) + " {", string(OfGeneration) + " {", string(OfChat) + " {",
			`for attempt := 1; attempt \u003c= p.Attempts; attempt++ {\n\t\t"`, `Review this part of n`, `{"role":"assistant","content":"word word word word end"}`,
		} {
			if !strings.Contains(all, want) {
				t.Errorf("nobody asked %s", want)
			}
		}
		names := map[string]bool{}
		for _, asked := range m.asked {
			if _, after, ok := strings.Cut(asked, `"project_path":"bench/`); ok {
				name, _, _ := strings.Cut(after, `"`)
				names[name] = true
			}
		}
		if len(names) < 6 {
			t.Errorf("the people who type work in %d projects", len(names))
		}
	})
}

// Whoever types on within the objective takes nothing from it; whoever has waited for longer counts as late.
func TestTypingOnIsJudgedByTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(map[Class]time.Duration{Completion: time.Second})
		w := r.start()
		soon, late, open := r.begin(Completion), r.begin(Completion), r.begin(Completion)
		time.Sleep(400 * time.Millisecond)
		r.overtaken(soon)
		if !r.undecided(w) {
			t.Error("two wait")
		}
		time.Sleep(time.Second)
		r.overtaken(late)
		r.close(w)
		if r.undecided(w) {
			t.Error("who is late is not waited for")
		}
		r.collect(w)
		r.end(open, nil) // too late to count
		if got := w.classes[Completion]; got.asked != 3 || got.overtaken != 1 || got.late != 2 || len(got.firsts) != 2 || got.answered != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A time in which nobody asks anything says nothing.
func TestNothingAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, people := range []int{0, 1} {
			run := newRun(t, "chat", newMachine(1, time.Second))
			run.For, run.People = 900*time.Millisecond, people
			if _, err := run.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--for") {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		run := newRun(t, "mixed", newMachine(1, time.Second))
		run.For = 3 * time.Minute
		if _, err := run.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
