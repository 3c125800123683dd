package engine

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/internal/testmodel"
	"aigw/models"
)

// The simulator of engine/sched stands for hundreds of people on hardware that is not here. Whether such a simulation can be
// believed is asked of this machine: the same recorded mix is played to the real engine with the real model, and to the scheduler
// with a clock that the steps of this machine move, as they are measured here. See docs/design.md.

// mixed is a request of testdata/mix.jsonl.
type mixed struct {
	At     int    `json:"at_ms"`
	Person string `json:"person"`
	Head   string `json:"head"` // equal names begin with equal tokens
	Head2  int    `json:"head_tokens"`
	Tail   int    `json:"tail_tokens"` // of the person's own, of which each request has more than the one before
	Answer int    `json:"answer_tokens"`
	Class  string `json:"class"`
}

func readMix(t *testing.T) (all []mixed) {
	t.Helper()
	text, err := os.ReadFile("testdata/mix.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var m mixed
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func named(name string, n, vocabulary int) (out []models.Token) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	random := rand.New(rand.NewPCG(h.Sum64(), 1))
	for range n {
		out = append(out, models.Token(random.IntN(vocabulary)))
	}
	return out
}

func (m mixed) prompt(vocabulary int) []models.Token {
	return slices.Concat(named(m.Head, m.Head2, vocabulary), named("of "+m.Person, m.Tail, vocabulary))
}

func (m mixed) class() Class {
	if m.Class == "chat" {
		return Chat
	}
	return Completion
}

// stepTable is what a step takes by the number of its tokens; those between two that were measured lie on a line. A token attends to the
// cells of its own sequence and passes by all others, and what each of both kinds takes is measured, too: fused attention on a CPU
// skips what is masked.
type stepTable []tableStep

type tableStep struct {
	tokens     int
	seconds    float64 // with no cell in use
	own, other float64 // more for each cell of its own sequence, and for each other cell
}

// took is what a step of tokens at these positions of their sequences takes while that many cells are in use.
func (t stepTable) took(positions []int32, cells int) time.Duration {
	n := len(positions)
	i := 1
	for i < len(t)-1 && t[i].tokens < n {
		i++
	}
	low, high := t[i-1], t[i]
	share := float64(n-low.tokens) / float64(high.tokens-low.tokens)
	between := func(a, b float64) float64 { return a + share*(b-a) }
	own := 0.0
	for _, pos := range positions {
		own += float64(pos) / float64(n)
	}
	seconds := between(low.seconds, high.seconds) + own*between(low.own, high.own) + max(0, float64(cells)-own)*between(low.other, high.other)
	return time.Duration(seconds * float64(time.Second))
}

// measureSteps measures steps of one to a whole batch of tokens, on a context like e's: with an empty cache, behind a long text, and
// beside one.
func measureSteps(t *testing.T, e *Engine) stepTable {
	t.Helper()
	c, err := e.model.NewContext(e.set.context)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &probe{ctx: t.Context(), end: time.Now().Add(time.Hour), fillTime: time.Hour, Context: c, rows: 4, next: map[llama.SeqID]llama.Pos{}}
	sizes := []int{1, 2, 4, 8, 16, 32, 63, 64, 128, 256, c.BatchSize()}
	measure := func(depth int) (seconds []float64) {
		for _, n := range sizes {
			var times []time.Duration
			for range 3 {
				took, err := p.run(n, 1, depth)
				if err != nil {
					t.Fatal(err)
				}
				times = append(times, took)
			}
			seconds = append(seconds, middle(times, 0.5).Seconds())
		}
		return seconds
	}
	if _, err := p.run(sizes[len(sizes)-1], 1, 0); err != nil { // the first one touches all weights
		t.Fatal(err)
	}
	empty := measure(0)
	depth, err := p.fill(1024)
	if err != nil {
		t.Fatal(err)
	}
	beside, behind := measure(0), measure(depth)
	var table stepTable
	for i, n := range sizes {
		own, other := max(0, behind[i]-empty[i])/float64(depth), max(0, beside[i]-empty[i])/float64(depth)
		// With an empty cache tokens attend to those before them in the step, on average to half of it.
		table = append(table, tableStep{n, max(0, empty[i]-own*float64(n-1)/2), own, other})
	}
	return table
}

func ask(t *testing.T, e *Engine, prompt []models.Token, most int, class Class) Result {
	t.Helper()
	r, err := e.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: most, Class: class}, discard)
	if err != nil {
		t.Error(err)
	}
	return r
}

// play has the real engine answer the mix, and returns how long each answer took.
func play(t *testing.T, e *Engine, mix []mixed) []time.Duration {
	out := make([]time.Duration, len(mix))
	var group sync.WaitGroup
	began := time.Now()
	for i, m := range mix {
		time.Sleep(time.Until(began.Add(time.Duration(m.At) * time.Millisecond)))
		group.Go(func() {
			from := time.Now()
			ask(t, e, m.prompt(e.Vocabulary().Size()), m.Answer, m.class())
			out[i] = time.Since(from)
		})
	}
	group.Wait()
	return out
}

