package chat

import (
	"aigw/gateway/conversation"
	"aigw/gateway/schema"
	"aigw/models"
)

// Bodies of POST /v1/chat/{name} (section 8.1 of the wire contract): the caller brings the whole
// prompt along.

type body struct {
	Components []component
	Stream     bool
}

type component struct {
	Type     string
	Metadata metadata
	Payload  payload
}

type metadata struct{ Source, Version string }

type payload struct {
	Messages   []models.Message
	Provider   *string
	Model      string
	Params     params
	Identifier *string

	// Checked and not used: the model runs in this process.
	endpoint, apiKey *string
}

// params has GitLab's defaults where the caller says nothing.
type params struct {
	Stops       []string
	Temperature *float64
	MaxTokens   int64
}

// settled puts GitLab's defaults where the caller sent null.
func (p params) settled() params {
	if len(p.Stops) == 0 {
		p.Stops = defaultStops
	}
	if p.Temperature == nil {
		p.Temperature = &defaultTemperature
	}
	if p.MaxTokens == 0 {
		p.MaxTokens = mostTokens
	}
	return p
}

var defaultTemperature = 0.2

const (
	mostTokens = 8192
	// defaultModel is what the original answers with for a request that names none.
	defaultModel = "claude-2.0"
)

var defaultStops = []string{"\n\nHuman", "Observation:"}

// anthropicModels and familyNames are all names that any gateway from 17.2 to 17.8 took.
var anthropicModels = schema.Enum(
	"claude-2.0", "claude-2.1", "claude-3-haiku-20240307", "claude-3-opus-20240229", "claude-3-sonnet-20240229",
	"claude-3-5-haiku-20241022", "claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022", "claude-instant-1.2",
)

func familyNames() schema.Kind[string] {
	var names []string
	for _, n := range models.GitLabNames() {
		names = append(names, n.Name)
	}
	return schema.Enum(names...)
}

var contentKind = schema.Union(
	schema.Choice("constrained-str", schema.Convert(schema.Kind[string](schema.String().Max(400_000)), func(text string) []models.Message {
		return []models.Message{{Role: models.User, Content: text}}
	})),
	schema.Choice("list[Message]", schema.Kind[[]models.Message](schema.List(conversation.MessageKind).Min(1).Max(100))),
)

var paramsKind = schema.Object(
	schema.Optional("stop_sequences", schema.OrNull[[]string](schema.List(schema.Kind[string](schema.String().Max(225))).Min(1).Max(10)), func(p *params) *[]string { return &p.Stops }),
	schema.Optional("temperature", schema.Nullable[float64](schema.Float().AtLeast(0).AtMost(1)), func(p *params) **float64 { return &p.Temperature }).Default(&defaultTemperature),
	schema.Optional("max_tokens_to_sample", schema.OrNull[int64](schema.Int().AtLeast(1).AtMost(mostTokens)), func(p *params) *int64 { return &p.MaxTokens }),
)

var payloadKind = schema.Object(
	schema.Required("content", contentKind, func(p *payload) *[]models.Message { return &p.Messages }),
	schema.Optional("provider", schema.Nullable(schema.Members("KindModelProvider", "ANTHROPIC", "anthropic", "LITELLM", "litellm")), func(p *payload) **string { return &p.Provider }),
	schema.Optional("model", schema.OrNull(schema.Union(
		schema.Choice("str-enum[KindAnthropicModel]", anthropicModels),
		schema.Choice("str-enum[KindLiteLlmModel]", familyNames()),
	)), func(p *payload) *string { return &p.Model }),
	schema.Optional("params", schema.OrNull(paramsKind), func(p *payload) *params { return &p.Params }),
	schema.Optional("model_endpoint", schema.Nullable(schema.String()), func(p *payload) **string { return &p.endpoint }),
	schema.Optional("model_api_key", schema.Nullable(schema.String()), func(p *payload) **string { return &p.apiKey }),
	schema.Optional("model_identifier", schema.Nullable(schema.String()), func(p *payload) **string { return &p.Identifier }),
)

var requestKind = schema.Object(
	schema.Required("prompt_components", schema.Kind[[]component](schema.List(schema.Object(
		schema.Required("type", schema.String().Max(100), func(c *component) *string { return &c.Type }),
		schema.Required("metadata", schema.Object(
			schema.Required("source", schema.String().Max(100), func(m *metadata) *string { return &m.Source }),
			schema.Required("version", schema.String().Max(100), func(m *metadata) *string { return &m.Version }),
		), func(c *component) *metadata { return &c.Metadata }),
		schema.Required("payload", payloadKind, func(c *component) *payload { return &c.Payload }),
	)).Min(1).Max(1)), func(b *body) *[]component { return &b.Components }),
	schema.Optional("stream", schema.OrNull(schema.Bool()), func(b *body) *bool { return &b.Stream }),
)
