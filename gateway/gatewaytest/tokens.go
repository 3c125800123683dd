package gatewaytest

import (
	"context"

	"aigw/models"
)

// Bytes is the tokenizer of Codec and Chat: a token is a byte.
type Bytes struct{}

// Tokenize implements models.Tokenizer.
func (Bytes) Tokenize(text string) ([]models.Token, error) {
	out := []models.Token{}
	for _, b := range []byte(text) {
		out = append(out, models.Token(b))
	}
	return out, nil
}

// Piece implements models.Tokenizer.
func (Bytes) Piece(t models.Token) string { return string([]byte{byte(t)}) }

// BOS implements models.Tokenizer.
func (Bytes) BOS() (models.Token, bool) { return 2, true }

// EndTokens implements models.Tokenizer.
func (Bytes) EndTokens() []models.Token { return nil }

// Embedder gives a text the sum and the number of its bytes as an embedding. It takes eight.
type Embedder struct{ Bytes }

// Limit implements serving.Embedder.
func (Embedder) Limit() int { return 8 }

// Size implements serving.Embedder.
func (Embedder) Size() int { return 2 }

// Embed implements serving.Embedder.
func (Embedder) Embed(_ context.Context, ids []models.Token) ([]float32, error) {
	if len(ids) > 8 {
		return nil, &models.TooLongError{Tokens: len(ids), Limit: 8}
	}
	sum := float32(0)
	for _, id := range ids {
		sum += float32(id)
	}
	return []float32{sum, float32(len(ids))}, nil
}
