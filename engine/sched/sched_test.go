package sched

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world drives a scheduler over the fake model.
type world struct {
	s       *Scheduler
	m       *fakeModel
	cfg     Config
	now     time.Time
	nextID  ID
	readers map[ID]*reader
	reused  int // prompt tokens that came from the cache
	decoded map[ID]bool

	deadline           time.Time // of what is submitted
	scope              string
	private            bool
	keep               int
	expired, preempted int
	admitted           []ID

	guessed, guessedRight int
	busy                  time.Duration // in steps
	guess                 time.Duration // what a guess adds to a step
	offers                bool          // there is a draft model
}

func newWorld(cfg Config) *world {
	return &world{
		s: New(cfg), m: newFakeModel(cfg.Cells), cfg: cfg, now: time.Unix(0, 0),
		readers: map[ID]*reader{}, decoded: map[ID]bool{},
	}
}

func (w *world) submit(prompt []int32, max int, class Class) (ID, error) {
	w.nextID++
	err := w.s.Submit(Request{ID: w.nextID, Tokens: prompt, MaxTokens: max, Class: class, Deadline: w.deadline, Scope: w.scope, Private: w.private, Keep: w.keep}, w.now)
	if err == nil {
		w.readers[w.nextID] = &reader{prompt: prompt, max: max}
	}
	return w.nextID, err
}

// ask submits a request that has to be taken.
func (w *world) ask(t *testing.T, prompt []int32, max int, class Class) ID {
	t.Helper()
	id, err := w.submit(prompt, max, class)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) cancel(id ID) {
	w.s.Cancel(id)
	delete(w.readers, id)
}

type result int

const (
	succeed result = iota
	abort
	noRoom
)

// step plans and runs one step and checks what must hold after it.
func (w *world) step(how result) (worked bool, err error) {
	w.now = w.now.Add(10 * time.Millisecond)
	for i, wish := range w.s.Wishes(nil) { // a draft model that is right at times
		guess := make([]int32, wish.N)
		for j := range guess {
			guess[j] = int32((i + j + len(wish.Tokens)) % vocabulary)
		}
		if w.offers {
			w.s.Offer(wish.ID, len(wish.Tokens), guess)
			w.s.Guessed(len(guess), time.Millisecond)
		}
	}
	p, admission, ok := w.s.Step(w.now)
	for _, id := range admission.Expired {
		if r := w.readers[id]; r == nil || len(r.got) > 0 {
			return false, errors.New("somebody expired who had left or begun")
		}
		delete(w.readers, id)
		w.expired++
	}
	w.preempted += len(admission.Preempted)
	if !ok {
		return false, w.check()
	}
	for _, s := range admission.Started {
		w.reused += s.Cached
		w.admitted = append(w.admitted, s.ID)
	}
	if len(p.Tokens) > w.cfg.BatchTokens {
		return false, errors.New("batch too long")
	}
	if len(p.Rows) > 0 && len(p.Tokens)-len(p.Rows) > w.cfg.BatchTokens {
		return false, errors.New("budget exceeded")
	}
	for _, id := range p.Work {
		if w.readers[id] == nil {
			return false, errors.New("cancelled work was planned")
		}
		w.decoded[id] = true
	}
	sampled, err := w.m.run(p, how != succeed)
	if err != nil {
		return false, err
	}
	switch {
	case how == abort || len(p.Tokens) == 0 && how != succeed:
		w.s.Failed()
		return true, nil
	case how == noRoom:
		w.s.NoRoom()
		return true, nil
	}
	if len(p.Tokens) > 0 {
		w.s.Computed(sampled, w.took(p))
		w.busy += w.took(p)
	}
	for i, row := range p.Rows {
		r := w.readers[row.ID]
		if row.Draft {
			w.guessed++
		}
		if r == nil || sampled[i] < 0 { // it has all it wanted, or a guess was wrong
			continue
		}
		if row.Draft {
			w.guessedRight++
		}
		r.got = append(r.got, sampled[i])
		if err := r.check(w.m.says); err != nil {
			return false, err
		}
		if len(r.got) == r.max {
			w.s.Finish(row.ID, w.now)
			delete(w.readers, row.ID)
		}
	}
	return true, w.check()
}

