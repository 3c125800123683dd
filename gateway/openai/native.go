package openai

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/models"
)

// nativeRequest is a body of llama-server's own routes, /completion and /infill. What says how to sample
// beyond parameters (samplers, mirostat, n_indent) or where to compute (id_slot, cache_prompt) is left alone.
type nativeRequest struct {
	parameters
	ResponseFields []string `json:"response_fields"`
	// PredictTime is how long an answer of more than a line is written, in ms.
	PredictTime float64 `json:"t_max_predict_ms"`
	NProbs      int     `json:"n_probs"`

	Prompt prompts `json:"prompt"` // of /infill: the line of the cursor up to the cursor

	InputPrefix *string      `json:"input_prefix"`
	InputSuffix *string      `json:"input_suffix"`
	InputExtra  []inputExtra `json:"input_extra"`
}

// inputExtra is another file, or a part of one.
type inputExtra struct {
	Filename string `json:"filename"`
	Text     string `json:"text"`
}

type nativeAnswer struct {
	Index           int            `json:"index"`
	Content         string         `json:"content"`
	Tokens          []models.Token `json:"tokens"` // always empty, as where return_tokens is not set
	Stop            bool           `json:"stop"`
	Model           string         `json:"model"`
	TokensPredicted int            `json:"tokens_predicted"`
	TokensEvaluated int            `json:"tokens_evaluated"`
	HasNewLine      bool           `json:"has_new_line"`
	Truncated       bool           `json:"truncated"` // always false: what is cut is cut before it is counted
	StopType        string         `json:"stop_type"`
	StoppingWord    string         `json:"stopping_word"` // the stop text that ended it, if one did
	TokensCached    int            `json:"tokens_cached"`
	Timings         timings        `json:"timings"`
	// Probabilities are there where n_probs asks for them.
	Probabilities []tokenLogprobs `json:"completion_probabilities,omitempty"`
}

// timings are in ms.
type timings struct {
	CacheN             int     `json:"cache_n"`
	PromptN            int     `json:"prompt_n"`
	PromptMS           float64 `json:"prompt_ms"`
	PromptPerTokenMS   float64 `json:"prompt_per_token_ms"`
	PromptPerSecond    float64 `json:"prompt_per_second"`
	PredictedN         int     `json:"predicted_n"`
	PredictedMS        float64 `json:"predicted_ms"`
	PredictedPerToken  float64 `json:"predicted_per_token_ms"`
	PredictedPerSecond float64 `json:"predicted_per_second"`
}

