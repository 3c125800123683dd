package llama

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"

	"aigw/internal/testmodel"
)

// TestMain prepares llama.cpp once, and fails the package if anything is alive at the end.
func TestMain(m *testing.M) {
	if text := os.Getenv("AIGW_TEST_ABORT"); text != "" {
		if err := Init(InitOptions{}); err != nil {
			panic(err)
		}
		abortProcess(text)
	}
	if err := Init(InitOptions{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if shared.model != nil {
		shared.model.Close()
	}
	if open := Open(); open != (Objects{}) {
		fmt.Fprintf(os.Stderr, "FAIL: still alive in C after all tests: %+v\n", open)
		code = 1
	}
	os.Exit(code)
}

// shared is the real model, loaded once for all tests that only read it.
var shared struct {
	once  sync.Once
	model *Model
	err   error
}

func testModel(t testing.TB) *Model {
	t.Helper()
	path := testmodel.Path(t)
	shared.once.Do(func() { shared.model, shared.err = LoadModel(path, ModelOptions{}) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.model
}

// newContext makes a context that lives as long as the test.
func newContext(t testing.TB, o ContextOptions) *Context {
	t.Helper()
	return newContextOf(t, testModel(t), o)
}

func newContextOf(t testing.TB, m *Model, o ContextOptions) *Context {
	t.Helper()
	if o.Context == 0 {
		o.Context = 512
	}
	if o.Threads == 0 {
		// Two threads that wait for each other on busy cores are many times slower than one.
		o.Threads = 1
	}
	c, err := m.NewContext(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newSampler(t testing.TB, o SamplerOptions) *Sampler {
	t.Helper()
	s, err := NewSampler(testModel(t).Vocab(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tokenize(t testing.TB, text string) []Token {
	t.Helper()
	tokens, err := testModel(t).Vocab().Tokenize(text, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(tokens) == 0 {
		t.Fatalf("no tokens in %q", text)
	}
	return tokens
}

// add appends tokens of one sequence to a step; the last of them asks for logits.
func (s *Step) add(seq SeqID, from Pos, tokens ...Token) (last int32) {
	for i, tok := range tokens {
		s.Tokens = append(s.Tokens, tok)
		s.Pos = append(s.Pos, from+Pos(i))
		s.Seqs = append(s.Seqs, seq)
		s.Outputs = append(s.Outputs, i == len(tokens)-1)
	}
	return int32(len(s.Tokens) - 1)
}

func mustStep(t testing.TB, c *Context, s *Step) {
	t.Helper()
	if err := c.Step(s); err != nil {
		t.Fatal(err)
	}
}

// greedy continues a sequence by n tokens with the shim's sampler. feed is what is not in the cache
// yet, and starts at position from.
func greedy(t testing.TB, c *Context, seq SeqID, from Pos, feed []Token, n int) []Token {
	t.Helper()
	sampler := newSampler(t, SamplerOptions{})
	var (
		s   Step
		out []Token
	)
	for len(out) < n {
		s.Reset()
		last := s.add(seq, from, feed...)
		s.Rows = append(s.Rows, Row{Batch: last, Sampler: sampler})
		mustStep(t, c, &s)
		if len(s.Sampled) != 1 || s.States[0] != RowDrawn {
			t.Fatalf("sampled %v, states %v", s.Sampled, s.States)
		}
		out = append(out, s.Sampled[0])
		from += Pos(len(feed))
		feed = s.Sampled[:1:1]
	}
	return out
}

// argmax is the reference: the lowest id among the largest logits.
func argmax(logits []float32) Token {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return Token(best)
}

// greedyByLogits does the same as greedy with nothing of the sampler: it reads every row.
func greedyByLogits(t testing.TB, c *Context, seq SeqID, from Pos, feed []Token, n int) []Token {
	t.Helper()
	var (
		s   Step
		out []Token
	)
	for len(out) < n {
		s.Reset()
		last := s.add(seq, from, feed...)
		mustStep(t, c, &s)
		logits, err := c.Logits(int(last))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, argmax(logits))
		from += Pos(len(feed))
		feed = out[len(out)-1:]
	}
	return out
}

// onHeap is memory for SaveSeq.
func onHeap(bytes int) ([]byte, error) { return make([]byte, bytes), nil }