// check compares the books with the cache. Operations that wait for the next step are not done yet.
func (w *world) check() error {
	if len(w.s.ops) > 0 {
		return nil
	}
	parked := 0
	for _, states := range w.m.parked {
		parked += len(states)
	}
	if parked != w.s.Parked() {
		return fmt.Errorf("%d cells are parked, the books say %d", parked, w.s.Parked())
	}
	if used, _ := w.s.Cells(); used != w.m.used() && !w.cfg.Window || used < w.m.used() {
		return errors.New("books and cache count different cells")
	}
	return nil
}

// took is how long the step takes on a machine where a token costs 2 ms and a step 10.
func (w *world) took(p *Plan) time.Duration {
	return 10*time.Millisecond + time.Duration(len(p.Tokens)-p.Drafted)*2*time.Millisecond + time.Duration(p.Drafted)*w.guess
}

// drain runs until nobody waits.
func (w *world) drain() error {
	for steps := 0; len(w.readers) > 0; steps++ {
		if steps > 100_000 {
			return errors.New("somebody starves")
		}
		if _, err := w.step(succeed); err != nil {
			return err
		}
	}
	_, err := w.step(succeed)
	return err
}

// prompts share heads, as people in one team do.
func drawPrompt(t *rapid.T) []int32 {
	head := rapid.SampledFrom([][]int32{{}, {1, 1, 1, 1}, {1, 1, 2, 2, 2, 2}, {2, 1, 2, 1, 2, 1, 2, 1, 2, 1}}).Draw(t, "head")
	tail := rapid.SliceOfN(rapid.Int32Range(0, vocabulary-1), 1, 12).Draw(t, "tail")
	return append(append([]int32{}, head...), tail...)
}