// simulate has the scheduler answer it, on that machine.
func simulate(t *testing.T, cfg sched.Config, mix []mixed, on stepTable, vocabulary int) []time.Duration {
	s, now := sched.New(cfg), time.Duration(0)
	clock := func() time.Time { return time.Unix(0, 0).Add(now) }
	out, got := make([]time.Duration, len(mix)), make([]int, len(mix))
	next, open := 0, 0
	for next < len(mix) || open > 0 {
		for next < len(mix) && time.Duration(mix[next].At)*time.Millisecond <= now {
			m := mix[next]
			if err := s.Submit(sched.Request{ID: sched.ID(next + 1), Tokens: m.prompt(vocabulary), MaxTokens: m.Answer, Class: m.class()}, clock()); err != nil {
				t.Fatal(err)
			}
			next, open = next+1, open+1
		}
		plan, _, ok := s.Step(clock())
		if !ok {
			if next == len(mix) {
				t.Fatalf("%d are open, and nothing is planned", open)
			}
			now = time.Duration(mix[next].At) * time.Millisecond
			continue
		}
		used, _ := s.Cells()
		took := on.took(plan.Pos, used)
		now += took
		sampled := make([]int32, len(plan.Rows))
		for i := range sampled {
			sampled[i] = int32(int(now/time.Microsecond)+i) % int32(vocabulary)
		}
		if len(plan.Tokens) > 0 {
			s.Computed(sampled, took)
		}
		for _, row := range plan.Rows {
			i := int(row.ID) - 1
			if got[i]++; got[i] == mix[i].Answer {
				out[i] = now - time.Duration(mix[i].At)*time.Millisecond
				s.Finish(row.ID, clock())
				open--
			}
		}
	}
	return out
}

func middle(all []time.Duration, q float64) time.Duration {
	return slices.Sorted(slices.Values(all))[int(q*float64(len(all)-1))]
}

// What was not measured lies between what was, and nobody is answered sooner than his tokens alone take.
func TestTheSimulatorKeepsToItsMachine(t *testing.T) {
	on := stepTable{{1, 0.010, 10e-6, 1e-6}, {64, 0.136, 64e-6, 64e-6}, {512, 1.032, 512e-6, 512e-6}}
	for _, c := range []struct {
		tokens, at, cells int
		want              time.Duration
	}{
		{1, 0, 0, 10 * time.Millisecond},
		{1, 1000, 1000, 20 * time.Millisecond},
		{1, 1000, 3000, 22 * time.Millisecond},
		{64, 1000, 1000, 200 * time.Millisecond},
		{288, 0, 0, 584 * time.Millisecond},
		{288, 0, 1000, 872 * time.Millisecond},
	} {
		if got := on.took(slices.Repeat([]int32{int32(c.at)}, c.tokens), c.cells); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("%d tokens at %d of %d cells take %s, want %s", c.tokens, c.at, c.cells, got, c.want)
		}
	}
	mix := readMix(t)
	all := simulate(t, sched.Config{Cells: 4096, Rows: 4, BatchTokens: 512, SliceTokens: 16, Queue: 64, Reuse: true}, mix, on, 30_000)
	for i, took := range all {
		if least := on.took([]int32{200}, 200) * time.Duration(mix[i].Answer); took < least {
			t.Errorf("request %d took %s, and %d tokens alone take %s", i, took, mix[i].Answer, least)
		}
	}
}

// AIGW_TEST_SIMULATOR=1 plays the mix to the real engine, too, which takes as long as the mix and means something on a quiet machine
// only: the simulator's median and its 95 of 100 have to be within 25 % of what is measured.
func TestTheSimulatorPredictsThisMachine(t *testing.T) {
	if os.Getenv("AIGW_TEST_SIMULATOR") == "" {
		t.Skip("it takes a minute of a quiet machine; AIGW_TEST_SIMULATOR=1 runs it")
	}
	e, err := Load(t.Context(), Options{Model: testmodel.Path(t), Context: 4096, Parallel: 4, Draft: -1, ParkBytes: -1, FlashAttention: "on"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	on := measureSteps(t, e)
	mix := readMix(t)
	measured := play(t, e, mix)
	simulated := simulate(t, e.set.sched, mix, on, e.Vocabulary().Size())
	for _, m := range on {
		t.Logf("a step of %d tokens takes %.1f ms, %.2f ms more for each 1000 cells of its own, %.2f ms for each 1000 others", m.tokens, 1e3*m.seconds, 1e6*m.own, 1e6*m.other)
	}
	for _, q := range []float64{0.5, 0.95} {
		a, b := middle(simulated, q), middle(measured, q)
		t.Logf("%.0f of 100 within: simulated %s, measured %s, ratio %.2f", 100*q, a.Round(time.Millisecond), b.Round(time.Millisecond), a.Seconds()/b.Seconds())
		if r := a.Seconds() / b.Seconds(); r < 0.75 || r > 1.25 {
			t.Errorf("the simulator is wrong by more than 25 %%")
		}
	}
}
