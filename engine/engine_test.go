package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"aigw/engine/llama"
	"aigw/internal/testmodel"
	"aigw/models"
)

// testThreads is 1: packages are tested side by side, and compute threads that wait for each
// other become many times slower as soon as something else takes one of their cores.
const testThreads = 1

// loadReal loads the real model and checks at the end that nothing of it is left.
func loadReal(t *testing.T, o Options) *Engine {
	t.Helper()
	before, goroutines := llama.Open(), runtime.NumGoroutine()
	o.Model = testmodel.Path(t)
	o.Threads = testThreads
	e, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if after := llama.Open(); after != before {
			t.Errorf("left behind: %+v, before %+v", after, before)
		}
		eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= goroutines })
	})
	return e
}

func tokenize(t *testing.T, e *Engine, text string) []models.Token {
	t.Helper()
	ids, err := e.Vocabulary().Tokenize(text)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestRealModelAnswers(t *testing.T) {
	e := loadReal(t, Options{Context: 2048})
	var got strings.Builder
	req := Request{
		Prompt: tokenize(t, e, "The capital of France is"), MaxTokens: 12,
		Stops: models.Stops{Texts: []string{"."}},
	}
	res, err := e.Generate(t.Context(), req, func(text string) error {
		if !utf8.ValidString(text) {
			t.Errorf("half a character: %q", text)
		}
		got.WriteString(text)
		return nil
	})
	if err != nil || got.String() != " Paris" || res.Finish != FinishStop {
		t.Errorf("%q, %+v, %v", got.String(), res, err)
	}
	if res.PromptTokens != len(req.Prompt) || res.OutputTokens != 2 || res.Prefill <= 0 || res.Decode <= 0 {
		t.Errorf("%+v", res)
	}
}

func TestSeedsDecide(t *testing.T) {
	e := loadReal(t, Options{Context: 2048})
	sample := func(seed uint32) string {
		var got strings.Builder
		_, err := e.Generate(t.Context(), Request{
			Prompt: tokenize(t, e, "Once upon a time"), MaxTokens: 24,
			Sampling: models.Sampling{Temperature: 1.2, TopK: 50, TopP: 0.95, MinP: 0.02, RepeatPenalty: 1.1, Seed: &seed},
		}, collect(&got))
		if err != nil {
			t.Fatal(err)
		}
		return got.String()
	}
	one, again, two := sample(1), sample(1), sample(2)
	if one != again {
		t.Errorf("seed 1 said\n%q and then\n%q", one, again)
	}
	if one == two {
		t.Errorf("seeds 1 and 2 both said %q", one)
	}
}

// A cache smaller than a batch cuts the batch down.
func TestASmallContext(t *testing.T) {
	e := loadReal(t, Options{Context: 300})
	if p := e.Plan(); p.Limit != 300 {
		t.Errorf("%+v", p)
	}
	ids := tokenize(t, e, strings.Repeat("All work and no play makes Jack a dull boy. ", 40))[:290]
	if res, err := e.Generate(t.Context(), Request{Prompt: ids, MaxTokens: 2}, discard); err != nil || res.OutputTokens != 2 {
		t.Errorf("%+v, %v", res, err)
	}
}

// A client that hangs up in the middle of a long prompt frees its cells with the next step, and
// the step under way ends early.
func TestAHangUpFreesItsCells(t *testing.T) {
	e := loadReal(t, Options{Context: 4096, Batch: 256})
	ids := tokenize(t, e, strings.Repeat("All work and no play makes Jack a dull boy. ", 300))[:3000]
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := e.Generate(ctx, Request{Prompt: ids, MaxTokens: 10}, discard)
		result <- err
	}()
	eventually(t, "the first slices", func() bool { return e.State().Steps >= 2 })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	eventually(t, "freed cells", func() bool { s := e.State(); return s.Running == 0 && s.CellsUsed == s.Evictable })
	done := e.State()
	if done.PromptTokens >= 3000 {
		t.Errorf("%d prompt tokens were computed for nobody", done.PromptTokens)
	}
	time.Sleep(20 * time.Millisecond)
	if s := e.State(); s.Steps > done.Steps+1 {
		t.Errorf("%d steps after the hang-up", s.Steps-done.Steps)
	}
	// What was computed serves the next one with the same head, and serves it right.
	var got strings.Builder
	res, err := e.Generate(t.Context(), Request{Prompt: ids[:512], MaxTokens: 11}, collect(&got))
	if err != nil || res.CachedTokens != 511 || !strings.Contains(got.String(), "dull boy") {
		t.Errorf("%q, %+v, %v", got.String(), res, err)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	model := testmodel.Path(t)
	for name, tt := range map[string]struct {
		o    Options
		says string
	}{
		"missing":           {Options{Model: filepath.Join(dir, "none.gguf")}, "none.gguf"},
		"not a GGUF":        {Options{Model: write("page.gguf", "<!DOCTYPE html><html>")}, "page.gguf"},
		"truncated":         {Options{Model: write("short.gguf", "GGUF\x03\x00\x00\x00")}, "short.gguf"},
		"unknown attention": {Options{Model: model, FlashAttention: "maybe"}, "maybe"},
		"unknown cache":     {Options{Model: model, CacheTypeK: "q9"}, "q9"},
		"too parallel":      {Options{Model: model, Parallel: 1000, Batch: 2000}, "1000"},
		"small batch":       {Options{Model: model, Parallel: 64, Batch: 32}, "64"},
		"no weights fit":    {Options{Model: model, FlashAttention: "off", CacheTypeV: "q8_0"}, "flash attention"},
	} {
		e, err := Load(t.Context(), tt.o)
		if err == nil {
			_ = e.Close()
			t.Errorf("%s: loaded", name)
		} else if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say %q in one line", name, err, tt.says)
		}
	}
	if open := llama.Open(); open != (llama.Objects{}) {
		t.Errorf("failed loads left %+v behind", open)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, Options{Model: model}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled load: %v", err)
	}
}
