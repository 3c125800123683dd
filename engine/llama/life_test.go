package llama

import (
	"errors"
	"sync"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

func TestOpenCountsWhatIsAlive(t *testing.T) {
	testModel(t) // is alive before and after
	before := Open()
	check := func(what string, want Objects) {
		t.Helper()
		now := Open()
		now.Models -= before.Models
		now.Contexts -= before.Contexts
		now.ThreadPools -= before.ThreadPools
		now.Samplers -= before.Samplers
		if now != want {
			t.Errorf("%s: %+v more are alive, want %+v", what, now, want)
		}
	}
	m, err := LoadModel(testmodel.Path(t), ModelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check("model", Objects{Models: 1})
	c, err := m.NewContext(ContextOptions{Context: 256, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	check("context", Objects{Models: 1, Contexts: 1, ThreadPools: 1})
	s, err := NewSampler(m.Vocab(), SamplerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check("sampler", Objects{Models: 1, Contexts: 1, ThreadPools: 1, Samplers: 1})
	// A context that cannot be made leaves nothing behind, not even its threads.
	if c, err := m.NewContext(ContextOptions{Context: 256, TypeK: CacheQ8_0, TypeV: CacheQ8_0, FlashAttention: FlashOff}); err == nil {
		c.Close()
		t.Error("quantised V without flash attention")
	}
	check("failed context", Objects{Models: 1, Contexts: 1, ThreadPools: 1, Samplers: 1})
	// The context keeps the weights that it needs.
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	check("closed model", Objects{Models: 1, Contexts: 1, ThreadPools: 1, Samplers: 1})
	var step Step
	last := step.add(0, 0, 1, 2, 3)
	step.Rows = append(step.Rows, Row{Batch: last, Sampler: s})
	if err := c.Step(&step); err != nil {
		t.Errorf("step after the model was closed: %v", err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	check("closed context", Objects{Samplers: 1})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	check("all closed", Objects{})
}

func TestUseAfterClose(t *testing.T) {
	m, err := LoadModel(testmodel.Path(t), ModelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.NewContext(ContextOptions{Context: 256, Threads: 1, Embeddings: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSampler(m.Vocab(), SamplerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	c.Close()
	m.Close()
	c.Abort(true) // does nothing
	if n := c.DecodedTokens(); n != 0 {
		t.Errorf("%d tokens", n)
	}
	for name, call := range map[string]func() error{
		"Step":         func() error { return c.Step(&Step{}) },
		"Logits":       func() error { _, err := c.Logits(0); return err },
		"Embedding":    func() error { _, err := c.Embedding(0); return err },
		"SetThreads":   func() error { return c.SetThreads(1) },
		"SeqPosMin":    func() error { _, err := c.SeqPosMin(0); return err },
		"SeqPosMax":    func() error { _, err := c.SeqPosMax(0); return err },
		"ClearAll":     c.ClearAll,
		"UsedCells":    func() error { _, err := c.UsedCells(); return err },
		"MemoryBytes":  func() error { _, err := c.MemoryBytes(); return err },
		"SaveSeq":      func() error { _, err := c.SaveSeq(0, onHeap); return err },
		"RestoreSeq":   func() error { return c.RestoreSeq(0, nil) },
		"NewContext":   func() error { _, err := m.NewContext(ContextOptions{}); return err },
		"Tokenize":     func() error { _, err := m.Vocab().Tokenize("x", false, false); return err },
		"Detokenize":   func() error { _, err := m.Vocab().Detokenize([]Token{5}, false, false); return err },
		"Draw":         func() error { _, _, err := s.Draw(make([]float32, m.Vocab().Size())); return err },
		"Prime":        func() error { return s.Prime([]Token{5}) },
		"model again":  m.Close,
		"sampler also": s.Close,
	} {
		err := call()
		if name == "model again" || name == "sampler also" {
			if err != nil {
				t.Errorf("second Close: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want %v", name, err, ErrClosed)
		}
	}
	if v, ok := m.Meta("general.architecture"); ok {
		t.Errorf("metadata %q", v)
	}
	if m.MetaAll() != nil || m.Vocab().Text(5) != "" {
		t.Error("metadata or text of a closed model")
	}
	if _, ok := m.ChatTemplate(""); ok {
		t.Error("template of a closed model")
	}
	if m.Vocab().Size() == 0 || m.Vocab().Pieces()[5] == "" {
		t.Error("tables are gone with the model")
	}
}

// Close during a step frees when the step has ended.
func TestCloseDuringAStep(t *testing.T) {
	testModel(t) // shared by all tests, and may be loaded here first
	before := Open()
	c := newContext(t, ContextOptions{Context: 512, MicroBatch: 64})
	tokens := make([]Token, 256)
	for i := range tokens {
		tokens[i] = Token(i + 100)
	}
	sampler, err := NewSampler(testModel(t).Vocab(), SamplerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var s Step
	last := s.add(0, 0, tokens...)
	s.Rows = append(s.Rows, Row{Batch: last, Sampler: sampler})
	var wg sync.WaitGroup
	wg.Go(func() {
		for c.DecodedTokens() == 0 {
			time.Sleep(time.Millisecond) // a spinning goroutine would take a core from the step
		}
		// Another use at the same time is refused.
		if err := c.Step(&Step{}); !errors.Is(err, ErrConcurrent) {
			t.Errorf("second step: %v", err)
		}
		c.Close()
		sampler.Close()
		if err := c.Step(&Step{}); !errors.Is(err, ErrClosed) {
			t.Errorf("step after Close: %v", err)
		}
	})
	if err := c.Step(&s); err != nil || len(s.Sampled) != 1 {
		t.Errorf("the running step: %v, sampled %v", err, s.Sampled)
	}
	wg.Wait()
	if now := Open(); now != before {
		t.Errorf("alive: %+v, before %+v", now, before)
	}
}
