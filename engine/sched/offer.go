package sched

import "time"

// A draft model guesses better than what the text repeats, and it costs time of its own. The scheduler says for whom, and
// how many tokens, that would pay in the coming step (Wishes); somebody computes them and offers what he found (Offer), with
// the time it took (Guessed). An offer is good for the very text that it was made for.

// modelMatch is the length of match that stands for guesses of a draft model.
const modelMatch = longestMatch + 1

// modelRate is how often such a guess is taken to come true until it is known.
const modelRate = 0.7

// Wish asks for guesses at the N tokens that follow Tokens, which the caller must not change and must not keep.
type Wish struct {
	ID     ID
	Tokens []int32
	N      int
}

// Wishes appends what would pay in the coming step to dst. Nothing is wished while a prompt is there to be read, where the
// text repeats itself so that guesses are free, and while decoding without guesses is to be measured.
func (s *Scheduler) Wishes(dst []Wish) []Wish {
	rows, most := s.mayGuess()
	if most < 1 || len(s.waiting) > 0 {
		return dst
	}
	each := most / rows
	if !s.cfg.DraftAlways {
		each = s.spec.worthAsking(rows, each)
	}
	for _, r := range s.runs {
		n := min(each, r.prompt+r.MaxTokens-len(r.tokens)-1)
		if n < 1 {
			continue
		}
		if _, match := draft(nil, r.tokens, 1); match >= shortestMatch && s.spec.rates[match] >= s.spec.rates[modelMatch] {
			continue
		}
		dst = append(dst, Wish{r.ID, r.tokens, n})
	}
	return dst
}

// worthAsking is how many tokens of a draft model for each row have the most expected tokens a second; 0: none are better
// than plain decoding.
func (sp *speculation) worthAsking(rows, most int) (best int) {
	rate, chain, expected := sp.rates[modelMatch], 1.0, float64(rows)
	speed := worthwhile * expected / sp.plain.seconds
	for n := 1; n <= most; n++ {
		chain *= rate
		expected += float64(rows) * chain
		guesses := float64(rows * n)
		if v := expected / (sp.plain.seconds + sp.adds(rows*n) + sp.asking*guesses); v > speed {
			best, speed = n, v
		}
	}
	if best == 0 && sp.quiet >= retry {
		best = min(retryTokens, most)
	}
	return best
}

// Offer gives guesses at what follows a request's first n tokens. They are kept until the next step.
func (s *Scheduler) Offer(id ID, n int, guess []int32) {
	if r := s.byID[id]; r != nil {
		r.offer, r.offeredAt = guess, n
	}
}

// Guessed says that so many guesses took a draft model that long.
func (s *Scheduler) Guessed(tokens int, took time.Duration) {
	if tokens < 1 {
		return
	}
	each := took.Seconds() / float64(tokens)
	if s.spec.asking == 0 {
		s.spec.asking = each
	}
	s.spec.asking += (each - s.spec.asking) / 8
}

// offered is what a draft model has guessed for the text as it is.
func (r *run) offered() []int32 {
	if r.offeredAt != len(r.tokens) {
		return nil
	}
	return r.offer
}
