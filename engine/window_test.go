package engine

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"aigw/internal/testmodel"
	"aigw/models"
)

// tinyEngine loads a model with random weights.
func tinyEngine(t *testing.T, kind testmodel.Kind, o Options) *Engine {
	t.Helper()
	o.Model, o.Threads, o.Context, o.Logger = testmodel.Tiny(t, kind), 1, 2048, slog.New(slog.DiscardHandler)
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

// windowPrompts are four to six windows long and have heads in common.
func windowPrompts() (prompts [][]models.Token) {
	random := rand.New(rand.NewPCG(7, 7))
	draw := func(n int) []models.Token {
		tokens := make([]models.Token, n)
		for i := range tokens {
			tokens[i] = models.Token(random.IntN(256))
		}
		return tokens
	}
	head := draw(5 * testmodel.TinyWindow)
	for i, common := range []int{160, 160, 155, 130, 100, 64, 33, 31, 10, 0} {
		p := slices.Concat(head[:common], draw(max(1, 160-common)+i))
		copy(p[len(p)-4:], p[len(p)-44:]) // what followed there is a guess, and a wrong one
		prompts = append(prompts, p)
	}
	return prompts
}

// A model whose layers see the last few tokens only shares prompts like any other, and what it
// says stays what a plain run says. The cache's own memory of its window would be wrong here: heads
// are left in the middle, long after it has moved on.
func TestSlidingWindowsShareAndSayTheSame(t *testing.T) {
	const most = 40
	plainSet := tinyEngine(t, testmodel.SlidingWindow, Options{KVSharing: "off"})
	if p := plainSet.Plan(); p.Reuse || p.NoReuse == "" {
		t.Fatalf("%+v", p)
	}
	e := tinyEngine(t, testmodel.SlidingWindow, Options{draftAlways: true})
	if !e.Plan().Reuse || e.model.SlidingWindow() != testmodel.TinyWindow {
		t.Fatalf("%+v", e.Plan())
	}
	prompts := windowPrompts()
	runs := make([]plainRun, len(prompts))
	tolerated := float32(0)
	for i, p := range prompts {
		runs[i] = runPlain(t, plainSet.model, plainSet.set, p, 0)
		tolerated = max(tolerated, tolerance(runs[i], runPlain(t, plainSet.model, plainSet.set, p, 50)))
	}
	equal, all, reused := 0, 0, 0
	var mu sync.Mutex
	ask := func(i int) {
		var ids []models.Token
		res, err := e.Generate(t.Context(), Request{Prompt: prompts[i], MaxTokens: min(most, equalTokens), trace: func(id models.Token) { ids = append(ids, id) }}, discard)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		all++
		reused += res.CachedTokens
		at := 0
		for at < len(ids) && ids[at] == runs[i].ids[at] {
			at++
		}
		if at == len(ids) {
			equal++
		} else if runs[i].margins[at] >= tolerated {
			t.Errorf("prompt %d, %d tokens from the cache, differs at token %d, where the plain run is sure by %g (e = %g)", i, res.CachedTokens, at, runs[i].margins[at], tolerated)
		}
	}
	for round := range 3 {
		t.Run(fmt.Sprint("alone ", round), func(t *testing.T) {
			for i := range prompts {
				ask(i)
			}
		})
		t.Run(fmt.Sprint("in company ", round), func(t *testing.T) {
			var group sync.WaitGroup
			for i := range prompts {
				group.Go(func() { ask(len(prompts) - 1 - i) })
			}
			group.Wait()
		})
	}
	t.Logf("%d of %d runs are equal to the end, %d tokens reused, e = %g", equal, all, reused, tolerated)
	if reused == 0 || equal*10 < all*9 {
		t.Errorf("%d of %d runs are equal, %d tokens reused", equal, all, reused)
	}
	if s := e.State(); s.AcceptedTokens == 0 || s.AcceptedTokens == s.DraftTokens {
		t.Errorf("%d of %d guesses came true: the test did not test", s.AcceptedTokens, s.DraftTokens)
	}
}

// A recurrent state cannot be cut back: prompts are computed whole.
func TestRecurrentModelsComputeEveryPromptWhole(t *testing.T) {
	e := tinyEngine(t, testmodel.Recurrent, Options{})
	if p := e.Plan(); p.Reuse || p.NoReuse == "" {
		t.Fatalf("%+v", p)
	}
	prompt := windowPrompts()[0]
	var first []models.Token
	for range 3 {
		var ids []models.Token
		res, err := e.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: 10, trace: func(id models.Token) { ids = append(ids, id) }}, discard)
		if err != nil || res.CachedTokens != 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		if first == nil {
			first = ids
		}
		if fmt.Sprint(ids) != fmt.Sprint(first) {
			t.Errorf("said %v, and then %v", first, ids)
		}
	}
}