func TestAnyScheduleGivesThePlainAnswer(t *testing.T) {
	reused, failed, right, wrong, expired, preempted, forgotten, loads := 0, 0, 0, 0, 0, 0, 0, 0
	check := func(t *rapid.T) {
		cfg := Config{
			Cells:       rapid.IntRange(32, 96).Draw(t, "cells"),
			Rows:        rapid.IntRange(1, 6).Draw(t, "rows"),
			BatchTokens: rapid.IntRange(6, 16).Draw(t, "batch"),
			SliceTokens: rapid.IntRange(1, 8).Draw(t, "slice"),
			Queue:       8,
			Reuse:       rapid.IntRange(0, 9).Draw(t, "reuse") > 0,
			ShareTokens: rapid.IntRange(1, 6).Draw(t, "share"),
			DraftTokens: rapid.IntRange(0, 5).Draw(t, "draft"),
			DraftAlways: rapid.Bool().Draw(t, "draft always"),
			Window:      rapid.IntRange(0, 2).Draw(t, "window") == 0,
			ParkAlways:  rapid.Bool().Draw(t, "park always"),
		}
		w := newWorld(cfg)
		w.offers = rapid.Bool().Draw(t, "offers")
		w.m.whole = !cfg.Reuse
		if cfg.Window {
			w.m.window = 5
		}
		if rapid.Bool().Draw(t, "park") {
			w.s.Park(rapid.IntRange(1, 64).Draw(t, "lot"))
		}
		if rapid.Bool().Draw(t, "few ids") {
			w.s.ids.free = w.s.ids.free[len(w.s.ids.free)-cfg.Rows-3:]
		}
		ids := len(w.s.ids.free)
		step := func(how result) {
			if _, err := w.step(how); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"submit": func(t *rapid.T) {
				prompt := drawPrompt(t)
				w.deadline = time.Time{}
				if rapid.IntRange(0, 3).Draw(t, "hurry") == 0 {
					w.deadline = w.now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "deadline")) * time.Millisecond)
				}
				w.scope = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "scope")
				w.private = rapid.IntRange(0, 9).Draw(t, "private") == 0
				w.keep = rapid.IntRange(0, 8).Draw(t, "keep")
				_, err := w.submit(prompt, rapid.IntRange(1, 32-len(prompt)).Draw(t, "max"), Class(rapid.IntRange(0, 3).Draw(t, "class")))
				var full *FullError
				if err != nil && (!errors.As(err, &full) || w.deadline.IsZero() && w.s.Waiting() < cfg.Queue) {
					t.Fatal(err)
				}
			},
			"cancel": func(t *rapid.T) {
				if ids := slices.Sorted(maps.Keys(w.readers)); len(ids) > 0 {
					w.cancel(rapid.SampledFrom(ids).Draw(t, "who"))
				}
			},
			"step":  func(*rapid.T) { step(succeed) },
			"step2": func(*rapid.T) { step(succeed) },
			"step3": func(*rapid.T) { step(succeed) },
			"abort": func(*rapid.T) { failed++; step(abort) },
			"full":  func(*rapid.T) { failed++; step(noRoom) },
		})
		if err := w.drain(); err != nil {
			t.Fatal(err)
		}
		perNode := 1
		if cfg.Window {
			perNode = 2
		}
		if left := len(w.s.ids.free) + perNode*w.s.tree.Nodes(); left != ids || w.s.ids.reserved != cfg.Rows {
			t.Fatalf("%d of %d sequence ids left", left, ids)
		}
		if w.s.tree.Pinned() != 0 || len(w.s.byID) != 0 {
			t.Fatalf("%v, %d known requests after everybody left", w.s.tree, len(w.s.byID))
		}
		w.s.tree.Clear()
		step(succeed)
		if w.m.used() != 0 || len(w.m.parked) != 0 {
			t.Fatalf("%d cells leaked, and %d parked prefixes", w.m.used(), len(w.m.parked))
		}
		loads += w.m.loads
		reused += w.reused
		right += w.guessedRight
		wrong += w.guessed - w.guessedRight
		expired += w.expired
		preempted += w.preempted
		forgotten += w.m.forgotten
	}
	// What is rare may be missing in the schedules of one check: then there is another one.
	all := func() bool { return min(reused, failed, right, wrong, expired, preempted, forgotten, loads) > 0 }
	for range 20 {
		if rapid.Check(t, check); all() {
			break
		}
	}
	t.Logf("%d tokens reused, %d failed steps, %d right and %d wrong guesses, %d expired, %d pre-empted", reused, failed, right, wrong, expired, preempted)
	if !all() {
		t.Fatalf("%d cells forgotten, %d prefixes loaded: the test did not test", forgotten, loads)
	}
}

func config() Config {
	return Config{Cells: 256, Rows: 4, BatchTokens: 32, SliceTokens: 8, Queue: 4, Reuse: true}
}

// Where decoding alone takes longer than a step should, prompts get as much time as decoding takes, up to SliceTokens.
func TestPromptsAreNotStarvedByDecoding(t *testing.T) {
	for streams, want := range map[int]int{1: 6, 3: 8} { // (2 * 12 - 10) / 2 - 1 tokens, and (2 * 16 - 10) / 2 - 3, which SliceTokens is
		cfg := config()
		cfg.Cells, cfg.StepTime = 2048, 5*time.Millisecond
		w := newWorld(cfg)
		for range streams {
			w.ask(t, []int32{1, 2}, 400, Generation)
		}
		for range 2 * learned {
			if _, err := w.step(succeed); err != nil {
				t.Fatal(err)
			}
		}
		paste := w.ask(t, make([]int32, 300), 5, Chat)
		for range 20 {
			if _, err := w.step(succeed); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.s.plan.Tokens) - streams; n < want-1 || n > want {
			t.Errorf("%d streams: %d tokens of a prompt in a step, want %d", streams, n, want)
		}
		if len(w.readers[paste].got) > 0 {
			t.Error("the prompt was read too soon to say something")
		}
	}
}

