package codesuggestions

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/metrics"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

// maxCompletionTokens is GitLab's limit for one completion.
const maxCompletionTokens = 128

// Models finds the model for a request.
type Models interface {
	// Completion returns the model for code completion, or *serving.UnavailableError.
	Completion(serving.Wanted) (*serving.Model, error)
}

// Options says what a Room works with. All fields are needed.
type Options struct {
	Models  Models
	Metrics *metrics.Metrics
	// Budget is how long a generation may take, waiting included.
	Budget time.Duration
	// WriteTimeout is how long a client may take to accept one piece of a stream.
	WriteTimeout time.Duration
}

// Room answers requests for code. It may be used concurrently.
type Room struct{ Options }

// New returns a room.
func New(o Options) *Room { return &Room{o} }

// Completions answers POST /v2/code/completions and /v2/completions.
func (room *Room) Completions(c *gin.Context) {
	request, ok := wire.Read(c, completionRequest)
	if !ok {
		return
	}
	if !auth.From(c.Request.Context()).Can(auth.CompleteCode, auth.CodeSuggestions) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access code completions")
		return
	}
	room.count(request)
	model, err := room.Models.Completion(wanted(request))
	if err != nil {
		wire.Failure(c, err)
		return
	}
	maxTokens := min(maxCompletionTokens, max(1, model.ContextSize/2))
	prompt, used, err := layOut(model, request, model.ContextSize-maxTokens)
	if err != nil {
		wire.Failure(c, err)
		return
	}
	room.complete(c, model, request, used, engine.Request{
		Prompt:    prompt.Tokens,
		MaxTokens: maxTokens,
		Sampling:  prompt.Sampling,
		Stops:     prompt.Stops,
		Class:     engine.Completion,
	})
}

// complete has the text generated and answers.
func (room *Room) complete(c *gin.Context, model *serving.Model, request Request, used usage, work engine.Request) {
	inference := metrics.Inference{Engine: engineName, Model: model.DisplayName(), Feature: metrics.CodeSuggestions, Streaming: request.Stream}
	if request.readyPrompt() == "" {
		room.Metrics.ObservePrompt(inference, "prefix", len(request.File.Above), used.prefix)
		room.Metrics.ObservePrompt(inference, "suffix", len(request.File.Below), used.suffix)
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), room.Budget)
	defer cancel()
	var text strings.Builder
	stream := wire.NewTextStream(c, room.WriteTimeout)
	var clientGone error
	emit := func(piece string) error {
		text.WriteString(piece)
		if request.Stream {
			clientGone = stream.Write(piece)
		}
		return clientGone
	}

	end := room.Metrics.Begin(inference)
	failed := true // also when Generate panics
	defer func() { end(failed) }()
	start := time.Now()
	result, err := model.Generator.Generate(ctx, work, emit)
	failed = err != nil && clientGone == nil && c.Request.Context().Err() == nil
	logInference(c, model, request, result, text.String(), time.Since(start))

	switch {
	case err != nil && stream.Started():
		requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()))
		stream.Break()
	case err != nil:
		wire.Failure(c, err)
	case request.Stream:
		stream.End()
	default:
		used.Output = result.OutputTokens
		wire.JSON(c, http.StatusOK, newAnswer(model, detect(request.File), text.String(), used.consumption))
	}
}
