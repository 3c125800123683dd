package llama

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"aigw/internal/testmodel"
)

func TestNewContextRefuses(t *testing.T) {
	m := testModel(t)
	for _, test := range []struct {
		name string
		o    ContextOptions
		want error
	}{
		{"negative context", ContextOptions{Context: -1}, ErrContextSize},
		{"huge context", ContextOptions{Context: maxContext + 1}, ErrContextSize},
		{"negative batch", ContextOptions{Batch: -1}, ErrBatchSize},
		{"negative micro-batch", ContextOptions{MicroBatch: -1}, ErrBatchSize},
		{"micro-batch above batch", ContextOptions{Batch: 32, MicroBatch: 64}, ErrBatchSize},
		{"negative sequences", ContextOptions{MaxSeqs: -1}, ErrMaxSeqs},
		{"too many sequences", ContextOptions{MaxSeqs: MaxSeq + 1}, ErrMaxSeqs},
		{"more sequences than cells", ContextOptions{Context: 8, MaxSeqs: 9}, ErrMaxSeqs},
		// The constructor of llama.cpp's context aborts on this one.
		{"fewer outputs than sequences", ContextOptions{MaxSeqs: 8, MaxOutputs: 7}, ErrMaxOutputs},
		{"more outputs than a batch", ContextOptions{Batch: 32, MaxOutputs: 33}, ErrMaxOutputs},
		{"embeddings of a part of the batch", ContextOptions{Batch: 32, MaxOutputs: 8, Embeddings: true}, ErrMaxOutputs},
		{"negative threads", ContextOptions{Threads: -1}, ErrThreads},
		{"too many threads", ContextOptions{Threads: maxThreads + 1}, ErrThreads},
		{"negative polling", ContextOptions{Poll: -1}, ErrPoll},
		{"too much polling", ContextOptions{Poll: 101}, ErrPoll},
		{"unknown K type", ContextOptions{TypeK: 99}, ErrCacheType},
		{"unknown V type", ContextOptions{TypeV: -1}, ErrCacheType},
		{"quantised V without flash attention", ContextOptions{TypeV: CacheQ8_0, FlashAttention: FlashOff}, ErrQuantizedV},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.o.Context == 0 {
				test.o.Context = 256
			}
			c, err := m.NewContext(test.o)
			if err == nil {
				c.Close()
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	c, err := m.NewContext(ContextOptions{Context: 256, FlashAttention: 7})
	if err == nil {
		c.Close()
		t.Error("unknown flash attention setting was taken")
	}
}

// A head of 64 numbers is two blocks; heads of other models need not be whole blocks.
func TestCacheTypesMustFitTheModel(t *testing.T) {
	heads := func(sizes ...int) cacheShape { return cacheShape{kHeads: sizes, vHeads: sizes} }
	latent := cacheShape{kHeads: []int{576, 192}, vHeads: []int{512, 128}, oneType: true}
	for _, test := range []struct {
		name  string
		shape cacheShape
		o     ContextOptions
		want  error
	}{
		{"64 in blocks of 32", heads(64), ContextOptions{TypeK: CacheQ8_0, TypeV: CacheQ4_0}, nil},
		{"80 in blocks of 32", heads(80), ContextOptions{TypeK: CacheQ8_0}, ErrCacheBlock},
		{"80 of V in blocks of 32", heads(80), ContextOptions{TypeV: CacheIQ4NL}, ErrCacheBlock},
		{"80 without flash attention", heads(80), ContextOptions{TypeK: CacheQ8_0, FlashAttention: FlashOff}, ErrCacheBlock},
		{"80 single numbers", heads(80), ContextOptions{TypeK: CacheBF16, TypeV: CacheF32}, nil},
		{"80 in some layers", heads(64, 0, 80), ContextOptions{TypeK: CacheQ8_0}, ErrCacheBlock},
		{"no heads", heads(0), ContextOptions{TypeK: CacheQ8_0}, nil},
		{"one type for latent attention", latent, ContextOptions{TypeK: CacheQ8_0, TypeV: CacheQ8_0}, nil},
		{"two types for latent attention", latent, ContextOptions{TypeK: CacheQ8_0}, ErrCacheMismatch},
	} {
		if err := test.shape.check(test.o); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	for _, test := range []struct {
		m    *Model
		want []int
	}{
		{testModel(t), []int{64, 0, 0}},                          // 576 numbers, 9 heads
		{tinyModel(t, testmodel.SlidingWindow), []int{16, 0, 0}}, // named in the file
		{tinyModel(t, testmodel.Plain), []int{16, 0, 0}},         // 64 numbers, 4 heads
	} {
		if shape := test.m.cacheShape(); !slices.Equal(shape.kHeads, test.want) || !slices.Equal(shape.vHeads, test.want) || shape.oneType {
			t.Errorf("%s: %+v, want heads of %v", test.m.Description(), shape, test.want)
		}
	}
	c, err := tinyModel(t, testmodel.Plain).NewContext(ContextOptions{Context: 256, Threads: 1, TypeK: CacheQ8_0})
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, ErrCacheBlock) {
		t.Errorf("blocks of 32 in heads of 16: %v", err)
	}
}

func TestContextDefaults(t *testing.T) {
	c, err := testModel(t).NewContext(ContextOptions{Context: 300})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := c.Options()
	for _, test := range []struct {
		name      string
		got, want int
	}{
		{"context, a multiple of 256", c.ContextSize(), 512},
		{"context of one sequence", c.SeqContextSize(), 512},
		{"batch", c.BatchSize(), 300},
		{"micro-batch", o.MicroBatch, 300},
		{"sequences", o.MaxSeqs, 1},
		{"outputs", o.MaxOutputs, 1},
		{"threads", c.Threads(), min(runtime.NumCPU(), maxThreads)},
	} {
		if test.got != test.want {
			t.Errorf("%s: %d, want %d", test.name, test.got, test.want)
		}
	}
	split := newContext(t, ContextOptions{Context: 1024, MaxSeqs: 4})
	if split.SeqContextSize() != 256 || split.ContextSize() != 1024 {
		t.Errorf("divided among 4: %d of %d", split.SeqContextSize(), split.ContextSize())
	}
	if c.Model() != testModel(t) {
		t.Error("the context is of another model")
	}
}

func TestSetThreads(t *testing.T) {
	c := newContext(t, ContextOptions{Threads: 2})
	prompt := tokenize(t, "One two three four")
	want := greedy(t, c, 0, 0, prompt, 8)
	for _, n := range []int{0, -1, 3} {
		if err := c.SetThreads(n); !errors.Is(err, ErrThreads) {
			t.Errorf("%d threads: %v", n, err)
		}
	}
	if err := c.SetThreads(1); err != nil || c.Threads() != 1 {
		t.Fatalf("%v, %d threads", err, c.Threads())
	}
	if err := c.ClearAll(); err != nil {
		t.Fatal(err)
	}
	if got := greedy(t, c, 0, 0, prompt, 8); !slices.Equal(got, want) {
		t.Errorf("one thread: %v, two: %v", got, want)
	}
}

func TestEveryCacheTypeGivesTheSameFirstToken(t *testing.T) {
	// The model is sure about this one, so that even 4 bits do not change it.
	prompt := tokenize(t, "Monday, Tuesday, Wednesday, Thursday,")
	want := greedy(t, newContext(t, ContextOptions{}), 0, 0, prompt, 1)
	for k := range cacheTypes {
		for _, v := range []CacheType{CacheF16, CacheType(k)} {
			c := newContext(t, ContextOptions{TypeK: CacheType(k), TypeV: v, FlashAttention: FlashOn})
			if got := greedy(t, c, 0, 0, prompt, 1); !slices.Equal(got, want) {
				t.Errorf("K %s, V %s: %q, want %q", CacheType(k), v, pieces(t, got), pieces(t, want))
			}
			c.Close()
		}
	}
}

func TestParseCacheType(t *testing.T) {
	for k := range cacheTypes {
		got, err := ParseCacheType(CacheType(k).String())
		if err != nil || got != CacheType(k) {
			t.Errorf("%s: %v, %v", CacheType(k), got, err)
		}
		if q := CacheType(k).Quantized(); q != (k > int(CacheBF16)) {
			t.Errorf("%s quantised: %v", CacheType(k), q)
		}
	}
	if got, err := ParseCacheType("Q8_0"); err != nil || got != CacheQ8_0 {
		t.Errorf("capitals: %v, %v", got, err)
	}
	if _, err := ParseCacheType("q3_k"); !errors.Is(err, ErrCacheType) {
		t.Errorf("q3_k: %v", err)
	}
	if s := CacheType(99).String(); s != "CacheType(99)" {
		t.Errorf("unknown type is %q", s)
	}
}

func TestEmbedding(t *testing.T) {
	prompt := tokenize(t, "A small green tree")
	c := newContext(t, ContextOptions{Embeddings: true})
	var s Step
	s.add(0, 0, prompt...)
	mustStep(t, c, &s)
	first, err := c.Embedding(0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := c.Embedding(int32(len(prompt) - 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != testModel(t).Embedding() || norm(first) == 0 || norm(last) == 0 || math.Abs(norm(first)-norm(last)) == 0 {
		t.Errorf("%d numbers, norms %g and %g", len(first), norm(first), norm(last))
	}
	for _, index := range []int32{-1, int32(len(prompt))} {
		if _, err := c.Embedding(index); !errors.Is(err, ErrNoLogits) {
			t.Errorf("index %d: %v", index, err)
		}
	}
	if _, err := newContext(t, ContextOptions{}).Embedding(0); !errors.Is(err, ErrNoEmbeddings) {
		t.Errorf("context without embeddings: %v", err)
	}
}

func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func pieces(t testing.TB, tokens []Token) string {
	text := ""
	for _, tok := range tokens {
		text += testModel(t).Vocab().Pieces()[tok]
	}
	return text
}
