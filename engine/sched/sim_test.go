package sched

import (
	"container/heap"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The simulator compares policies for hundreds of people without their hardware. The scheduler is
// the real one; the model is a clock. People type, ask and paste as in mix; what a step takes is
// what it would take a 22B model in 4 bits on one H100, by the same formula that the scheduler fits.
//
//	go test ./engine/sched -run Sim -v -sim      # the table of docs/design.md
var simulate = flag.Bool("sim", false, "simulate ten minutes of up to 160 people instead of one of 40")

// clockModel is what a step takes. 13 GB of weights are read in each, at about half of 3.35 TB/s
// with launches and sampling; 2*22e9 operations a token at about 200 TFLOP/s; 224 KiB of keys and
// values are read for each row and cell, and rows of one prompt read them together.
type clockModel struct{ step, token, cell time.Duration }

var h100 = clockModel{step: 8 * time.Millisecond, token: 220 * time.Microsecond, cell: 5}

func (m clockModel) took(tokens, cells int) time.Duration {
	return m.step + time.Duration(tokens)*(m.token+time.Duration(cells)*m.cell)
}

// policy is a way to run the same mix.
type policy struct {
	name   string
	config func(*Config)
	change func(*Request)
}

var policies = []policy{
	{"first come, whole batches, own prefixes", // as llama-server with one slot for each person's last prompt
		func(c *Config) { c.StepTime, c.IdleTime, c.arrivalOrder = time.Hour, time.Hour, true },
		func(r *Request) { r.Class, r.Deadline = Completion, time.Time{} }},
	{"first come, whole batches, shared prefixes",
		func(c *Config) { c.StepTime, c.IdleTime, c.arrivalOrder = time.Hour, time.Hour, true },
		func(r *Request) { r.Class, r.Deadline, r.Scope = Completion, time.Time{}, "" }},
	{"by rank, slices by time, shared prefixes", func(*Config) {}, func(r *Request) { r.Scope = "" }},
}

// event is something that a person does.
type event struct {
	at  time.Duration
	who *person
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

// person types code, and at times asks something. Eight are a team, whose requests begin with the
// same imported code; all conversations begin with the same 400 tokens.
type person struct {
	random  *rand.Rand
	name    string
	team    []int32
	file    []int32
	chat    []int32
	current ID // completion that runs
}

func tokens(random *rand.Rand, n int) []int32 {
	t := make([]int32, n)
	for i := range t {
		t[i] = random.Int32N(30_000)
	}
	return t
}

// asked is a request under way.
type asked struct {
	class    Class
	at       time.Duration
	last     time.Duration // when the last token came
	got, max int
}

// arrival is within what time everybody begins to work. What is before is not counted: the first
// prompts of all are computed whole whatever the policy.
const arrival = 20 * time.Second

// sim is one run.
type sim struct {
	*Scheduler
	policy  policy
	now     time.Duration
	queue   events
	open    map[ID]*asked
	nextID  ID
	firsts  [Classes][]time.Duration // from asking to the first token
	whole   [Classes][]time.Duration // to the last one
	gaps    []time.Duration          // between two tokens of a stream
	refused [Classes]int
	asked   [Classes]int
	output  int
}

func newSim(p policy, people int) *sim {
	cfg := Config{Cells: 1 << 16, Rows: 64, BatchTokens: 2048, SliceTokens: 16, Queue: 64, Reuse: true, StepTime: 35 * time.Millisecond}
	p.config(&cfg)
	s := &sim{Scheduler: New(cfg), policy: p, open: map[ID]*asked{}}
	random := rand.New(rand.NewPCG(1, 2))
	system := tokens(random, 400)
	var team []int32
	for i := range people {
		if i%8 == 0 {
			team = tokens(random, 600)
		}
		one := &person{random: rand.New(rand.NewPCG(3, uint64(i))), name: fmt.Sprint("person ", i), team: team, chat: system}
		one.file = tokens(one.random, 300+one.random.IntN(700))
		heap.Push(&s.queue, event{time.Duration(one.random.Int64N(int64(arrival))), one})
	}
	return s
}

func (s *sim) clock() time.Time { return time.Unix(0, 0).Add(s.now) }

// act lets a person do something, and says when the next thing comes.
func (s *sim) act(p *person) {
	wait := func(low, high time.Duration) time.Duration {
		return low + time.Duration(p.random.Int64N(int64(high-low)))
	}
	var next time.Duration
	switch n := p.random.IntN(100); {
	case n < 94: // a pause in typing: a completion, and what it would answer before is of no use
		if s.open[p.current] != nil {
			s.Cancel(p.current)
			delete(s.open, p.current)
		}
		p.file = append(p.file, tokens(p.random, 1+p.random.IntN(6))...)
		p.current = s.ask(p, Completion, slices.Concat(p.team, p.file), 16+p.random.IntN(40))
		next = wait(2*time.Second, 10*time.Second)
	case n < 97: // a question
		p.chat = append(p.chat[:len(p.chat):len(p.chat)], tokens(p.random, 40+p.random.IntN(200))...)
		if len(p.chat) > 6000 {
			p.chat = p.chat[:400]
		}
		s.ask(p, Chat, p.chat, 150+p.random.IntN(350))
		next = wait(10*time.Second, 40*time.Second)
	case n < 99: // code in words
		s.ask(p, Generation, slices.Concat(p.team, tokens(p.random, 300)), 100+p.random.IntN(200))
		next = wait(5*time.Second, 15*time.Second)
	default: // a long paste
		s.ask(p, Chat, slices.Concat(p.chat[:400], tokens(p.random, 6000)), 300)
		next = wait(20*time.Second, 60*time.Second)
	}
	heap.Push(&s.queue, event{s.now + next, p})
}

func (s *sim) ask(p *person, class Class, prompt []int32, most int) ID {
	s.nextID++
	r := Request{ID: s.nextID, Tokens: prompt, MaxTokens: most, Class: class, Scope: p.name,
		Deadline: s.clock().Add([Classes]time.Duration{10 * time.Second, 30 * time.Second, time.Minute, time.Hour}[class])}
	s.policy.change(&r)
	s.asked[class]++
	var full *FullError
	switch err := s.Submit(r, s.clock()); {
	case errors.As(err, &full):
		s.refused[class]++
	case err != nil:
		panic(err)
	default:
		s.open[r.ID] = &asked{class: class, at: s.now, max: most}
	}
	return r.ID
}

// run lets time pass.
func (s *sim) run(until time.Duration) {
	for s.now < until {
		for s.queue[0].at <= s.now {
			s.act(heap.Pop(&s.queue).(event).who)
		}
		plan, admission, ok := s.Step(s.clock())
		for _, id := range admission.Expired {
			s.refused[s.open[id].class]++
			delete(s.open, id)
		}
		if !ok {
			s.now = s.queue[0].at
			continue
		}
		took := h100.took(len(plan.Tokens), s.used())
		s.now += took
		sampled := make([]int32, len(plan.Rows))
		for i := range sampled {
			sampled[i] = int32(s.now/time.Microsecond)%30_000 + int32(i)
		}
		if len(plan.Tokens) > 0 {
			s.Computed(sampled, took)
		}
		for _, row := range plan.Rows {
			s.give(row.ID)
		}
	}
}

func (s *sim) give(id ID) {
	a := s.open[id]
	if a == nil {
		return
	}
	counts := s.now > 2*arrival
	if counts {
		s.output++
	}
	if a.got++; a.got == 1 && counts {
		s.firsts[a.class] = append(s.firsts[a.class], s.now-a.at)
	} else if counts {
		s.gaps = append(s.gaps, s.now-a.last)
	}
	a.last = s.now
	if a.got == a.max {
		if counts {
			s.whole[a.class] = append(s.whole[a.class], s.now-a.at)
		}
		s.Finish(id, s.clock())
		delete(s.open, id)
	}
}

// quantile of durations, in milliseconds.
func quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	s := slices.Clone(d)
	slices.Sort(s)
	return float64(s[int(q*float64(len(s)-1))]) / float64(time.Millisecond)
}

func TestSim(t *testing.T) {
	crowds, long := []int{40}, time.Minute
	if *simulate {
		crowds, long = []int{20, 40, 80, 160}, 10*time.Minute
	}
	var table strings.Builder
	fmt.Fprintf(&table, "| people | policy | completion, ms: p50 / p95 | first token of a chat, ms: p95 | gap in a stream, ms: p99 / worst | refused | output tokens/s |\n|---|---|---|---|---|---|---|\n")
	for _, people := range crowds {
		var runs []*sim
		for _, p := range policies {
			s := newSim(p, people)
			s.run(long)
			runs = append(runs, s)
			refused, asked := 0, 0
			for c := range Classes {
				refused += s.refused[c]
				asked += s.asked[c]
			}
			fmt.Fprintf(&table, "| %d | %s | %.0f / %.0f | %.0f | %.0f / %.0f | %.1f %% | %.0f |\n", people, p.name,
				quantile(s.whole[Completion], 0.5), quantile(s.whole[Completion], 0.95), quantile(s.firsts[Chat], 0.95),
				quantile(s.gaps, 0.99), quantile(s.gaps, 1), 100*float64(refused)/float64(asked), float64(s.output)/(long-2*arrival).Seconds())
			if len(s.whole[Completion]) == 0 || len(s.firsts[Chat]) == 0 {
				t.Fatalf("%s: %d completions, %d chats: nothing was simulated", p.name, len(s.whole[Completion]), len(s.firsts[Chat]))
			}
		}
		first, ours := runs[0], runs[len(runs)-1]
		if a, b := quantile(ours.whole[Completion], 0.95), quantile(first.whole[Completion], 0.95); a >= b {
			t.Errorf("%d people: 95 of 100 completions within %.0f ms, first come first served %.0f ms", people, a, b)
		}
		if a, b := quantile(ours.gaps, 1), quantile(first.gaps, 1); a >= b {
			t.Errorf("%d people: a stream stood still for %.0f ms, first come first served %.0f ms", people, a, b)
		}
	}
	t.Log("\n" + table.String())
}
