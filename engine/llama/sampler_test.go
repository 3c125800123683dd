package llama

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// sizedVocab is a vocabulary of which only the size matters.
func sizedVocab(n int) *Vocab { return &Vocab{attrs: make([]TokenAttr, n)} }

func sizedSampler(t testing.TB, n int, o SamplerOptions) *Sampler {
	t.Helper()
	s, err := NewSampler(sizedVocab(n), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func draw(t testing.TB, s *Sampler, logits []float32) Token {
	t.Helper()
	token, row, err := s.Draw(logits)
	if err != nil || row != RowDrawn {
		t.Fatalf("drew %d, row %v, %v", token, row, err)
	}
	return token
}

func randomLogits(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * 4)
	}
	return x
}

var inf = float32(math.Inf(1))

func TestGreedyTakesTheLowestOfEquals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	// Lengths around the block of 1024 and the 16 lanes of the vectorised search.
	for _, n := range []int{1, 2, 15, 16, 17, 1023, 1024, 1025, 2047, 5000, 49152} {
		s := sizedSampler(t, n, SamplerOptions{})
		for range 20 {
			logits := randomLogits(r, n)
			for range 3 { // equal maxima at random places
				logits[r.IntN(n)] = 50
			}
			if got, want := draw(t, s, logits), argmax(logits); got != want {
				t.Fatalf("%d logits: drew %d (%g), want %d (%g)", n, got, logits[got], want, logits[want])
			}
		}
	}
	for name, test := range map[string]struct {
		logits []float32
		want   Token
	}{
		"negative":        {[]float32{-3, -1, -2}, 1},
		"both zeros":      {[]float32{-1, float32(math.Copysign(0, -1)), 0}, 1},
		"among -Inf":      {[]float32{-inf, -inf, -5, -inf}, 2},
		"smallest number": {[]float32{-inf, -math.MaxFloat32}, 1},
	} {
		if got := draw(t, sizedSampler(t, len(test.logits), SamplerOptions{}), test.logits); got != test.want {
			t.Errorf("%s: drew %d, want %d", name, got, test.want)
		}
	}
}

func TestUnusableRows(t *testing.T) {
	nan := float32(math.NaN())
	for _, o := range []SamplerOptions{{}, {Temperature: 1}, {Temperature: 1, TopK: 5}, {Temperature: 1, TopP: 0.5, MinP: 0.1}, {RepeatPenalty: 2}} {
		for _, n := range []int{7, 64, 3000} {
			for _, at := range []int{0, n / 2, n - 1} {
				for name, v := range map[string]float32{"NaN": nan, "+Inf": inf} {
					logits := make([]float32, n)
					logits[at] = v
					s := sizedSampler(t, n, o)
					if _, row, err := s.Draw(logits); row != RowBad || err != nil {
						t.Errorf("%+v: %s at %d of %d: row %v, %v", o, name, at, n, row, err)
					}
				}
			}
			all := slices.Repeat([]float32{-inf}, n)
			if _, row, err := sizedSampler(t, n, o).Draw(all); row != RowBad || err != nil {
				t.Errorf("%+v: nothing but -Inf: row %v, %v", o, row, err)
			}
		}
	}
}

// keep is the reference for the filters: the tokens that may be drawn, most probable first, with
// their probabilities.
func keep(logits []float32, o SamplerOptions) (ids []Token, probs []float64) {
	for i := range logits {
		ids = append(ids, Token(i))
	}
	slices.SortStableFunc(ids, func(a, b Token) int { return cmp.Compare(logits[b], logits[a]) })
	if o.TopK > 0 && o.TopK < len(ids) {
		ids = ids[:o.TopK]
	}
	softmax := func(temperature float64) []float64 {
		p := make([]float64, len(ids))
		sum := 0.0
		for i, id := range ids {
			p[i] = math.Exp(float64(logits[id]-logits[ids[0]]) / temperature)
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
		return p
	}
	if o.TopP > 0 && o.TopP < 1 {
		sum := 0.0
		for i, p := range softmax(1) {
			if sum += p; sum >= float64(o.TopP) {
				ids = ids[:i+1]
				break
			}
		}
	}
	for i, id := range ids {
		if math.Exp(float64(logits[id]-logits[ids[0]])) < float64(o.MinP) {
			ids = ids[:i]
			break
		}
	}
	return ids, softmax(float64(o.Temperature))
}

// Draws follow the distribution that the filters leave (chi-squared test, about 1 in 10,000 by
// chance; seeds are fixed, so it passes always or never).
func TestDrawsFollowTheDistribution(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const draws = 20000
	for _, o := range []SamplerOptions{
		{Temperature: 1},
		{Temperature: 0.5},
		{Temperature: 2, TopK: 10},
		{Temperature: 1, TopK: 1},
		{Temperature: 1, TopK: 1 << 40},
		{Temperature: 1, TopP: 0.7},
		{Temperature: 1.5, MinP: 0.2},
		{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05},
	} {
		logits := make([]float32, 60)
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * 1.5)
		}
		ids, probs := keep(logits, o)
		o.Seed = 7
		s := sizedSampler(t, len(logits), o)
		count := map[Token]int{}
		for range draws {
			count[draw(t, s, logits)]++
		}
		// Tokens that are too rare for the test are taken together.
		var chi, rareWant float64
		var rareGot, cells, total int
		for i, id := range ids {
			got, want := count[id], probs[i]*draws
			total += got
			if want < 10 {
				rareGot, rareWant = rareGot+got, rareWant+want
				continue
			}
			chi += (float64(got) - want) * (float64(got) - want) / want
			cells++
		}
		if rareWant >= 10 {
			chi += (float64(rareGot) - rareWant) * (float64(rareGot) - rareWant) / rareWant
			cells++
		}
		if total != draws {
			t.Errorf("%+v: %d draws were of tokens that the filters drop", o, draws-total)
		}
		// Mean plus 4 standard deviations of chi-squared with cells-1 degrees of freedom, and a bit
		// for small numbers of degrees, where it is skewed.
		df := float64(cells - 1)
		if limit := df + 4*math.Sqrt(2*df) + 8; chi > limit {
			t.Errorf("%+v: chi-squared %g over %d tokens, at most %g", o, chi, cells, limit)
		}
	}
}

