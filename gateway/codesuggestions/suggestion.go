package codesuggestions

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/metrics"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

// suggestion is a request on its way from the prompt to the answer.
type suggestion struct {
	file      File
	own       string // the caller's own prompt, all texts of it; empty where the gateway wrote it
	streaming bool
	model     *serving.Model
	used      usage
	work      engine.Request
	// clean is the post-processing of a whole text.
	clean func(text string) string
	// filter is the post-processing of a stream.
	filter filter
	reply  reply
	// plain is a second question for where the first comes to nothing, and again a new filter for its text; nil
	// is none.
	plain *engine.Request
	again func() filter
	// enough is when a text that has begun is long enough; zero is never.
	enough time.Time
	// answered is told the text of a good answer; it may be nil.
	answered func(text string)
}

// enoughAfter returns when a text is long enough. Streams go on: who reads them has what there is.
func enoughAfter(limit time.Duration, streaming bool) time.Time {
	if limit <= 0 || streaming {
		return time.Time{}
	}
	return time.Now().Add(limit)
}

// filter cleans a text that comes in pieces.
type filter interface {
	// Write takes a piece and returns what is decided by now.
	Write(piece string) string
	// Ended reports that nothing that may follow would be passed on.
	Ended() bool
	// End returns the rest.
	End() string
}

// reply is the form of an answer, which differs between the versions of the API.
type reply interface {
	whole(s *suggestion, text string) any
	stream(c *gin.Context, s *suggestion, timeout time.Duration) stream
}

// stream is an answer in pieces.
type stream interface {
	Started() bool
	Write(piece string) error
	End()
	Break()
}

// answer has the text generated and answers. ctx is that of the request, or one that ends sooner.
func (room *Room) answer(ctx context.Context, c *gin.Context, s *suggestion) {
	inference := metrics.Inference{Engine: engineName, Model: s.model.DisplayName(), Feature: metrics.CodeSuggestions, Streaming: s.streaming}
	if s.work.Class == engine.Completion && s.own == "" {
		room.Metrics.ObservePrompt(inference, "prefix", len(s.file.Above), s.used.prefix)
		room.Metrics.ObservePrompt(inference, "suffix", len(s.file.Below), s.used.suffix)
	}
	ctx, cancel := context.WithTimeout(ctx, room.Budget)
	defer cancel()
	out := &output{suggestion: s, direct: s.streaming && !room.WholeAnswers, stream: s.reply.stream(c, s, room.WriteTimeout)}

	out.ends, _ = ctx.Deadline()

	end := room.Metrics.Begin(inference)
	failed := true // also when Generate panics
	defer func() { end(failed) }()
	start := time.Now()
	result, err := s.model.Generator.Generate(ctx, s.work, out.emit)
	superseded := err != nil && errors.Is(context.Cause(ctx), ErrSuperseded)
	if err == nil {
		err = out.finish()
	}
	if err == nil {
		if second, how, ok := room.askPlainly(ctx, c, s, out); ok {
			out, result = second, how
		}
	}
	failed = err != nil && !superseded && out.clientGone == nil && c.Request.Context().Err() == nil
	room.logInference(c, s, inference, out.text.String(), time.Since(start))

	switch {
	case superseded && c.Request.Context().Err() == nil:
		room.nothing(c, out)
	case err != nil && out.stream.Started():
		requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()))
		out.stream.Break()
	case err != nil:
		wire.Failure(c, err)
	case !room.json(s):
		if !out.direct {
			err = out.stream.Write(out.text.String())
		}
		if err == nil {
			s.tell(out.text.String())
			out.stream.End()
		}
	default:
		s.used.Output = result.OutputTokens
		text := room.clean(c, inference, out)
		s.tell(text)
		wire.JSON(c, http.StatusOK, s.reply.whole(s, text))
	}
}

