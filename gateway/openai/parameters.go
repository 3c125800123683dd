package openai

import (
	"encoding/json"
	"errors"
	"math"
	"slices"

	"aigw/engine"
	"aigw/gateway/grammar"
	"aigw/models"
)

// parameters are the members of a body that all routes share. Of those that are absent the model's
// maker has the word (models.Prompt).
type parameters struct {
	Model            string          `json:"model"`
	Stream           bool            `json:"stream"`
	StreamOptions    *streamOptions  `json:"stream_options"`
	MaxTokens        *int            `json:"max_tokens"`
	NPredict         *int            `json:"n_predict"` // llama-server's name of it, which goes before; -1: as much as fits
	Temperature      *float64        `json:"temperature"`
	TopP             *float64        `json:"top_p"`
	TopK             *int            `json:"top_k"`          // llama-server's, as the next three
	MinP             *float64        `json:"min_p"`          //
	RepeatPenalty    *float64        `json:"repeat_penalty"` //
	Grammar          string          `json:"grammar"`        // GBNF
	JSONSchema       json.RawMessage `json:"json_schema"`
	ResponseFormat   *responseFormat `json:"response_format"`
	Seed             *int64          `json:"seed"`
	Stop             texts           `json:"stop"`
	N                *int            `json:"n"`
	NCmpl            *int            `json:"n_cmpl"` // llama-server's name of it
	User             string          `json:"user"`
	FrequencyPenalty *float64        `json:"frequency_penalty"`
	PresencePenalty  *float64        `json:"presence_penalty"`
	LogitBias        biases          `json:"logit_bias"`

	// ahead says that the prompt is to be computed and nothing answered.
	ahead bool
	// tell says that log probabilities are wanted, of each token and of as many others as best says.
	tell bool
	best int
	// candidates is how many answers are generated of which the best are chosen; 0 chooses none.
	candidates int
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema *struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
	Schema json.RawMessage `json:"schema"` // llama-server takes it here, too
}

// Bounds of what one request may ask for.
const (
	mostChoices = 8    // answers to one prompt
	mostStops   = 64   // OpenAI has 4; llama-server's clients send their families' markers
	mostStop    = 1024 // bytes of a stop text
)

// bounds are those of parameters that are numbers.
var bounds = []struct {
	name        string
	of          func(*parameters) *float64
	least, most float64
}{
	{"temperature", func(p *parameters) *float64 { return p.Temperature }, 0, 2},
	{"top_p", func(p *parameters) *float64 { return p.TopP }, 0, 1},
	{"min_p", func(p *parameters) *float64 { return p.MinP }, 0, 1},
	{"repeat_penalty", func(p *parameters) *float64 { return p.RepeatPenalty }, 0.1, 10},
	{"frequency_penalty", func(p *parameters) *float64 { return p.FrequencyPenalty }, -2, 2},
	{"presence_penalty", func(p *parameters) *float64 { return p.PresencePenalty }, -2, 2},
}

// check refuses what means nothing, and what cannot be kept.
func (p *parameters) check() error {
	for _, b := range bounds {
		if v := b.of(p); v != nil && !(*v >= b.least && *v <= b.most) { // nor NaN
			return invalid(b.name, "%s is %v; it has to be from %v to %v", b.name, *v, b.least, b.most)
		}
	}
	for name, n := range map[string]*int{"n": p.N, "n_cmpl": p.NCmpl} {
		if n != nil && (*n < 1 || *n > mostChoices) {
			return invalid(name, "%s is %d; it has to be from 1 to %d", name, *n, mostChoices)
		}
	}
	if p.NCmpl != nil {
		p.N = p.NCmpl
	}
	if p.MaxTokens != nil && *p.MaxTokens < 1 {
		return invalid("max_tokens", "max_tokens is %d; at least 1 is needed", *p.MaxTokens)
	}
	p.predict()
	if err := p.LogitBias.check(); err != nil {
		return err
	}
	if len(p.Stop) > mostStops {
		return invalid("stop", "there are %d stop texts; at most %d are supported", len(p.Stop), mostStops)
	}
	for _, stop := range p.Stop {
		if len(stop) > mostStop {
			return invalid("stop", "a stop text has %d bytes; at most %d are supported", len(stop), mostStop)
		}
	}
	return nil
}

