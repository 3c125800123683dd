// Package conversation asks a model that answers in conversations, for the routes of chat and of
// prompts: it finds the model, lays the messages out, has the answer generated, and counts and logs.
package conversation

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/metrics"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// Models finds the model for a request.
type Models interface {
	// Choose returns a model for a role, *serving.UnavailableError or *serving.UnsuitableError.
	Choose(serving.Role, serving.Wanted) (*serving.Model, error)
}

// Options says what a Room works with.
type Options struct {
	Models  Models
	Metrics *metrics.Metrics
	// Gap is how long a streamed answer may stand still, before its first piece and between pieces:
	// GitLab reads each piece with a limit of its own, 60 s for the agent. A long answer has no end
	// but its tokens.
	Gap time.Duration
	// Whole is how long an answer may take that is not streamed. GitLab hangs up after 30 s, and what
	// there is by then is worth more than nothing.
	Whole time.Duration
	// NoCustomModels refuses requests for self-hosted models (AIGW_CUSTOM_MODELS__ENABLED=false).
	NoCustomModels bool
	// WholeAnswers sends streams in one piece (AIGW_CUSTOM_MODELS__DISABLE_STREAMING).
	WholeAnswers bool
	// WriteTimeout is how long a client may take to accept one piece of a stream.
	WriteTimeout time.Duration
}

// Room has conversations continued. It may be used concurrently.
type Room struct{ Options }

// New returns a room.
func New(o Options) *Room { return &Room{o} }

// Question is what a model is asked.
type Question struct {
	Wanted   serving.Wanted
	Messages []models.Message // a last one of the assistant is continued
	// Alike is another conversation that begins as many do that are to come: what the prompts of both have in common stays in
	// the model's cache longest. Empty: nothing does.
	Alike []models.Message
	// MaxTokens is the longest answer; models with a small context give shorter ones.
	MaxTokens int
	// Temperature replaces the model's own; nil keeps it.
	Temperature *float64
	// Stops end the answer, besides the model's own.
	Stops []string
	// Grammar confines the answer; nil does not.
	Grammar *engine.Grammar
	// Choice weighs what the grammar lets follow behind the first line.
	Choice []engine.Weighted
	Class  engine.Class
	// Filter changes the answer on its way; nil does not. It belongs to this question.
	Filter Filter
	// Feature is GitLab's feature category, for metrics.
	Feature string
	// Failure answers where nothing could be generated; nil is wire.Failure.
	Failure func(*gin.Context, error)
}

// Filter changes an answer piece by piece.
type Filter interface {
	// Write takes a piece and returns what can be passed on.
	Write(piece string) string
	// Rest returns what was held back, when the answer has ended.
	Rest() string
}

// RefusesCustomModel answers a request that names a self-hosted model where those are switched off.
func (room *Room) RefusesCustomModel(c *gin.Context, named bool) bool {
	if !named || !room.NoCustomModels {
		return false
	}
	wire.Detail(c, http.StatusUnprocessableEntity, "Self-hosted models are switched off; set AIGW_CUSTOM_MODELS__ENABLED=true on the gateway")
	return true
}

// Features, as GitLab categorises them.
const (
	DuoChat          = "duo_chat"
	AbstractionLayer = "ai_abstraction_layer"
)

// engineName is the value of model_engine in metrics and logs, as for code suggestions.
const engineName = "agent"

// Asked is a question that is laid out for a model.
type Asked struct {
	room  *Room
	model *serving.Model
	work  engine.Request
	q     Question
}

// leastAnswer is what is kept free for an answer however small the context is.
const leastAnswer = 64

// space returns how many tokens a question to a model may have, and how many its answer.
func space(model *serving.Model, most int) (prompt, answer int) {
	answer = min(most, max(leastAnswer, model.ContextSize/4), max(1, model.ContextSize/2))
	return model.ContextSize - answer, answer
}

// Ask lays a question out. Its errors are those of Models, and *models.TooLongError.
func (room *Room) Ask(q Question) (*Asked, error) {
	model, err := room.Models.Choose(serving.Chat, q.Wanted)
	if err != nil {
		return nil, err
	}
	most, answer := space(model, q.MaxTokens)
	prompt, err := model.Chat.Chat(q.Messages, models.ChatOptions{Room: most})
	if err != nil {
		return nil, err
	}
	asked := room.asked(q, model, prompt, answer)
	asked.work.Keep = inCommon(model, prompt, q.Alike)
	return asked, nil
}

// AskText has a text continued by a model that was made for code only. Of q the messages count for nothing.
func (room *Room) AskText(q Question, text string) (*Asked, error) {
	model, err := room.Models.Choose(serving.Completion, q.Wanted)
	if err != nil {
		return nil, err
	}
	most, answer := space(model, q.MaxTokens)
	prompt, err := model.Codec.Text(text, most)
	if err != nil {
		return nil, err
	}
	return room.asked(q, model, prompt, answer), nil
}

