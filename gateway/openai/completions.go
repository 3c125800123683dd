package openai

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// completionRequest is a body of /v1/completions.
type completionRequest struct {
	parameters
	Prompt   prompts `json:"prompt"`
	Suffix   *string `json:"suffix"`
	Echo     bool    `json:"echo"`
	BestOf   *int    `json:"best_of"`
	Logprobs *int    `json:"logprobs"`
}

type completionAnswer struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	System  string             `json:"system_fingerprint"`
	Choices []completionChoice `json:"choices"`
	Usage   *usage             `json:"usage,omitempty"`
}

type completionChoice struct {
	Text         string        `json:"text"`
	Index        int           `json:"index"`
	Logprobs     *textLogprobs `json:"logprobs"`
	FinishReason *string       `json:"finish_reason"`
}

// completions answers POST /v1/completions.
func (room *Room) completions(c *gin.Context) {
	var r completionRequest
	if !read(c, &r) {
		return
	}
	j, err := room.layCompletions(c, &r)
	if err != nil {
		fail(c, err)
		return
	}
	answer := completionAnswer{ID: newID("cmpl-"), Object: "text_completion", Created: time.Now().Unix(), Model: j.choices[0].model.Name, System: room.fingerprint()}
	if r.Stream {
		j.stream(r.StreamOptions, completionEvents{answer})
		return
	}
	if err := j.run(nil, nil); err != nil {
		fail(c, err)
		return
	}
	used := j.usage() // of all that were generated
	if r.candidates > 0 {
		j.keep(r.choices())
	}
	for _, x := range j.choices {
		answer.Choices = append(answer.Choices, completionChoice{Text: x.echo + x.text.String(), Index: x.index, Logprobs: x.textLogprobs(x.tokens, 0), FinishReason: x.reason()})
	}
	answer.Usage = &used
	j.answer(answer)
}

func (room *Room) layCompletions(c *gin.Context, r *completionRequest) (*job, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	switch {
	case len(r.Prompt) == 0:
		return nil, invalid("prompt", "prompt is missing")
	case r.Echo && r.Logprobs != nil:
		return nil, unsupported("logprobs", "logprobs of a prompt are not computed: leave echo or logprobs out")
	case r.Echo && r.Suffix != nil:
		return nil, unsupported("echo", "echo goes with no suffix: leave one of them out")
	case r.Logprobs != nil && (*r.Logprobs < 0 || *r.Logprobs > mostLogprobs):
		return nil, invalid("logprobs", "logprobs is %d; it has to be from 0 to %d", *r.Logprobs, mostLogprobs)
	case r.BestOf != nil && (*r.BestOf < r.choices() || *r.BestOf > mostChoices):
		return nil, invalid("best_of", "best_of is %d; it has to be from n, which is %d, to %d", *r.BestOf, r.choices(), mostChoices)
	case r.BestOf != nil && *r.BestOf > r.choices() && r.Stream:
		return nil, invalid("best_of", "best_of chooses among whole answers, which cannot be streamed: leave stream out")
	}
	if r.Logprobs != nil {
		r.tell, r.best = true, *r.Logprobs
	}
	if r.BestOf != nil && *r.BestOf > r.choices() {
		r.candidates = *r.BestOf
	}
	model, err := room.choose(c, serving.Completion, r.Model)
	if err != nil {
		return nil, err
	}
	var all []*asked
	for _, p := range r.Prompt {
		var a *asked
		switch {
		case r.Suffix == nil:
			a, err = p.lay(model, r.limit(plainAnswer))
		case p.ids != nil:
			err = invalid("suffix", "suffix goes with a prompt that is a text")
		default:
			a, err = fillIn(model, models.Code{Prefix: p.text, Suffix: *r.Suffix}, r.limit(fillInAnswer))
		}
		if err != nil {
			return nil, err
		}
		if r.Echo {
			a.echo = p.spelled(model)
		}
		all = append(all, a)
	}
	return room.job(c, &r.parameters, all)
}

// completionEvents makes the pieces of a stream.
type completionEvents struct{ completionAnswer }

func (e completionEvents) event(x completionChoice, used *usage) any {
	e.Choices = []completionChoice{x}
	if x.Index < 0 {
		e.Choices = []completionChoice{}
	}
	e.Usage = used
	return e.completionAnswer
}

func (e completionEvents) begin(x *choice) any {
	if x.echo == "" {
		return nil
	}
	return e.event(completionChoice{Text: x.echo, Index: x.index}, nil)
}

func (e completionEvents) piece(x *choice, p piece) any {
	offset := 0
	if x.wants {
		offset = utf8.RuneCountInString(x.text.String()) - utf8.RuneCountInString(p.text)
	}
	return e.event(completionChoice{Text: p.text, Index: x.index, Logprobs: x.textLogprobs(p.tokens, offset)}, nil)
}

func (e completionEvents) end(x *choice) any {
	last := completionChoice{Index: x.index, FinishReason: x.reason()}
	if tokens := x.news(); len(tokens) > 0 { // without a text of their own
		last.Logprobs = x.textLogprobs(tokens, utf8.RuneCountInString(x.text.String()))
	}
	return e.event(last, nil)
}

func (e completionEvents) used(u usage) any { return e.event(completionChoice{Index: -1}, &u) }

func (completionEvents) last() string { return done }

// done is OpenAI's end of a stream.
const done = "[DONE]"

// answer sends an answer in one piece, however long it took to write.
func (j *job) answer(body any) {
	_ = http.NewResponseController(j.c.Writer).SetWriteDeadline(time.Now().Add(j.room.WriteTimeout)) // not every test has a connection
	wire.JSON(j.c, http.StatusOK, body)
}

// newID returns an id of an answer.
func newID(prefix string) string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	return prefix + hex.EncodeToString(id[:])
}

func (room *Room) fingerprint() string { return "aigw-" + room.Version }
