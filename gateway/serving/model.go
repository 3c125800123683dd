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
	// of emit ends the generation and is returned. So does the end of ctx. Other errors are
	// *engine.BusyError, engine.ErrClosed, *models.TooLongError or a failure of the engine.
	Generate(ctx context.Context, req engine.Request, emit func(text string) error) (engine.Result, error)
}

// Model is a loaded model. It is not changed once it serves.
type Model struct {
	// Name is shown to clients. Editors send it back in a field of at most 50 characters.
	Name        string
	Family      string // such as "codestral"
	Codec       models.Codec
	Generator   Generator
	ContextSize int // tokens that prompt and answer of one request may have together
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

// Wanted is how a request names a model. Both may be empty, and neither needs to fit a model
// that is loaded: a single model answers everything.
type Wanted struct {
	Identifier string // "provider/model" or "model"
	Family     string // a name that GitLab knows, such as "codegemma"
}
