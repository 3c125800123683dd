package engine

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"aigw/internal/testmodel"
	"aigw/models"
)

// drafting loads a tiny model, whose weights have 32 bits so that what it says does not depend on company, with itself as its
// draft, or without.
func drafting(t *testing.T, draft bool, o Options) *Engine {
	t.Helper()
	o.Model, o.Context, o.Parallel, o.Threads = testmodel.Tiny(t, testmodel.Plain), 4*testmodel.TinyContext, 4, testThreads
	if draft {
		o.DraftModel, o.draftAlways = o.Model, true
	} else {
		o.Draft = -1
	}
	e, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func spoken(t *testing.T, e *Engine, prompt []models.Token, most int) (ids []models.Token) {
	t.Helper()
	_, err := e.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: most, trace: func(id models.Token) { ids = append(ids, id) }}, discard)
	if err != nil {
		t.Error(err)
	}
	return ids
}

// bytesOf is a prompt of a tiny model, which repeats nothing.
func bytesOf(n, seed int) (out []models.Token) {
	for i := range n {
		out = append(out, models.Token((i*i*7+i*31+seed*97)%251))
	}
	return out
}

// Whatever the draft model guesses, the text is that of the model: with guesses that all come true, with such that never do, and
// with such that do at times, alone and in company.
func TestADraftModelDoesNotChangeTheText(t *testing.T) {
	plain := drafting(t, false, Options{})
	for name, test := range map[string]struct {
		spoil       func(models.Token) models.Token
		least, most float64 // share of guesses that come true
	}{
		"always right": {nil, 0.9, 1},
		// What the text repeats is guessed without the draft model, and comes true.
		"always wrong": {func(id models.Token) models.Token { return (id + 1) % 251 }, 0, 0.95},
		"now and then": {func(id models.Token) models.Token { return id - id%3/2 }, 0.05, 0.98},
	} {
		t.Run(name, func(t *testing.T) {
			e := drafting(t, true, Options{})
			if e.drafter == nil {
				t.Fatal("there is no draft model")
			}
			e.mu.Lock()
			e.drafter.spoil = test.spoil
			e.mu.Unlock()
			var group sync.WaitGroup
			for i := range 6 {
				group.Go(func() {
					prompt := bytesOf(20+17*i, i)
					if got, want := spoken(t, e, prompt, 60), spoken(t, plain, prompt, 60); !slices.Equal(got, want) {
						t.Errorf("%v, without a draft model %v", got, want)
					}
				})
				if i%2 == 1 {
					group.Wait()
				}
			}
			group.Wait()
			s := e.State()
			if share := float64(s.AcceptedTokens) / float64(max(1, s.DraftTokens)); s.DraftTokens == 0 || share < test.least || share > test.most {
				t.Errorf("%d of %d guesses came true, want a share of %g to %g", s.AcceptedTokens, s.DraftTokens, test.least, test.most)
			}
		})
	}
}

// Who hangs up leaves the draft model's cache, too; a cache that is too small is forgotten and read again.
func TestTheDraftModelsCacheFollows(t *testing.T) {
	plain, e := drafting(t, false, Options{}), drafting(t, true, Options{})
	for i := range 8 {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := e.Generate(ctx, Request{Prompt: bytesOf(40, i), MaxTokens: 200}, func(string) error {
			cancel()
			return nil
		})
		cancel()
		if err == nil {
			t.Log("it was faster than the hang-up")
		}
	}
	prompt := bytesOf(30, 99)
	if got, want := spoken(t, e, prompt, 50), spoken(t, plain, prompt, 50); !slices.Equal(got, want) {
		t.Errorf("%v, without a draft model %v", got, want)
	}
	if err := e.Close(); err != nil { // the loop has ended
		t.Fatal(err)
	}
	if n := len(e.drafter.texts); n > e.set.sched.Rows {
		t.Errorf("%d texts are kept for %d rows", n, e.set.sched.Rows)
	}
}

// The real model as its own draft: the text stays, nearly every guess comes true, and its memory is planned.
func TestTheRealModelAsItsOwnDraft(t *testing.T) {
	path := testmodel.Path(t)
	without := loadReal(t, Options{Context: 1024, Parallel: 2, Draft: -1})
	with := loadReal(t, Options{Context: 1024, Parallel: 2, DraftModel: path, draftAlways: true})
	prompt := tokenize(t, with, "The capital of France is Paris. The capital of Italy is Rome. The capital of")
	got, want := spoken(t, with, prompt, 16), spoken(t, without, prompt, 16)
	if !slices.Equal(got, want) {
		t.Errorf("%v, without a draft model %v", got, want)
	}
	if s := with.State(); s.DraftTokens == 0 || s.AcceptedTokens*10 < s.DraftTokens*8 {
		t.Errorf("%d of %d guesses came true", s.AcceptedTokens, s.DraftTokens)
	}
	o := Options{Model: path, Context: 1024, Parallel: 2, Threads: 1}
	alone, err := PlanMemory(o)
	if err != nil {
		t.Fatal(err)
	}
	o.DraftModel = path
	both, err := PlanMemory(o)
	if err != nil {
		t.Fatal(err)
	}
	if both.Cache != 2*alone.Cache || both.Weights != 2*alone.Weights || both.Needed() <= alone.Needed() {
		t.Errorf("planned %+v, alone %+v", both, alone)
	}
}

// A draft model with other tokens, or one that cannot take a guess back, is refused with what to do.
func TestDraftModelsThatCannotGuess(t *testing.T) {
	for _, test := range []struct{ draft, says string }{
		{testmodel.Path(t), "vocabulary has"},
		{testmodel.Tiny(t, testmodel.Recurrent), "cannot take back"},
		{"/nowhere/draft.gguf", "draft model"},
	} {
		_, err := Load(t.Context(), Options{Model: testmodel.Tiny(t, testmodel.Plain), Context: 256, Threads: testThreads, DraftModel: test.draft})
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.draft, err)
		}
	}
}