// clean does the post-processing of a whole text, and notes how long it took.
func (room *Room) clean(c *gin.Context, inference metrics.Inference, out *output) string {
	start := time.Now()
	text := out.cleaned()
	took := time.Since(start).Seconds()
	room.Metrics.PostProcessed(inference, took)
	requestlog.Add(c.Request.Context(), slog.Float64("post_processing_duration_s", took))
	return text
}

// json reports that the answer is JSON and not a stream. Where streaming is disabled, only that of
// the caller's own prompt is.
func (room *Room) json(s *suggestion) bool {
	return !s.streaming || room.WholeAnswers && s.own != ""
}

func (s *suggestion) tell(text string) {
	if s.answered != nil {
		s.answered(text)
	}
}

// again answers with a text that is known already.
func (room *Room) again(c *gin.Context, s *suggestion, text string) {
	room.Metrics.TypedThrough(s.model.DisplayName())
	requestlog.Add(c.Request.Context(), slog.Bool("typed_through", true))
	if room.json(s) {
		wire.JSON(c, http.StatusOK, s.reply.whole(s, text))
		return
	}
	if out := s.reply.stream(c, s, room.WriteTimeout); out.Write(text) == nil {
		out.End()
	}
}

// nothing answers a request whose text nobody wants any more.
func (room *Room) nothing(c *gin.Context, out *output) {
	room.Metrics.Superseded(out.suggestion.model.DisplayName())
	requestlog.Add(c.Request.Context(), slog.Bool("superseded", true))
	if out.suggestion.streaming {
		out.stream.End()
		return
	}
	wire.JSON(c, http.StatusOK, out.suggestion.reply.whole(out.suggestion, ""))
}

// output takes the pieces of a text as they are generated.
type output struct {
	*suggestion
	direct     bool // pieces go to the client at once
	stream     stream
	text       strings.Builder
	useful     bool // the filter has passed text on
	cutOff     bool // the model was still writing when the time was over
	clientGone error
	ends       time.Time // of the time for the whole request: what there is has to be answered before
}

func (o *output) emit(piece string) error {
	cleaned := o.filter.Write(piece)
	if !o.useful && strings.TrimSpace(cleaned) != "" {
		o.useful = true
		o.begun(time.Now())
	}
	if o.streaming {
		piece = cleaned
	}
	if err := o.pass(piece); err != nil {
		return err
	}
	if o.filter.Ended() {
		return engine.ErrEnough
	}
	if o.late() {
		o.cutOff = true
		return engine.ErrEnough
	}
	return nil
}

// Who waits no longer than the time for writing has gone when a text begins so much after it: for GitLab's check, the one that
// waits least (three seconds, section 1.2 of the wire contract), --completion-time leaves half a second. Whoever still waits
// does not wait for one token.
const (
	tooLateForChecks = 500 * time.Millisecond
	lateWriting      = 2 * time.Second
)

// begun gives a text that begins late some time of its own, if the request has so much left.
func (o *output) begun(now time.Time) {
	end := now.Add(lateWriting)
	if !o.enough.IsZero() && now.After(o.enough.Add(tooLateForChecks)) && end.Before(o.ends) {
		o.enough = end
	}
}

// late reports that the time for writing is over and there is something to show for it.
func (o *output) late() bool {
	return o.useful && !o.enough.IsZero() && time.Now().After(o.enough)
}

// cleaned is the text after post-processing. Of one that was cut off it has the lines that are whole, since half a line
// has to be deleted by hand; where none is, it has what there is.
func (o *output) cleaned() string {
	text := o.text.String()
	if o.cutOff {
		lines := o.clean(text[:strings.LastIndexByte(text, '\n')+1])
		if lines = strings.TrimRight(lines, " \t\r\n"); lines != "" {
			return lines
		}
	}
	return o.clean(text)
}

// finish passes on what the filter still holds.
func (o *output) finish() error {
	if o.streaming {
		return o.pass(o.filter.End())
	}
	return nil
}

func (o *output) pass(piece string) error {
	o.text.WriteString(piece)
	if o.direct && piece != "" {
		o.clientGone = o.stream.Write(piece)
	}
	return o.clientGone
}
