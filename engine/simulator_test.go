package engine

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"aigw/engine/sched"
	"aigw/internal/testmodel"
	"aigw/models"
)

// The simulator of engine/sched stands for hundreds of people on hardware that is not here. Whether such a simulation can be
// believed is asked of this machine: the same recorded mix is played to the real engine with the real model, and to the scheduler
// with a clock that a cost model moves, whose three numbers are measured here. See docs/design.md.

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

// stepCost is what a step takes in seconds: a + b*tokens + c*tokens*cells.
type stepCost [3]float64

func (c stepCost) took(tokens, cells int) time.Duration {
	n := float64(tokens)
	return time.Duration((c[0] + c[1]*n + c[2]*n*float64(cells)) * float64(time.Second))
}

// measureCost fits the numbers to prompts of one batch and to decoding, alone, at two depths.
func measureCost(t *testing.T, e *Engine) stepCost {
	t.Helper()
	var rows [][3]float64
	var seconds []float64
	for round := range 3 {
		for _, n := range []int{48, 160, 384} {
			r := ask(t, e, named(string(rune('a'+round))+"x"+string(rune('0'+n%10)), n, e.Vocabulary().Size()), 24, Completion)
			if round == 0 {
				continue // the first of a kind takes longer
			}
			rows = append(rows, [3]float64{1, float64(n), float64(n * n)}, [3]float64{1, 1, float64(n + 12)})
			seconds = append(seconds, r.Prefill.Seconds(), r.Decode.Seconds()/float64(r.OutputTokens-1))
		}
	}
	return leastSquares(rows, seconds)
}

func ask(t *testing.T, e *Engine, prompt []models.Token, most int, class Class) Result {
	t.Helper()
	r, err := e.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: most, Class: class}, discard)
	if err != nil {
		t.Error(err)
	}
	return r
}

// leastSquares solves for the numbers that fit best, each row weighed by its size so that short steps count as much as long ones.
func leastSquares(rows [][3]float64, seconds []float64) (out stepCost) {
	var m [3][4]float64
	for k, row := range rows {
		w := 1 / (seconds[k] * seconds[k])
		for i := range 3 {
			for j := range 3 {
				m[i][j] += w * row[i] * row[j]
			}
			m[i][3] += w * row[i] * seconds[k]
		}
	}
	for i := range 3 {
		for k := range 3 {
			if k == i || m[i][i] == 0 {
				continue
			}
			f := m[k][i] / m[i][i]
			for j := range 4 {
				m[k][j] -= f * m[i][j]
			}
		}
	}
	for i := range out {
		out[i] = max(0, m[i][3]/m[i][i])
	}
	return out
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

// simulate has the scheduler answer it, on a machine of that cost.
func simulate(t *testing.T, cfg sched.Config, mix []mixed, cost stepCost, vocabulary int) []time.Duration {
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
		took := cost.took(len(plan.Tokens), used)
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

// The numbers of a cost model are found again.
func TestTheCostOfStepsIsFitted(t *testing.T) {
	want := stepCost{0.004, 0.002, 1e-6}
	var rows [][3]float64
	var seconds []float64
	for _, n := range []int{1, 48, 160, 384} {
		for _, cells := range []int{n, 500} {
			rows = append(rows, [3]float64{1, float64(n), float64(n * cells)})
			seconds = append(seconds, want.took(n, cells).Seconds())
		}
	}
	got := leastSquares(rows, seconds)
	for i := range got {
		if math.Abs(got[i]/want[i]-1) > 0.01 {
			t.Errorf("%v, want %v", got, want)
		}
	}
	mix := readMix(t)
	all := simulate(t, sched.Config{Cells: 4096, Rows: 4, BatchTokens: 512, SliceTokens: 16, Queue: 64, Reuse: true}, mix, want, 30_000)
	for i, took := range all {
		if least := want.took(1, 200) * time.Duration(mix[i].Answer); took < least {
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
	cost := measureCost(t, e)
	mix := readMix(t)
	measured := play(t, e, mix)
	simulated := simulate(t, e.set.sched, mix, cost, e.Vocabulary().Size())
	t.Logf("a step takes %.2f ms + %.3f ms a token + %.3f us a token and cell", 1e3*cost[0], 1e3*cost[1], 1e6*cost[2])
	for _, q := range []float64{0.5, 0.95} {
		a, b := middle(simulated, q), middle(measured, q)
		t.Logf("%.0f of 100 within: simulated %s, measured %s, ratio %.2f", 100*q, a.Round(time.Millisecond), b.Round(time.Millisecond), a.Seconds()/b.Seconds())
		if r := a.Seconds() / b.Seconds(); r < 0.75 || r > 1.25 {
			t.Errorf("the simulator is wrong by more than 25 %%")
		}
	}
}
