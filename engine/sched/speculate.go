package sched

import (
	"math"
	"slices"
	"time"
)

// speculation decides how many guessed tokens a step decodes beside those that are known. A guess
// that comes true is a token won without a step of its own; one that does not has cost its share
// of the step. Both are measured while running:
//
//   - how often a guess comes true, by the length of the match that it rests on and by what this
//     request's earlier guesses were worth;
//   - what a step takes with and without guesses, by the number of them: on a GPU some are nearly
//     free, on a CPU none is, and how much they cost jumps with the kernels' tiles.
//
// The number of guesses is the one with the most expected tokens a second; none if that is not
// better than plain decoding. So a busy server, whose steps are long without guesses, stops
// guessing by itself.
type speculation struct {
	rates [modelMatch + 1]float64 // share of guesses that come true, by length of the match
	plain plainTime
	extra []float64 // seconds that n guesses add, smoothed; 0: not seen yet
	slope float64   // seconds that a guess adds, over all numbers of them
	// asking is how many seconds a draft model takes for a guess, smoothed (offer.go).
	asking float64
	since  int // steps since one without guesses was measured
	quiet  int // steps since one with guesses was

	guesses []guess // of the coming step
	order   []int   // index of the guess that the n-th token belongs to
	tokens  []int32 // of all drafts
}

const (
	// remeasure is after how many steps with guesses one goes without, to know what they save.
	remeasure = 48
	// retry is after how many steps without guesses they are tried, though they did not pay.
	retry = 192
	// retryTokens are guessed then.
	retryTokens = 4
	// worthwhile is the least gain that guesses are made for.
	worthwhile = 1.03
	// priorTrials is how many guesses of a request weigh as much as the rate of all requests.
	priorTrials = 4
)

// plainTime is what a step without guesses takes, and for whom that holds.
type plainTime struct {
	rows, cells int
	steps       int // that were measured
	seconds     float64
}

// holds: a step of these rows and cells takes about as long.
func (t *plainTime) holds(rows, cells int) bool {
	return t.steps > 1 && t.rows == rows && max(cells-t.cells, t.cells-cells) <= max(256, t.cells/8)
}

func (t *plainTime) observe(rows, cells int, seconds float64) {
	switch {
	case t.steps == 0 || t.rows != rows:
		*t = plainTime{rows: rows, seconds: seconds}
	case t.steps == 1: // the first step of a kind takes longer
		t.seconds = min(t.seconds, seconds)
	default:
		t.seconds += (min(seconds, 2*t.seconds) - t.seconds) / 4
	}
	t.steps++
	t.cells = cells
}

// guess is what one request's draft promises.
type guess struct {
	r     *run
	rate  float64 // probability of a token, if those before it came true
	chain float64 // probability that all that are taken come true
	taken int     // tokens of the draft
}

func newSpeculation(most int) speculation {
	s := speculation{extra: make([]float64, most+1)}
	for m := range s.rates {
		s.rates[m] = 1 - math.Pow(0.8, float64(m)) // until it is known: 0.36 for 2 tokens, 0.83 for 8
	}
	s.rates[modelMatch] = modelRate
	return s
}

// mayGuess is how many rows the coming step has, and how many guesses at most.
func (s *Scheduler) mayGuess() (rows, most int) {
	sp := &s.spec
	waits := false
	for _, r := range s.runs {
		rows++
		waits = waits || !r.decoding() // a prompt, for this step to end
	}
	most = min(s.cfg.DraftTokens, s.cfg.BatchTokens-rows)
	if most < 1 || rows == 0 || waits || !s.cfg.Reuse {
		return rows, 0
	}
	if !s.cfg.DraftAlways && (!s.cost.believed() || !sp.plain.holds(rows, s.used()) || sp.since >= remeasure) {
		return rows, 0 // this step measures
	}
	if sp.slope == 0 {
		attended := 0
		for _, r := range s.runs {
			attended += len(r.tokens)
		}
		without, with := load{rows, attended, s.used()}, load{rows + most, attended + attended/rows*most, s.used()}
		sp.slope = (s.cost.predict(with) - s.cost.predict(without)).Seconds() / float64(most)
	}
	return rows, most
}

