// Package codesuggestions answers editors that want code: completion at the cursor, and code that
// was asked for in words.
//
// The wire contract is that of GitLab's AI Gateway: /v2/completions, /v2/code/completions,
// /v2/code/generations, /v3/code/completions and /v4/code/suggestions.
package codesuggestions

import (
	"log/slog"
	"time"

	"aigw/gateway/codesuggestions/postprocess"
	"aigw/gateway/metrics"
	"aigw/gateway/serving"
)

// Models finds the model for a request.
type Models interface {
	// Choose returns a model for a role, *serving.UnavailableError or *serving.UnsuitableError.
	Choose(serving.Role, serving.Wanted) (*serving.Model, error)
}

// Options says what a Room works with.
type Options struct {
	Logger  *slog.Logger
	Models  Models
	Metrics *metrics.Metrics
	// Budget is how long a generation may take, waiting included.
	Budget time.Duration
	// CompletionTime is how long a completion that is not streamed is written; 0 does not end it.
	CompletionTime time.Duration
	// GenerationTime is how long a generation that is not streamed is written; 0 does not end it.
	GenerationTime time.Duration
	// WriteTimeout is how long a client may take to accept one piece of a stream.
	WriteTimeout time.Duration
	// PostProcessing cleans what models write.
	PostProcessing postprocess.Chains
	// WholeAnswers sends streams in one piece, and a stream that continues the caller's own prompt
	// as JSON, as the original does where streaming is disabled.
	WholeAnswers bool
	// NoCustomModels refuses requests for a self-hosted model, that is, with an endpoint.
	NoCustomModels bool
}

// Room answers requests for code. It may be used concurrently.
type Room struct {
	Options
	typing *typing
}

// New returns a room.
func New(o Options) *Room { return &Room{Options: o, typing: newTyping()} }