// nativeCompletion answers POST /completion.
func (room *Room) nativeCompletion(c *gin.Context) {
	room.native(c, func(r *nativeRequest) ([]*asked, error) {
		if len(r.Prompt) == 0 {
			return nil, invalid("prompt", "prompt is missing")
		}
		model, err := room.choose(c, serving.Completion, r.Model)
		if err != nil {
			return nil, err
		}
		var all []*asked
		for _, p := range r.Prompt {
			a, err := p.lay(model, r.limit(longAnswer))
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
		return all, nil
	})
}

// infill answers POST /infill.
func (room *Room) infill(c *gin.Context) {
	room.native(c, func(r *nativeRequest) ([]*asked, error) {
		switch {
		case r.InputPrefix == nil:
			return nil, invalid("input_prefix", "input_prefix is missing")
		case r.InputSuffix == nil:
			return nil, invalid("input_suffix", "input_suffix is missing")
		case len(r.Prompt) > 1 || len(r.Prompt) == 1 && r.Prompt[0].ids != nil:
			return nil, invalid("prompt", "prompt has to be a string: what stands before the cursor behind input_prefix")
		}
		model, err := room.choose(c, serving.Completion, r.Model)
		if err != nil {
			return nil, err
		}
		code := models.Code{Prefix: *r.InputPrefix, Suffix: *r.InputSuffix}
		if len(r.Prompt) == 1 {
			code.Prefix += r.Prompt[0].text
		}
		for _, extra := range r.InputExtra {
			code.Context = append(code.Context, models.File{Name: extra.Filename, Text: extra.Text})
		}
		a, err := fillIn(model, code, r.limit(fillInAnswer))
		if err != nil {
			return nil, err
		}
		return []*asked{a}, nil
	})
}

// native answers a request in llama-server's form.
func (room *Room) native(c *gin.Context, lay func(*nativeRequest) ([]*asked, error)) {
	var r nativeRequest
	if !read(c, &r) {
		return
	}
	j, err := room.layNative(c, &r, lay)
	if err != nil {
		fail(c, err)
		return
	}
	if r.Stream {
		j.stream(nil, nativeEvents{&r})
		return
	}
	if err := j.run(nil, nil); err != nil {
		fail(c, err)
		return
	}
	answers := make([]any, len(j.choices))
	for i, x := range j.choices {
		answers[i] = r.wanted(x.native(x.text.String()))
	}
	if len(answers) == 1 {
		j.answer(answers[0])
		return
	}
	j.answer(answers)
}

// layNative lays a request out.
func (room *Room) layNative(c *gin.Context, r *nativeRequest, lay func(*nativeRequest) ([]*asked, error)) (*job, error) {
	if r.Seed != nil && *r.Seed == -1 { // any
		r.Seed = nil
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.NProbs < 0 || r.NProbs > mostLogprobs {
		return nil, invalid("n_probs", "n_probs is %d; it has to be from 0 to %d", r.NProbs, mostLogprobs)
	}
	r.tell, r.best = r.NProbs > 0, r.NProbs
	all, err := lay(r)
	if err != nil {
		return nil, err
	}
	j, err := room.job(c, &r.parameters, all)
	if err != nil {
		return nil, err
	}
	j.writing = time.Duration(min(max(r.PredictTime, 0), 1e9) * float64(time.Millisecond))
	return j, nil
}

// native is an answer in llama-server's form.
func (x *choice) native(content string) nativeAnswer {
	r := x.result
	a := nativeAnswer{
		Index: x.index, Content: content, Tokens: []models.Token{}, Stop: true, Model: x.model.Name,
		TokensPredicted: r.OutputTokens, TokensEvaluated: r.PromptTokens, TokensCached: r.CachedTokens,
		HasNewLine: strings.Contains(x.text.String(), "\n"), StopType: "eos", StoppingWord: r.StopText,
		Timings: timings{CacheN: r.CachedTokens, PromptN: r.PromptTokens - r.CachedTokens, PredictedN: r.OutputTokens},
	}
	if x.wants && content != "" {
		a.Probabilities = probabilities(x.tokens, true)
	}
	switch {
	case r.Finish == engine.FinishLength:
		a.StopType = "limit"
	case r.StopText != "":
		a.StopType = "word"
	}
	t := &a.Timings
	t.PromptMS, t.PromptPerTokenMS, t.PromptPerSecond = pace(r.Prefill, t.PromptN)
	t.PredictedMS, t.PredictedPerToken, t.PredictedPerSecond = pace(r.Decode, t.PredictedN)
	return a
}

// pace returns a duration in ms, that of one token, and tokens a second.
func pace(d time.Duration, tokens int) (ms, perToken, perSecond float64) {
	ms = float64(d) / float64(time.Millisecond)
	if tokens > 0 {
		perToken = ms / float64(tokens)
	}
	if ms > 0 {
		perSecond = float64(tokens) / ms * 1000
	}
	return ms, perToken, perSecond
}

// wanted leaves of an answer the fields that the request names, such as "timings/prompt_n", under these
// names, as llama-server does. Without names it is the whole answer.
func (r *nativeRequest) wanted(a nativeAnswer) any {
	if len(r.ResponseFields) == 0 {
		return a
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // an error of the program
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err) // what Marshal has just written
	}
	out := map[string]any{}
	for _, name := range r.ResponseFields {
		outer, inner, nested := strings.Cut(name, "/")
		value, ok := all[outer]
		if nested {
			var members map[string]any
			if members, ok = value.(map[string]any); ok {
				value, ok = members[inner]
			}
		}
		if ok {
			out[name] = value
		}
	}
	return out
}

// nativeEvents makes the pieces of a stream.
type nativeEvents struct{ r *nativeRequest }

func (nativeEvents) begin(*choice) any { return nil }

func (nativeEvents) piece(x *choice, p piece) any {
	return struct {
		Index   int            `json:"index"`
		Content string         `json:"content"`
		Tokens  []models.Token `json:"tokens"`
		Stop    bool           `json:"stop"`

		Probabilities []tokenLogprobs `json:"completion_probabilities,omitempty"`
	}{x.index, p.text, []models.Token{}, false, probabilities(p.tokens, true)}
}

func (e nativeEvents) end(x *choice) any { return e.r.wanted(x.native("")) }
func (nativeEvents) used(usage) any      { return nil }
func (nativeEvents) last() string        { return "" }
