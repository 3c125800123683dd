package engine

import (
	"math"

	"aigw/engine/llama"
)

// drawn are the tokens of an answer whose text is not out yet.
type drawn struct {
	waiting []Drawn
	begins  int // bytes of all tokens before them
}

// leastLogprob stands for tokens that cannot be drawn: OpenAI's number for these, as JSON has no infinity.
const leastLogprob = -9999

// add adds the token that a sampler has drawn.
func (d *drawn) add(s *llama.Sampler, v *Vocabulary) {
	l, ok := s.TakeLogprobs()
	if !ok {
		return
	}
	ranked := func(t llama.Token, logprob float32) Ranked {
		if !(float64(logprob) > leastLogprob && !math.IsInf(float64(logprob), 0)) { // nor NaN
			logprob = leastLogprob
		}
		return Ranked{ID: t, Bytes: v.Piece(t), Logprob: logprob}
	}
	token := Drawn{Ranked: ranked(l.Token, l.Logprob)}
	for _, b := range l.Best {
		token.Best = append(token.Best, ranked(b.Token, b.Logprob))
	}
	d.waiting = append(d.waiting, token)
}

// take returns the tokens whose bytes are among the first shown of the answer. At the end those
// belong to it that begin there, too.
func (d *drawn) take(shown int, last bool) (out []Drawn) {
	for len(d.waiting) > 0 {
		ends := d.begins + len(d.waiting[0].Bytes)
		if ends > shown && !(last && d.begins < shown) {
			return out
		}
		out = append(out, d.waiting[0])
		d.begins, d.waiting = ends, d.waiting[1:]
	}
	return out
}
