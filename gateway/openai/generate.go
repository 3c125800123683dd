package openai

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/metrics"
	"aigw/gateway/requestlog"
	"aigw/gateway/wire"
	"aigw/models"
)

// feature is this door's in metrics and logs, beside GitLab's feature categories.
const feature = "openai"

// atOnce is how many answers of one request are generated at the same time: one request is not to take
// all rows of a batch.
const atOnce = 4

// choice is one answer.
type choice struct {
	*asked
	index  int
	work   engine.Request
	result engine.Result
	text   strings.Builder
	calls  []models.ToolCall
	wants  bool           // log probabilities are a part of the answer
	tokens []engine.Drawn // of the text; only where somebody asks for them
	fresh  []engine.Drawn // of these, those that were not emitted yet
}

// job is all answers of a request.
type job struct {
	room      *Room
	c         *gin.Context
	streaming bool
	ahead     bool // nobody reads the answers
	choices   []*choice
	// writing, unless 0, is how long an answer of more than a line is written.
	writing time.Duration
}

// job prepares the answers: of each prompt as many as are wanted.
func (room *Room) job(c *gin.Context, p *parameters, all []*asked) (*job, error) {
	grammar, err := p.confine()
	if err != nil {
		return nil, err
	}
	j := &job{room: room, c: c, streaming: p.Stream, ahead: p.ahead}
	for _, a := range all {
		if p.ahead {
			a.class = engine.Background // nobody waits
		}
		if a.model.Elsewhere {
			switch {
			case a.plan != nil:
				return nil, unsupported("tools", "model %s cannot be given tools: it is at another server, whose answers cannot be confined to calls", a.model.Name)
			case grammar != nil:
				return nil, unsupported("response_format", "answers of model %s cannot be confined to a grammar or schema: it is at another server", a.model.Name)
			case p.tell || p.candidates > 0:
				return nil, unsupported("logprobs", "model %s is at another server, which does not tell log probabilities here; that goes for best_of, too", a.model.Name)
			case len(p.LogitBias) > 0:
				return nil, unsupported("logit_bias", "tokens of model %s cannot be biased: it is at another server", a.model.Name)
			}
		}
		if err := p.LogitBias.fit(a.model.Vocabulary); err != nil {
			return nil, err
		}
		for number := range max(p.choices(), p.candidates) {
			x := &choice{asked: a, index: len(j.choices), wants: p.tell, work: engine.Request{
				Prompt: a.prompt.Tokens, MaxTokens: a.most, Class: a.class, Grammar: grammar, Owner: owner(c, p.User),
				Sampling: p.sampling(a.prompt.Sampling, number), Stops: p.stops(a.prompt.Stops), Bias: p.LogitBias,
			}}
			if p.tell || p.candidates > 0 {
				x.work.Best = p.best
				x.work.Tokens = func(tokens []engine.Drawn) {
					x.tokens, x.fresh = append(x.tokens, tokens...), append(x.fresh, tokens...)
				}
			}
			j.choices = append(j.choices, x)
		}
	}
	return j, nil
}

// run has all answers generated. emit, if not nil, is called with their pieces, one call at a time, and done
// when one has ended.
func (j *job) run(emit func(*choice, piece) error, done func(*choice) error) error {
	ctx, cancel := context.WithCancelCause(j.c.Request.Context())
	defer cancel(nil)
	var (
		group sync.WaitGroup
		mu    sync.Mutex // of emit, done and failure
		first error
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
			cancel(err)
		}
	}
	one := func(x *choice) {
		err := j.produce(ctx, x, func(p piece) error {
			if emit == nil || j.ahead {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			return emit(x, p)
		})
		if j.ahead {
			x.forget()
		}
		if err == nil && done != nil {
			mu.Lock()
			err = done(x)
			mu.Unlock()
		}
		if err != nil {
			fail(err)
		}
	}
	if len(j.choices) == 1 {
		one(j.choices[0])
		return first
	}
	ctx = wire.Untimed(ctx)
	places := make(chan struct{}, atOnce)
	for _, x := range j.choices {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-places }()
			one(x)
		})
	}
	group.Wait()
	return first
}

// generate has one answer generated, which may not stand still for longer than the room says.
func (j *job) generate(ctx context.Context, x *choice, emit func(string) error) error {
	gap := j.room.Gap
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(gap, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	end := j.room.Metrics.Begin(metrics.Inference{Engine: feature, Model: x.model.DisplayName(), Feature: feature, Streaming: j.streaming})
	failed := true // also when Generate panics
	defer func() { end(failed) }()
	length, lines := 0, false
	var began, start = time.Time{}, time.Now()
	result, err := x.model.Generator.Generate(ctx, x.work, func(piece string) error {
		late.Reset(gap)
		length += len(piece)
		if err := emit(piece); err != nil {
			return err
		}
		if began.IsZero() {
			began = time.Now()
		}
		lines = lines || strings.Contains(piece, "\n")
		if j.writing > 0 && lines && time.Since(began) > j.writing {
			return engine.ErrEnough
		}
		return nil
	})
	x.result = result
	failed = err != nil && j.c.Request.Context().Err() == nil
	requestlog.Add(ctx,
		slog.String("model_engine", feature),
		slog.String("model_name", x.model.DisplayName()),
		slog.Int("model_output_length", length),
		slog.Float64("inference_duration_s", time.Since(start).Seconds()),
	)
	return err
}

// forget leaves of an answer what its prompt has cost.
func (x *choice) forget() {
	x.text.Reset()
	x.calls, x.tokens, x.fresh = nil, nil, nil
	x.result.Finish, x.result.StopText, x.result.OutputTokens = engine.FinishLength, "", 0
}

// usage is what a request has cost, in tokens.
type usage struct {
	PromptTokens        int                 `json:"prompt_tokens"`
	CompletionTokens    int                 `json:"completion_tokens"`
	TotalTokens         int                 `json:"total_tokens"`
	PromptTokensDetails promptTokensDetails `json:"prompt_tokens_details"`
}

type promptTokensDetails struct {
	// CachedTokens were computed before, for this caller or another.
	CachedTokens int `json:"cached_tokens"`
}

// usage adds up. A prompt counts once, however many answers it has.
func (j *job) usage() usage {
	var u usage
	var last *asked
	for _, x := range j.choices {
		if x.asked != last {
			last = x.asked
			u.PromptTokens += x.result.PromptTokens
			u.PromptTokensDetails.CachedTokens += x.result.CachedTokens
		}
		u.CompletionTokens += x.result.OutputTokens
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

// reason is why an answer ended, in OpenAI's words, which are the engine's but for calls.
func (x *choice) reason() *string {
	text := string(x.result.Finish)
	if len(x.calls) > 0 && x.result.Finish == engine.FinishStop {
		if text = "tool_calls"; x.plan.legacy {
			text = "function_call"
		}
	}
	return &text
}
