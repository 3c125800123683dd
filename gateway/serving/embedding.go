package serving

import (
	"context"

	"aigw/models"
)

// Embedder computes embeddings. It may be used concurrently.
type Embedder interface {
	// Tokenize returns the tokens of a text with those that the model wants around it.
	Tokenize(text string) ([]models.Token, error)
	// Embed returns the embedding of a text's tokens, of length 1. Errors are *models.TooLongError,
	// *engine.BusyError, engine.ErrClosed, the end of ctx, or a failure.
	Embed(ctx context.Context, ids []models.Token) ([]float32, error)
	Limit() int // tokens that a text may have
	Size() int  // numbers of an embedding
}

// EmbeddingModel is a loaded model that computes embeddings. It is not changed once it serves.
type EmbeddingModel struct {
	Name     string
	Embedder Embedder
}

// SetEmbedding notes the model that computes embeddings.
func (s *State) SetEmbedding(m *EmbeddingModel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.embedding = m
}

// Embedding returns it; nil if there is none.
func (s *State) Embedding() *EmbeddingModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.embedding
}
