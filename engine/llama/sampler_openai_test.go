package llama

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Penalties of frequency and presence and biases give the tokens that OpenAI's rule gives: a token's logit
// less how often it was drawn times the one, less the other if it was, and its bias.
func TestPenaltiesAndBias(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		const n = 40
		o := SamplerOptions{FrequencyPenalty: float32(r.NormFloat64()), PresencePenalty: float32(r.NormFloat64()),
			Bias: []Bias{{Token(r.IntN(n)), float32(r.NormFloat64() * 5)}, {3, 2}, {3, -1}}}
		s := sizedSampler(t, n, o)
		drawn := map[Token]int{}
		for range 60 {
			logits := randomLogits(r, n)
			want := slices.Clone(logits)
			for _, b := range o.Bias {
				want[b.Token] += b.Add
			}
			for token, count := range drawn {
				want[token] -= float32(count)*o.FrequencyPenalty + o.PresencePenalty
			}
			got := draw(t, s, logits)
			if got != argmax(want) {
				t.Fatalf("drew %d (%g), want %d (%g); %+v %v", got, want[got], argmax(want), want[argmax(want)], o, drawn)
			}
			drawn[got]++
		}
	}
}

// What counts is bounded.
func TestCountedDraws(t *testing.T) {
	s := sizedSampler(t, 3, SamplerOptions{PresencePenalty: 1, Counted: 2})
	var got []Token
	for range 6 {
		got = append(got, draw(t, s, []float32{0.2, 0.1, 0}))
	}
	if !slices.Equal(got, []Token{0, 1, 2, 0, 1, 2}) {
		t.Error(got)
	}
}

// Log probabilities are those of the model's distribution, whatever else the sampler does.
func TestLogprobs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, o := range []SamplerOptions{
		{Logprobs: 1}, {Logprobs: 6}, {Logprobs: MaxLogprobs, Temperature: 1.5, TopK: 20, Seed: 7},
		{Logprobs: 3, RepeatPenalty: 1.3, FrequencyPenalty: 1, Bias: []Bias{{2, 9}}, Temperature: 1, TopP: 0.9},
	} {
		const n = 3000
		s := sizedSampler(t, n, o)
		if _, ok := s.TakeLogprobs(); ok {
			t.Error("told of a draw before there was one")
		}
		for range 3 {
			logits := randomLogits(r, n)
			sum := 0.0
			order := make([]Token, n)
			for i, x := range logits {
				sum += math.Exp(float64(x))
				order[i] = Token(i)
			}
			slices.SortFunc(order, func(a, b Token) int {
				if logits[a] > logits[b] {
					return -1
				}
				return 1
			})
			want := func(token Token) float64 { return float64(logits[token]) - math.Log(sum) }
			token := draw(t, s, logits)
			l, ok := s.TakeLogprobs()
			if !ok || l.Token != token || math.Abs(float64(l.Logprob)-want(token)) > 1e-4 || len(l.Best) != o.Logprobs-1 {
				t.Fatalf("%+v: %+v, want %d with %g", o, l, token, want(token))
			}
			for i, b := range l.Best {
				if b.Token != order[i] || math.Abs(float64(b.Logprob)-want(order[i])) > 1e-4 {
					t.Errorf("%+v: number %d is %+v, want %d with %g", o, i, b, order[i], want(order[i]))
				}
			}
		}
	}
	s := sizedSampler(t, 5, SamplerOptions{})
	draw(t, s, []float32{1, 2, 3, 4, 5})
	if _, ok := s.TakeLogprobs(); ok {
		t.Error("told of a draw that nobody asked about")
	}
}

func TestSamplerRefusesOpenAIs(t *testing.T) {
	for _, o := range []SamplerOptions{
		{FrequencyPenalty: inf}, {PresencePenalty: -1e6}, {Bias: []Bias{{1, inf}}}, {Bias: []Bias{{9, 1}}}, {Bias: []Bias{{-1, 1}}}, {Bias: make([]Bias, MaxBias+1)},
		{Logprobs: -1}, {Logprobs: MaxLogprobs + 1}, {Counted: -1},
	} {
		if s, err := NewSampler(&Vocab{attrs: make([]TokenAttr, 5)}, o); err == nil {
			s.Close()
			t.Errorf("%+v was taken", o)
		}
	}
}