// predict reads llama-server's n_predict. Editors send 0 while somebody still types what will be asked.
func (p *parameters) predict() {
	if p.NPredict == nil {
		return
	}
	p.MaxTokens = nil
	if p.ahead = *p.NPredict == 0; *p.NPredict >= 0 {
		most := max(1, *p.NPredict)
		p.MaxTokens = &most
	}
}

// choices is how many answers are wanted.
func (p *parameters) choices() int {
	if p.N == nil {
		return 1
	}
	return *p.N
}

// limit is how many tokens an answer may have; most is the limit of who sets none.
func (p *parameters) limit(most int) int {
	if p.MaxTokens == nil {
		return most
	}
	return *p.MaxTokens
}

// sampling changes a model's own by what the request says. The answer with a number among several of
// the same prompt gets a seed of its own.
func (p *parameters) sampling(s models.Sampling, number int) models.Sampling {
	set := func(field *float32, value *float64) {
		if value != nil {
			*field = float32(*value)
		}
	}
	set(&s.Temperature, p.Temperature)
	set(&s.TopP, p.TopP)
	set(&s.MinP, p.MinP)
	set(&s.RepeatPenalty, p.RepeatPenalty)
	set(&s.FrequencyPenalty, p.FrequencyPenalty)
	set(&s.PresencePenalty, p.PresencePenalty)
	if p.TopP != nil && *p.TopP == 0 {
		s.Temperature = 0 // only the most probable token is left
	}
	if p.TopK != nil {
		s.TopK = max(0, min(*p.TopK, math.MaxInt32))
	}
	if p.Seed != nil {
		seed := uint32(*p.Seed) ^ uint32(*p.Seed>>32)
		seed += uint32(number)
		s.Seed = &seed
	}
	return s
}

// stops adds the request's stop texts to the model's.
func (p *parameters) stops(s models.Stops) models.Stops {
	for _, text := range p.Stop {
		if text != "" && !slices.Contains(s.Texts, text) {
			s.Texts = append(slices.Clip(s.Texts), text)
		}
	}
	return s
}

// confine returns the grammar that the request asks for; nil is none.
func (p *parameters) confine() (*engine.Grammar, error) {
	param, schema, text := "response_format", json.RawMessage(nil), ""
	switch f := p.ResponseFormat; {
	case f != nil && f.Type == "json_schema":
		schema = f.Schema
		if f.JSONSchema != nil {
			schema = f.JSONSchema.Schema
		}
		if len(schema) == 0 {
			return nil, invalid("response_format.json_schema.schema", "response_format has the type json_schema and no schema")
		}
	case f != nil && f.Type == "json_object":
		schema, text = f.Schema, grammar.Object
	case f != nil && f.Type != "text" && f.Type != "":
		return nil, invalid("response_format.type", "response_format.type is %q; text, json_object and json_schema are supported", f.Type)
	case len(p.JSONSchema) > 0 && string(p.JSONSchema) != "null":
		param, schema = "json_schema", p.JSONSchema
	default:
		param, text = "grammar", p.Grammar
	}
	if len(schema) > 0 {
		var err error
		if text, err = grammar.FromSchema(schema); err != nil {
			return nil, invalid(param, "%s", err)
		}
	}
	if text == "" {
		return nil, nil
	}
	parsed, err := engine.ParseGrammar(text)
	if wrong := (*engine.GrammarError)(nil); errors.As(err, &wrong) {
		return nil, invalid(param, "%s", err)
	}
	return parsed, err
}