// Top-k keeps exactly the k best also where rows are long and values repeat.
func TestTopKOfLongRows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{33, 1000, 49152} {
		for _, k := range []int{1, 2, 31, 32, 200} {
			logits := randomLogits(r, n)
			for i := range logits { // many equal values
				logits[i] = float32(math.Round(float64(logits[i])))
			}
			// So hot that all kept tokens are equally probable.
			o := SamplerOptions{Temperature: 1e6, TopK: k, Seed: 1}
			ids, _ := keep(logits, o)
			s := sizedSampler(t, n, o)
			seen := map[Token]bool{}
			for range 20 * min(k, n) {
				token := draw(t, s, logits)
				if !slices.Contains(ids, token) {
					t.Fatalf("top %d of %d drew %d (%g), the last kept is %d (%g)", k, n, token, logits[token], ids[len(ids)-1], logits[ids[len(ids)-1]])
				}
				seen[token] = true
			}
			if len(seen) != len(ids) {
				t.Errorf("top %d of %d: only %d different tokens in %d draws", k, n, len(seen), 20*k)
			}
		}
	}
}

// Top-p keeps the right tokens where a few of the best are enough, and where the filter has to fall
// back to sorting the vocabulary.
func TestTopPOfLongRows(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, test := range []struct {
		spread   float64 // of the logits: the larger, the fewer tokens matter
		topP     float32
		low, top int // how many tokens are kept, to know which way is tested
	}{{8, 0.5, 1, 20}, {2.5, 0.5, 20, 255}, {0.5, 0.2, 257, 600}} {
		logits := make([]float32, 4000)
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * test.spread)
		}
		o := SamplerOptions{Temperature: 1e6, TopP: test.topP, Seed: 1} // so hot that all kept are equally probable
		ids, _ := keep(logits, o)
		if len(ids) < test.low || len(ids) > test.top {
			t.Fatalf("%+v keeps %d tokens", test, len(ids))
		}
		s := sizedSampler(t, len(logits), o)
		kept := map[Token]bool{}
		for _, id := range ids {
			kept[id] = true
		}
		seen := map[Token]bool{}
		for range 20 * len(ids) {
			token := draw(t, s, logits)
			if !kept[token] {
				t.Fatalf("%+v: drew %d, which is not among the %d kept", test, token, len(ids))
			}
			seen[token] = true
		}
		if len(seen) != len(ids) {
			t.Errorf("%+v: %d of %d kept tokens were drawn", test, len(seen), len(ids))
		}
	}
}

func TestSeeds(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	logits := make([]float32, 500)
	for i := range logits {
		logits[i] = float32(r.NormFloat64())
	}
	sequence := func(seed uint32) (out []Token) {
		s := sizedSampler(t, len(logits), SamplerOptions{Temperature: 1, Seed: seed})
		for range 50 {
			out = append(out, draw(t, s, logits))
		}
		return out
	}
	// 0xFFFFFFFF would be a random seed in llama.cpp; here a seed is a seed.
	for _, seed := range []uint32{0, 1, 42, randomSeed} {
		if a, b := sequence(seed), sequence(seed); !slices.Equal(a, b) {
			t.Errorf("seed %d draws %v, then %v", seed, a, b)
		}
	}
	if slices.Equal(sequence(1), sequence(2)) {
		t.Error("two seeds draw the same 50 tokens")
	}
}