// speculate chooses the guesses of the coming step: draft and match of those that decode.
func (s *Scheduler) speculate() {
	sp := &s.spec
	for _, r := range s.runs {
		r.draft, r.match = nil, 0
	}
	rows, most := s.mayGuess()
	if most < 1 {
		return
	}
	sp.guesses, sp.tokens = sp.guesses[:0], slices.Grow(sp.tokens[:0], most*rows)
	for _, r := range s.runs {
		n := min(most, r.prompt+r.MaxTokens-len(r.tokens)-1)
		if n < 1 {
			continue
		}
		from := len(sp.tokens)
		sp.tokens, r.match = draft(sp.tokens, r.tokens, n)
		r.draft = sp.tokens[from:]
		if offer := r.offered(); len(offer) > 0 && (len(r.draft) == 0 || sp.rates[modelMatch] > sp.rates[r.match]) {
			r.draft, r.match = offer[:min(n, len(offer))], modelMatch
		}
		if len(r.draft) > 0 {
			rate := (sp.rates[r.match]*priorTrials + r.hits) / (priorTrials + r.trials)
			sp.guesses = append(sp.guesses, guess{r: r, rate: rate, chain: 1})
		}
	}
	n := sp.choose(rows, most)
	if s.cfg.DraftAlways {
		n = len(sp.order)
	}
	for _, i := range sp.order[n:] {
		sp.guesses[i].taken--
	}
	for _, g := range sp.guesses {
		g.r.draft = g.r.draft[:g.taken]
	}
}

// choose orders the tokens by their chance to come true and returns how many of them to take: as
// many as have the most expected tokens a second.
func (sp *speculation) choose(rows, most int) (best int) {
	expected := float64(rows)
	speed := worthwhile * expected / sp.plain.seconds
	sp.order = sp.order[:0]
	for n := 1; n <= most; n++ {
		next, gain := -1, 0.0
		for i, g := range sp.guesses {
			if p := g.chain * g.rate; g.taken < len(g.r.draft) && p > gain {
				next, gain = i, p
			}
		}
		if next < 0 {
			break
		}
		g := &sp.guesses[next]
		g.chain = gain
		g.taken++
		sp.order = append(sp.order, next)
		expected += gain
		if v := expected / (sp.plain.seconds + sp.adds(n)); v > speed {
			best, speed = n, v
		}
	}
	if best == 0 && sp.quiet >= retry {
		best = min(retryTokens, len(sp.order))
	}
	return best
}

// adds is how many seconds n guesses add to a step.
func (sp *speculation) adds(n int) float64 {
	if sp.extra[n] > 0 {
		return sp.extra[n]
	}
	return sp.slope * float64(n)
}

// observe learns what a step took that decoded rows and guesses, and nothing else.
func (sp *speculation) observe(rows, guesses, cells int, took time.Duration) {
	if guesses == 0 {
		sp.plain.observe(rows, cells, took.Seconds())
		sp.since = 0
		sp.quiet++
		return
	}
	sp.since++
	sp.quiet = 0
	n := float64(guesses)
	// A step that was held up from outside says little: count it as twice what was expected.
	added := min(max(took.Seconds()-sp.plain.seconds, 1e-6), 2*sp.adds(guesses)+1e-3)
	if sp.extra[guesses] == 0 {
		sp.extra[guesses] = added
	}
	sp.extra[guesses] += (added - sp.extra[guesses]) / 8
	sp.slope += (added/n - sp.slope) / 8
}

// learn takes note that the first right guesses of a run's draft came true, and no more.
func (sp *speculation) learn(r *run, right int) {
	r.hits, r.trials = 0.9*r.hits+float64(right), 0.9*r.trials+float64(right)
	rate := &sp.rates[r.match]
	for range right {
		*rate += (1 - *rate) / 32
	}
	if right < len(r.draft) {
		r.trials++
		*rate -= *rate / 32
	}
}
