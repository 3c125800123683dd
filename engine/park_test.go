package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"aigw/models"
)

// What was parked comes back as it was: the answer to a prompt is the same, and its prefix need
// not be computed again.
func TestAParkedPrefixComesBack(t *testing.T) {
	keeping := loadReal(t, Options{Context: 2048, Parallel: 2, ParkBytes: -1})
	e := loadReal(t, Options{Context: 2048, Parallel: 2, parkAlways: true})
	// The model knows how to go on with a list: no near-tie falls the other way.
	tokens := func(word string, n int) []models.Token {
		var list strings.Builder
		for i := range n {
			fmt.Fprintf(&list, "%s %d, ", word, i+1)
		}
		all := tokenize(t, e, list.String())
		return all[:min(n, len(all))]
	}
	answer := func(e *Engine, prompt []models.Token) (Result, []models.Token) {
		t.Helper()
		var said []models.Token
		r, err := e.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: 10, trace: func(t models.Token) { said = append(said, t) }}, discard)
		if err != nil {
			t.Fatal(err)
		}
		return r, said
	}
	ask := func(prompt []models.Token) (Result, []models.Token) {
		t.Helper()
		return answer(e, prompt)
	}
	first := tokens("apple", 96)
	answer(keeping, first)
	_, want := answer(keeping, first) // from the cache: in a batch of 96 tokens, logits have other last digits
	ask(first)
	ask(tokens("pear", 16))
	ask(tokens("plum", 16))
	if s := e.State(); s.ParkedTokens < 96 || s.CellsUsed > 96 {
		t.Fatalf("%d tokens parked, %d cells used: prefixes that nobody uses stay in the cache", s.ParkedTokens, s.CellsUsed)
	}
	r, got := ask(first)
	if r.CachedTokens < 95 {
		t.Errorf("%d of 96 tokens came from the cache", r.CachedTokens)
	}
	if !slices.Equal(got, want) {
		t.Errorf("said %v, %v before it was parked", got, want)
	}
	// Half of it, and then something else: the rest stays where it is.
	other := slices.Concat(first[:48], tokens("nut", 20))
	ask(tokens("fig", 16))
	ask(tokens("kiwi", 16))
	if r, _ := ask(other); r.CachedTokens != 48 {
		t.Errorf("%d of 48 common tokens came from the cache", r.CachedTokens)
	}
	if r, got := ask(first); r.CachedTokens < 95 || !slices.Equal(got, want) {
		t.Errorf("after somebody took half: %d tokens from the cache, said %v, want %v", r.CachedTokens, got, want)
	}
}

// When the cells of a prefix cannot be brought back, who waits for them is told, and the engine
// goes on with an empty cache.
func TestALostPrefixEndsNothingElse(t *testing.T) {
	e := loadReal(t, Options{Context: 1024, Parallel: 2, parkAlways: true})
	prompt := slices.Repeat([]models.Token{1000, 2000, 3000}, 30)
	ask := func(prompt []models.Token) error {
		_, err := e.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: 4}, discard)
		return err
	}
	for _, p := range [][]models.Token{prompt, {5, 6, 7}, {8, 9, 10}} {
		if err := ask(p); err != nil {
			t.Fatal(err)
		}
	}
	e.mu.Lock() // the loop has nothing to do
	for _, data := range e.lot.cells {
		data[len(data)/2] ^= 1
	}
	e.mu.Unlock()
	if err := ask(prompt); err == nil {
		t.Error("half a prefix was good enough")
	}
	if err := ask(prompt); err != nil {
		t.Errorf("after the cache was emptied: %v", err)
	}
	if n := e.State().CellsUsed; n > 120 {
		t.Errorf("%d cells are used by one prompt of 90 tokens", n)
	}
}