// AskFitting is Ask for a conversation of which older turns may be left out: it drops messages
// from the place first on, oldest first, but never the last keep ones, until it fits. What is dropped at
// once grows with what is too much: each attempt counts all tokens again.
func (room *Room) AskFitting(q Question, first, keep int) (*Asked, error) {
	for {
		asked, err := room.Ask(q)
		var tooLong *models.TooLongError
		if !errors.As(err, &tooLong) || len(q.Messages)-first <= keep {
			return asked, err
		}
		q.Messages = slices.Delete(slices.Clone(q.Messages), first, first+excess(q.Messages, first, keep, tooLong))
		// A conversation goes on with the user.
		for len(q.Messages)-first > keep && q.Messages[first].Role == models.Assistant {
			q.Messages = slices.Delete(q.Messages, first, first+1)
		}
	}
}

// excess is how many messages from first on hold about three quarters of what is too much, and at least one: so
// nothing is left out in vain, and a few attempts do.
func excess(messages []models.Message, first, keep int, e *models.TooLongError) int {
	all := 0
	for _, m := range messages {
		all += len(m.Content)
	}
	left := all * (e.Tokens - e.Limit) / max(1, e.Tokens) * 3 / 4 // bytes
	n := 0
	for first+n < len(messages)-keep && (n == 0 || left >= len(messages[first+n].Content)) {
		left -= len(messages[first+n].Content)
		n++
	}
	return n
}

func (room *Room) asked(q Question, model *serving.Model, prompt models.Prompt, answer int) *Asked {
	work := engine.Request{
		Prompt: prompt.Tokens, MaxTokens: answer, Sampling: prompt.Sampling, Stops: prompt.Stops, Class: q.Class,
		Grammar: q.Grammar, Choice: q.Choice,
	}
	if q.Temperature != nil {
		work.Sampling.Temperature = float32(*q.Temperature)
	}
	for _, stop := range q.Stops {
		if stop != "" && !slices.Contains(work.Stops.Texts, stop) {
			work.Stops.Texts = append(slices.Clip(work.Stops.Texts), stop)
		}
	}
	return &Asked{room: room, model: model, work: work, q: q}
}

// Model is the name of the model that answers.
func (a *Asked) Model() string { return a.model.DisplayName() }

// Generate has the answer generated and hands it to emit piece by piece. streaming says that
// the pieces go to the client.
func (a *Asked) Generate(c *gin.Context, streaming bool, emit func(string) error) error {
	limit := a.room.Whole
	if streaming {
		limit = a.room.Gap
	}
	ctx, cancel := context.WithCancelCause(c.Request.Context())
	defer cancel(nil)
	late := time.AfterFunc(limit, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	inference := metrics.Inference{Engine: engineName, Model: a.Model(), Feature: a.q.Feature, Streaming: streaming}
	end := a.room.Metrics.Begin(inference)
	failed := true // also when Generate panics
	defer func() { end(failed) }()
	length := 0
	start := time.Now()
	_, err := a.model.Generator.Generate(ctx, a.work, func(piece string) error {
		length += utf8.RuneCountInString(piece)
		if streaming {
			late.Reset(limit)
		}
		if a.q.Filter != nil {
			if piece = a.q.Filter.Write(piece); piece == "" {
				return nil
			}
		}
		return emit(piece)
	})
	if a.q.Filter != nil && err == nil {
		if rest := a.q.Filter.Rest(); rest != "" {
			err = emit(rest)
		}
	}
	failed = err != nil && c.Request.Context().Err() == nil
	asked := 0
	for _, m := range a.q.Messages {
		asked += utf8.RuneCountInString(m.Content)
	}
	a.room.Metrics.Spent(inference, asked, length)
	requestlog.Add(c.Request.Context(),
		slog.String("model_engine", engineName),
		slog.String("model_name", a.Model()),
		slog.Int("model_output_length", length),
		slog.Float64("inference_duration_s", time.Since(start).Seconds()),
	)
	if err != nil {
		requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()))
	}
	return err
}

// Whole returns the whole answer. Where the time is over it is what there is by then.
func (a *Asked) Whole(c *gin.Context) (string, error) {
	var text strings.Builder
	err := a.Generate(c, false, func(piece string) error {
		text.WriteString(piece)
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) && strings.TrimSpace(text.String()) != "" && c.Request.Context().Err() == nil {
		requestlog.Add(c.Request.Context(), slog.Bool("answer_cut_by_time", true))
		err = nil
	}
	return text.String(), err
}

// fail answers that nothing could be generated.
func (a *Asked) fail(c *gin.Context, err error) {
	if a.q.Failure != nil {
		a.q.Failure(c, err)
		return
	}
	wire.Failure(c, err)
}

// Stream answers with the text, piece by piece, as it is generated.
func (a *Asked) Stream(c *gin.Context) {
	out := wire.NewTextStream(c, a.room.WriteTimeout)
	if a.room.WholeAnswers {
		text, err := a.Whole(c)
		if err != nil {
			a.fail(c, err)
			return
		}
		_ = out.Write(text) // the client is gone if this fails
		out.End()
		return
	}
	var gone error
	err := a.Generate(c, true, func(piece string) error {
		gone = out.Write(piece)
		return gone
	})
	switch {
	case err == nil:
		out.End()
	case gone != nil:
		c.Status(wire.StatusClientGone)
	case out.Started():
		out.Break()
	default:
		a.fail(c, err)
	}
}

// JSON answers with a body made of the whole text.
func (a *Asked) JSON(c *gin.Context, body func(text string) any) {
	text, err := a.Whole(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	wire.JSON(c, http.StatusOK, body(text))
}
