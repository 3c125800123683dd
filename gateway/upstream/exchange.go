package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"aigw/engine"
	"aigw/models"
)

// exchange is one attempt to have a request answered.
type exchange struct {
	m       *Model
	req     engine.Request
	emit    func(string) error
	began   time.Time
	first   time.Time // when the first piece came
	emitted bool      // something of the answer was passed on
}

// body is what is sent. Members beyond OpenAI's are those of vLLM and llama-server, and left out unless set.
type body struct {
	Model            string           `json:"model"`
	Prompt           string           `json:"prompt,omitempty"`
	Messages         []models.Message `json:"messages,omitempty"`
	MaxTokens        int              `json:"max_tokens"`
	Temperature      float32          `json:"temperature"`
	TopP             float32          `json:"top_p,omitempty"`
	TopK             int              `json:"top_k,omitempty"`
	MinP             float32          `json:"min_p,omitempty"`
	Repetition       float32          `json:"repetition_penalty,omitempty"` // vLLM's name
	RepeatPenalty    float32          `json:"repeat_penalty,omitempty"`     // llama-server's
	FrequencyPenalty float32          `json:"frequency_penalty,omitempty"`
	PresencePenalty  float32          `json:"presence_penalty,omitempty"`
	Seed             *uint32          `json:"seed,omitempty"`
	Stop             []string         `json:"stop,omitempty"`
	Stream           bool             `json:"stream"`
	StreamOptions    streamOptions    `json:"stream_options"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// mostStops is how many stop texts OpenAI's API takes; all of them are looked for here as well.
const mostStops = 4

// errorBody bounds what is read of an answer that is an error, in bytes.
const errorBody = 16 << 10

// run sends the request and passes the answer on.
func (x *exchange) run(ctx context.Context) (engine.Result, error) {
	spelled, err := x.m.o.Spelling.Spell(x.req.Prompt)
	if err != nil {
		return engine.Result{}, err
	}
	id, err := x.m.identifier(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	// What the caller asked for comes before what the family's markers add.
	stops := slices.Concat(x.req.Stops.Texts, x.m.o.Spelling.StopTexts(x.req.Stops.Tokens))
	s := x.req.Sampling
	asked := body{
		Model: id, Prompt: spelled.Text, Messages: spelled.Messages, MaxTokens: x.req.MaxTokens,
		Temperature: s.Temperature, TopP: s.TopP, TopK: s.TopK, MinP: s.MinP, Repetition: s.RepeatPenalty, RepeatPenalty: s.RepeatPenalty, Seed: s.Seed,
		FrequencyPenalty: s.FrequencyPenalty, PresencePenalty: s.PresencePenalty,
		Stop: stops[:min(len(stops), mostStops)], Stream: true, StreamOptions: streamOptions{true},
	}
	path := "completions"
	if spelled.Messages != nil {
		path = "chat/completions"
	}
	// The caller's end, or the server's silence, ends the connection, by which the server knows that nobody listens.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(x.m.o.Silence, func() { cancel(errSilent) })
	defer silence.Stop()
	answer, err := x.send(ctx, path, asked)
	if err != nil {
		return engine.Result{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, errorBody)) // the status says enough without it
		return engine.Result{}, x.refused(answer, string(text))
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "text/event-stream" {
		return engine.Result{}, &Error{Host: x.m.Host(), Status: answer.StatusCode, Cause: fmt.Sprintf("it answers with %q instead of a stream of events; is that OpenAI's API?", kind)}
	}
	return x.read(ctx, answer.Body, stops, func() { silence.Reset(x.m.o.Silence) })
}

// send begins a request.
func (x *exchange) send(ctx context.Context, path string, asked body) (*http.Response, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	r, err := x.m.request(ctx, http.MethodPost, path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	answer, err := x.m.o.Client.HTTP().Do(r)
	if err != nil {
		return nil, x.failed(ctx, "it cannot be reached", err)
	}
	return answer, nil
}

// request makes a request to a path of the API, with the key.
func (m *Model) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, m.o.Base.JoinPath(path).String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "aigw")
	if m.o.Key == nil {
		return r, nil
	}
	key, err := m.o.Key()
	if err != nil {
		return nil, &Error{Host: m.Host(), Cause: err.Error(), wrong: true, err: err}
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return r, nil
}

// read passes an answer on until it ends.
func (x *exchange) read(ctx context.Context, from io.Reader, stops []string, alive func()) (engine.Result, error) {
	text := engine.NewTextStream(stops)
	result, reason := engine.Result{PromptTokens: len(x.req.Prompt)}, ""
	pieces, enough := 0, false
	show := func(piece string) error {
		if piece == "" {
			return nil
		}
		x.emitted = true
		return x.emit(piece)
	}
	err := events(from, func(e event) error {
		alive()
		if e.Usage != nil {
			result.PromptTokens, result.OutputTokens, result.CachedTokens = e.Usage.Prompt, e.Usage.Completion, e.Usage.Details.Cached
		}
		piece := e.text()
		if piece != "" {
			if pieces++; x.first.IsZero() {
				x.first = time.Now()
			}
		}
		if len(e.Choices) > 0 && e.Choices[0].FinishReason != nil {
			reason = *e.Choices[0].FinishReason
		}
		out, stopped := text.Push(piece)
		if err := show(out); err != nil {
			return err
		}
		if stopped {
			enough = true
			return errStopped
		}
		return nil
	})
	switch {
	case errors.Is(err, engine.ErrEnough), errors.Is(err, errStopped):
		enough = true
	case errors.As(err, new(*protocolError)):
		return engine.Result{}, &Error{Host: x.m.Host(), Cause: err.Error(), err: err}
	case errors.As(err, new(*readError)):
		return engine.Result{}, x.failed(ctx, "its answer broke off", err)
	case err != nil:
		return engine.Result{}, err // emit's
	case reason == "":
		return engine.Result{}, &Error{Host: x.m.Host(), Cause: "its answer ended without saying why: it was cut off", again: true}
	}
	if !enough {
		if err := show(text.Flush()); err != nil && !errors.Is(err, engine.ErrEnough) {
			return engine.Result{}, err
		}
	}
	result.Finish = engine.FinishStop
	if reason == "length" && !enough {
		result.Finish = engine.FinishLength
	}
	if result.OutputTokens == 0 {
		result.OutputTokens = pieces // most servers send a token at a time
	}
	now := time.Now()
	if x.first.IsZero() {
		x.first = now
	}
	result.Prefill, result.Decode = x.first.Sub(x.began), now.Sub(x.first)
	return result, nil
}

// errStopped ends the reading at a stop text.
var errStopped = errors.New("a stop text is complete")
