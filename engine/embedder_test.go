package engine

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"

	"aigw/internal/testmodel"
	"aigw/models"
)

func newEmbedder(t *testing.T) *Embedder {
	t.Helper()
	e, err := LoadEmbedder(t.Context(), Options{Model: testmodel.Tiny(t, testmodel.Encoder), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
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

// Equal texts have equal embeddings of length 1, whoever asks beside them; others have others.
func TestEmbedderGivesEachTextItsOwn(t *testing.T) {
	e := newEmbedder(t)
	texts := []string{"one text", "another, longer one", "one text", "x"}
	vectors := make([][]float32, len(texts))
	var all sync.WaitGroup
	for i, text := range texts {
		all.Go(func() {
			ids, err := e.Tokenize(text)
			if err == nil {
				vectors[i], err = e.Embed(t.Context(), ids)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	product := func(a, b []float32) float64 {
		sum := 0.0
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		return sum
	}
	for i, v := range vectors {
		if len(v) != e.Size() || math.Abs(product(v, v)-1) > 1e-5 {
			t.Errorf("%q: %d numbers of length %g", texts[i], len(v), product(v, v))
		}
	}
	if same, other := product(vectors[0], vectors[2]), product(vectors[0], vectors[1]); same < 0.99999 || other > 0.99999 {
		t.Errorf("the same text: %g, another: %g", same, other)
	}
}

func TestEmbedderRefuses(t *testing.T) {
	e := newEmbedder(t)
	if _, err := e.Embed(t.Context(), make([]models.Token, e.Limit()+1)); !errors.As(err, new(*models.TooLongError)) {
		t.Errorf("too long: %v", err)
	}
	for _, ids := range [][]models.Token{nil, {-1}, {testmodel.TinyVocab}} {
		if _, err := e.Embed(t.Context(), ids); err == nil {
			t.Errorf("%v: accepted", ids)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Embed(gone, []models.Token{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("hung up: %v", err)
	}
	// A model that writes text gives no embedding of a whole one.
	_, err := LoadEmbedder(t.Context(), Options{Model: testmodel.Tiny(t, testmodel.Plain), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "not made for embeddings") {
		t.Errorf("a model without pooling: %v", err)
	}
}