func TestRepeatPenalty(t *testing.T) {
	// Three tokens in turn: each draw makes its token less likely for the next two draws.
	logits := []float32{4, 3.9, 3.8, -1}
	s := sizedSampler(t, 4, SamplerOptions{RepeatPenalty: 1.5, RepeatLastN: 2})
	var got []Token
	for range 7 {
		got = append(got, draw(t, s, logits))
	}
	if want := []Token{0, 1, 2, 0, 1, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("drew %v, want %v", got, want)
	}
	// A negative logit is multiplied.
	s = sizedSampler(t, 2, SamplerOptions{RepeatPenalty: 2})
	if err := s.Prime([]Token{0}); err != nil {
		t.Fatal(err)
	}
	if got := draw(t, s, []float32{-1, -1.5}); got != 1 {
		t.Errorf("a penalised -1 beats -1.5: drew %d", got)
	}
	// Prime forgets what is farther back than RepeatLastN, and counts repetitions once.
	s = sizedSampler(t, 3, SamplerOptions{RepeatPenalty: 1.5, RepeatLastN: 3})
	if err := s.Prime([]Token{0, 1, 1, 1}); err != nil {
		t.Fatal(err)
	}
	if got := draw(t, s, []float32{3, 4, 1}); got != 0 {
		t.Errorf("4/1.5 is below 3: drew %d", got)
	}
	// The row itself is not changed, also where a penalty and filters work together.
	r := rand.New(rand.NewPCG(9, 10))
	row := randomLogits(r, 2000)
	before := slices.Clone(row)
	s = sizedSampler(t, len(row), SamplerOptions{Temperature: 1, TopP: 0.9, RepeatPenalty: 1.3})
	for range 100 {
		draw(t, s, row)
	}
	if !slices.Equal(row, before) {
		t.Error("drawing changed the logits")
	}
}

// A step's sampler works on the context's own row, and must leave it as it was for Logits.
func TestPenaltyLeavesTheRowOfAContext(t *testing.T) {
	prompt := tokenize(t, story)
	c := newContext(t, ContextOptions{})
	var s Step
	last := s.add(0, 0, prompt...)
	mustStep(t, c, &s)
	want, err := c.Logits(int(last))
	if err != nil {
		t.Fatal(err)
	}
	sampler := newSampler(t, SamplerOptions{Temperature: 1, TopK: 20, RepeatPenalty: 1.5, Seed: 3})
	if err := sampler.Prime(prompt); err != nil {
		t.Fatal(err)
	}
	s.Ops = append(s.Ops, SeqOp{Kind: OpRemove, From: 0, To: -1})
	s.Rows = append(s.Rows, Row{Batch: last, Sampler: sampler})
	mustStep(t, c, &s)
	got, err := c.Logits(int(last))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("the penalty is still in the row")
	}
}

func TestSamplerRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, o := range []SamplerOptions{
		{Temperature: -1}, {Temperature: nan}, {Temperature: inf},
		{TopK: -1}, {TopP: -0.1}, {TopP: 1.1}, {TopP: nan}, {MinP: -0.1}, {MinP: 1.1},
		{RepeatPenalty: -1}, {RepeatPenalty: inf}, {RepeatLastN: -1}, {RepeatLastN: maxRepeatLastN + 1},
	} {
		s, err := NewSampler(sizedVocab(10), o)
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, ErrSamplerOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := NewSampler(sizedVocab(0), SamplerOptions{}); !errors.Is(err, ErrNoVocab) {
		t.Errorf("empty vocabulary: %v", err)
	}
	s := sizedSampler(t, 10, SamplerOptions{RepeatPenalty: 2})
	for _, token := range []Token{-1, 10} {
		if err := s.Prime([]Token{token}); !errors.Is(err, ErrTokenRange) {
			t.Errorf("prime with %d: %v", token, err)
		}
	}
	if _, _, err := s.Draw(make([]float32, 9)); !errors.Is(err, ErrSampler) {
		t.Errorf("row of 9: %v", err)
	}
}

func BenchmarkDraw(b *testing.B) {
	logits := randomLogits(rand.New(rand.NewPCG(1, 1)), 49152)
	logits[1000], logits[2000] = 22, 21 // a model knows what comes next, more or less
	for _, bench := range []struct {
		name string
		o    SamplerOptions
	}{
		{"greedy", SamplerOptions{}},
		{"greedy with penalty", SamplerOptions{RepeatPenalty: 1.1}},
		{"top-k", SamplerOptions{Temperature: 0.8, TopK: 40, TopP: 0.95}},
		{"top-p", SamplerOptions{Temperature: 0.8, TopP: 0.95}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := sizedSampler(b, len(logits), bench.o)
			for b.Loop() {
				if _, _, err := s.Draw(logits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