// Steps get longer where more people wait for a first token than read what is written.
func TestSlicesFollowHowManyWait(t *testing.T) {
	for waiting, want := range map[int][2]int{1: {12, 21}, 3: {40, 58}} { // steps of 50 and of 125 ms, less what they may scatter
		cfg := config()
		cfg.Cells, cfg.BatchTokens, cfg.SliceTokens = 2048, 512, 4
		cfg.StepTime, cfg.IdleTime = 50*time.Millisecond, 300*time.Millisecond
		w := newWorld(cfg)
		w.ask(t, []int32{1, 2}, 400, Generation)
		for range 2 * learned {
			if _, err := w.step(succeed); err != nil {
				t.Fatal(err)
			}
		}
		for i := range waiting {
			w.ask(t, append([]int32{int32(i % vocabulary)}, make([]int32, 400)...), 5, Chat)
		}
		for range 3 {
			if _, err := w.step(succeed); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.s.plan.Tokens); n < want[0] || n > want[1] {
			t.Errorf("%d wait: %d tokens in a step, want %d to %d", waiting, n, want[0], want[1])
		}
	}
}

// While somebody decodes, a long prompt is computed in slices that keep to the step's time, and
// the stream gets a token with each of them. While nobody does, slices are longer.
func TestPromptIsSlicedByTime(t *testing.T) {
	cfg := config()
	cfg.Cells, cfg.BatchTokens, cfg.SliceTokens = 2048, 512, 4
	cfg.StepTime, cfg.IdleTime = 50*time.Millisecond, 300*time.Millisecond // 20 and 145 tokens
	w := newWorld(cfg)
	stream := w.ask(t, []int32{1, 2}, 1000, 1)
	for range 2 * learned {
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	paste := w.ask(t, make([]int32, 600), 5, 2)
	worst, slices := time.Duration(0), 0
	for len(w.readers[paste].got) == 0 {
		before := len(w.readers[stream].got)
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
		slices++
		if slices > 2 { // the first ones teach what a token costs
			worst = max(worst, w.took(&w.s.plan))
		}
		if len(w.readers[stream].got) == before {
			t.Fatal("a stream stood still for a step")
		}
	}
	if worst > cfg.StepTime*5/4 {
		t.Errorf("a step took %s while somebody decoded, %s allowed", worst, cfg.StepTime)
	}
	if slices > 45 { // 600 tokens, 19 at a time: 32
		t.Errorf("%d slices for 600 tokens: the budget is not used", slices)
	}
	w.cancel(stream)
	w.cancel(paste)
	w.ask(t, append([]int32{2}, make([]int32, 900)...), 5, 2)
	if _, err := w.step(succeed); err != nil {
		t.Fatal(err)
	}
	if n := len(w.s.plan.Tokens); n < 120 || n > 170 {
		t.Errorf("%d tokens in a step while nobody decodes, about 145 wanted", n)
	}
}

// A prefix that nobody comes back to goes when passing by it has cost what computing it would.
func TestIdlePrefixesAreGivenUp(t *testing.T) {
	var c cost
	for i := range 200 {
		l := load{tokens: 1 + i%40, cells: 100 * (i % 60)}
		l.attended = l.tokens * l.cells / (1 + i%3)
		c.observe(l, realCost(l))
	}
	if n := c.patience(1); n < 18_000 || n > 22_000 {
		t.Errorf("patience of %d tokens, want 20000", n)
	}
	w := newWorld(config())
	w.ask(t, make([]int32, 50), 1, 0)
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
	w.s.tree.Tick(1000)
	if _, err := w.step(succeed); err != nil || w.s.tree.Cells() == 0 {
		t.Fatalf("given up too soon, %v", err)
	}
	w.s.tree.Tick(1 << 20)
	if _, err := w.step(succeed); err != nil || w.s.tree.Cells() != 0 || w.m.used() != 0 {
		t.Errorf("%v, %d cells in use", w.s.tree, w.m.used())
	}
}

// Whatever a token costs, a step has SliceTokens of a prompt, or large models would starve them.
func TestPromptsGoOnWhateverTheyCost(t *testing.T) {
	cfg := config()
	cfg.StepTime = time.Millisecond
	w := newWorld(cfg)
	w.ask(t, []int32{1, 2}, 100, 1)
	for range 2 * learned {
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	w.ask(t, make([]int32, 40), 5, 2)
	if _, err := w.step(succeed); err != nil {
		t.Fatal(err)
	}
	if n := len(w.s.plan.Tokens); n != 1+cfg.SliceTokens {
		t.Errorf("%d tokens in the step, want %d", n, 1+cfg.SliceTokens)
	}
}

func TestALowerClassGoesFirst(t *testing.T) {
	cfg := config()
	cfg.Rows = 1
	w := newWorld(cfg)
	busy := w.ask(t, []int32{0}, 1, 0)
	chat := w.ask(t, []int32{0, 1}, 1, 2)
	typing := w.ask(t, []int32{0, 2}, 1, 0)
	var order []ID
	for range 8 {
		_, admission, _ := w.s.Step(w.now)
		for _, s := range admission.Started {
			order = append(order, s.ID)
		}
		sampled, err := w.m.run(&w.s.plan, false)
		if err != nil {
			t.Fatal(err)
		}
		w.s.Computed(sampled, w.took(&w.s.plan))
		for _, row := range w.s.plan.Rows {
			w.s.Finish(row.ID, w.now)
		}
	}
	if want := [3]ID{busy, typing, chat}; len(order) != 3 || [3]ID(order) != want {
		t.Fatalf("started %v, want %v", order, want)
	}
}

func TestASharedPromptIsComputedOnceAlsoWhileItsOwnerDecodes(t *testing.T) {
	w := newWorld(config())
	head := make([]int32, 100)
	owner := w.ask(t, append(head[:100:100], 1), 100, 1)
	for range 8 {
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.readers[owner].got); n == 0 || n == 100 {
		t.Fatalf("owner has %d tokens; it should be in the middle", n)
	}
	used := w.m.used()
	w.ask(t, append(head[:100:100], 2, 2), 10, 0)
	if _, err := w.step(succeed); err != nil {
		t.Fatal(err)
	}
	if w.reused != 100 {
		t.Fatalf("%d tokens reused, want 100", w.reused)
	}
	if grew := w.m.used() - used; grew != 3 { // the tail of the second and one token of the first
		t.Fatalf("%d new cells, want 3", grew)
	}
}

// A herd with one prompt computes it once, although nobody had it when they came.
func TestAHerdComputesItsHeadOnce(t *testing.T) {
	cfg := config()
	cfg.Rows, cfg.BatchTokens, cfg.Cells = 8, 32, 512
	w := newWorld(cfg)
	tails := 0
	for i := range 8 {
		prompt := make([]int32, 200, 208)
		for range i + 1 {
			prompt = append(prompt, 1, 2)
		}
		tails += 2 * (i + 1)
		w.ask(t, prompt, 1, 0)
	}
	computed := 0
	for len(w.readers) > 0 {
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
		computed += len(w.s.plan.Tokens)
	}
	if computed > 200+tails {
		t.Errorf("%d tokens computed for a common head of 200 and tails of %d", computed, tails)
	}
}

// When the one that computes a shared head hangs up, the next takes over from where it came to.
func TestTheLeaderOfAHerdMayLeave(t *testing.T) {
	w := newWorld(config())
	leader := w.ask(t, make([]int32, 100), 1, 0)
	w.ask(t, append(make([]int32, 100), 1), 1, 0)
	for range 2 {
		if _, err := w.step(succeed); err != nil {
			t.Fatal(err)
		}
	}
	w.cancel(leader)
	if _, err := w.step(succeed); err != nil {
		t.Fatal(err)
	}
	if got := w.s.plan.Pos[0]; got != 64 {
		t.Errorf("goes on at %d, want 64: two slices of 32 were computed", got)
	}
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
}

func TestAFullQueueIsRefusedAtOnce(t *testing.T) {
	w := newWorld(config())
	for range 4 + 4 { // a row or a place in the queue for each
		w.ask(t, []int32{1}, 1, 0)
	}
	_, err := w.submit([]int32{1}, 1, 0)
	var full *FullError
	if !errors.As(err, &full) {
		t.Fatalf("error %v, want FullError", err)
	}
}

func TestAdmissionCountsTheWorstCase(t *testing.T) {
	w := newWorld(config()) // 256 cells
	w.ask(t, make([]int32, 100), 100, 0)
	w.ask(t, []int32{1, 2, 3}, 60, 0) // 263 in the worst case
	if _, err := w.step(succeed); err != nil {
		t.Fatal(err)
	}
	if w.s.Running() != 1 || w.s.Waiting() != 1 {
		t.Fatalf("%d running, %d waiting: the second does not fit yet", w.s.Running(), w.s.Waiting())
	}
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no cells":        func(c *Config) { c.Cells = 0 },
		"too many rows":   func(c *Config) { c.Rows = 129; c.BatchTokens = 512 },
		"batch too small": func(c *Config) { c.BatchTokens = 3 },
	} {
		cfg := config()
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Equal prompts of two scopes are computed twice, and of one scope once; a private one is not kept.
func TestScopes(t *testing.T) {
	prompt := make([]int32, 40)
	for name, tt := range map[string]struct {
		first, second func(*world)
		left          int
	}{
		"one scope":  {func(w *world) { w.scope = "a" }, func(w *world) { w.scope = "a" }, 40},
		"two scopes": {func(w *world) { w.scope = "a" }, func(w *world) { w.scope = "b" }, 80},
		"private":    {func(w *world) { w.private = true }, func(w *world) { w.private = true }, 0},
	} {
		w := newWorld(config())
		tt.first(w)
		w.ask(t, prompt, 1, 0)
		tt.second(w)
		w.ask(t, prompt, 1, 0) // the herd's rule holds within a scope, too
		if err := w.drain(); err != nil {
			t.Fatal(err)
		}
		if w.m.used() != tt.left {
			t.Errorf("%s: %d cells in use, want %d", name, w.m.used(), tt.left)
		}
		w.ask(t, prompt, 1, 0)
		before := w.reused
		if err := w.drain(); err != nil {
			t.Fatal(err)
		}
		want := 39
		if w.private {
			want = 0
		}
		if got := w.reused - before; got != want {
			t.Errorf("%s: %d tokens reused by the next one, want %d", name, got, want)
		}
	}
}

// What is asked to be kept outlives what was used later; but only a quarter of the cells is kept.
func TestKeptHeads(t *testing.T) {
	w := newWorld(config()) // 256 cells
	w.keep = 30
	w.ask(t, append(make([]int32, 30), 1), 1, 0)
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
	w.keep = 100
	w.ask(t, slices.Repeat([]int32{2}, 101), 1, 0)
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
	w.keep = 0
	if _, kept, _ := w.s.Prefixes(); kept != 30 {
		t.Errorf("%d tokens are kept, want 30", kept)
	}
	w.s.tree.Tick(1 << 20)
	w.ask(t, []int32{1, 1, 1}, 1, 0)
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
	if n := w.s.tree.Match("", make([]int32, 30)); n != 30 {
		t.Errorf("%d tokens of the head are left", n)
	}
}
