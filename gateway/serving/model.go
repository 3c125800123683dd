// Package serving is what the rooms of the gateway know of models: that there is one, how to lay
// out a prompt for it, how to have it generate, or why there is none at the moment.
package serving

import (
	"context"

	"aigw/engine"
	"aigw/models"
)

// Generator generates text. It may be used concurrently.
type Generator interface {
	// Generate blocks until the generation has ended. It calls emit from one goroutine at a time
	// with each piece of text as it is decoded, never cutting inside a UTF-8 character; an error
	// of emit ends the generation and is returned, but for engine.ErrEnough. So does the end of ctx. Other errors are
	// *engine.BusyError, engine.ErrClosed, *models.TooLongError or a failure of the engine.
	Generate(ctx context.Context, req engine.Request, emit func(text string) error) (engine.Result, error)
}

// Model is a loaded model. It is not changed once it serves.
type Model struct {
	// Name is shown to clients. Editors send it back in a field of at most 50 characters.
	Name string
	// Aliases are other names under which GitLab may ask for it.
	Aliases []string
	Family  string // such as "codestral"
	// Codec lays out code; nil if the model is for conversations only.
	Codec models.Codec
	// FillsIn says that Codec makes use of the text below the cursor.
	FillsIn bool
	// Chat lays out conversations; nil if the model was not trained for them.
	Chat models.ChatCodec
	// Vocabulary is the tokenizer; nil where nobody asks for tokens.
	Vocabulary  models.Tokenizer
	Generator   Generator
	ContextSize int // tokens that prompt and answer of one request may have together
	// Elsewhere says that another server has the model: its tokenizer is not known here, and grammars are left aside.
	// Available then says why it cannot answer at the moment; nil: it always can.
	Elsewhere bool
	Available func() error
}

// MaxNameLength is the number of characters that editors accept in a model's name.
const MaxNameLength = 50

// DisplayName returns the name as clients can take it.
func (m *Model) DisplayName() string {
	n := 0
	for i := range m.Name {
		if n == MaxNameLength {
			return m.Name[:i]
		}
		n++
	}
	return m.Name
}

// Role is what a request wants of a model.
type Role string

// The roles.
const (
	Completion Role = "completion" // code at the cursor, while somebody types
	Generation Role = "generation" // code that was asked for in words
	Chat       Role = "chat"       // a conversation
)

// Can reports whether the model can play a role. Code can be generated without a conversation:
// the instruction then stands in the text as a comment.
func (m *Model) Can(role Role) bool {
	switch role {
	case Completion:
		return m.Codec != nil
	case Generation:
		return m.Codec != nil || m.Chat != nil
	case Chat:
		return m.Chat != nil
	}
	return false
}

// suits reports whether the model was made for a role, rather than merely able to play it.
func (m *Model) suits(role Role) bool {
	if role == Completion {
		return m.Can(role) && m.FillsIn
	}
	return m.Can(role) && m.Chat != nil
}

// describe names the model and what it can do.
func (m *Model) describe() string {
	can := ""
	for _, role := range []Role{Completion, Generation, Chat} {
		if m.Can(role) {
			if can != "" {
				can += ", "
			}
			can += string(role)
		}
	}
	return m.Name + " (" + can + ")"
}
