package openai

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	"github.com/gin-gonic/gin"

	"aigw/gateway/openapi"
	"aigw/gateway/schema"
)

// The door has a document of its own: what it takes, how it is opened and what its errors are like have nothing in
// common with GitLab's routes. It is there while the door is open, for those who have a key.

// documentPath is no route that can be spelled without /v1: /openapi.json is GitLab's.
const documentPath = "/v1/openapi.json"

// operations are the door's routes, under the paths that Canonical makes of all their spellings. Their handlers are
// in routes.
var operations = []openapi.Operation{
	{Method: http.MethodGet, Path: "/v1/models", Tag: "Models", Summary: "List the models that answer", Text: "Each is listed by its name and by the others that it answers to.",
		Answers: answers("The models that the key may ask.", openapi.JSON[modelList]())},
	{Method: http.MethodGet, Path: "/v1/models/*id", Tag: "Models", Summary: "Show one of them",
		Answers: append(answers("The model.", openapi.JSON[modelCard]()), openapi.In("Error", http.StatusNotFound, "There is no such model."))},
	{Method: http.MethodPost, Path: chatPath, Tag: "Chat", Summary: "Continue a conversation", Text: "A conversation that is nothing but a family's markers around code is filled in, whichever family they are of.",
		Body: chatBody, Answers: answers("What the model says, whole or in pieces.", openapi.JSON[chatAnswer](), streamed)},
	{Method: http.MethodPost, Path: "/v1/completions", Tag: "Completions", Summary: "Continue a text, or fill in what belongs before suffix",
		Body: completionBody, Answers: answers("What follows, whole or in pieces.", openapi.JSON[completionAnswer](), streamed)},
	{Method: http.MethodPost, Path: "/completion", Tag: "Completions", Summary: "Continue a text, in llama-server's form",
		Body: nativeBody("prompt"), Answers: answers("What follows, whole or in pieces: one answer, or a list where there are several prompts.", nativeContent, streamed)},
	{Method: http.MethodPost, Path: "/infill", Tag: "Completions", Summary: "Fill in between two texts, in llama-server's form",
		Body: nativeBody("input_prefix", "input_suffix"), Answers: answers("What belongs between, whole or in pieces.", nativeContent, streamed)},
	{Method: http.MethodPost, Path: "/v1/embeddings", Tag: "Embeddings", Summary: "Compute embeddings of texts",
		Body: embeddingBody, Answers: answers("The embeddings, of length 1.", openapi.JSON[embeddingAnswer]())},
	{Method: http.MethodPost, Path: "/tokenize", Tag: "Tokens", Summary: "Take a text apart into tokens",
		Body: openapi.Taken[tokenizeRequest](nil), Answers: answers("The tokens, with_pieces with their texts.", openapi.JSON[struct {
			Tokens []any `json:"tokens"`
		}]())},
	{Method: http.MethodPost, Path: "/detokenize", Tag: "Tokens", Summary: "Put tokens together to a text",
		Body: openapi.Taken[detokenizeRequest](nil), Answers: answers("The text.", openapi.JSON[detokenized]())},
	{Method: http.MethodGet, Path: HealthPath, Tag: "State", Summary: "Do all models answer?", Public: true,
		Answers: append(answers("Yes.", openapi.JSON[map[string]string]()), openapi.In("Error", http.StatusServiceUnavailable, "Not yet: a model is loading or failed, or the server stops."))},
	{Method: http.MethodGet, Path: "/props", Tag: "State", Summary: "Tell what llama-server's clients ask for first", Query: []string{"model"},
		Answers: append(answers("What the model that is named, or that of completions, is and holds.", openapi.JSON[properties]()), openapi.In("Error", http.StatusNotFound, "There is no such model."))},
	{Method: http.MethodGet, Path: documentPath, Tag: "State", Summary: "This document", Answers: answers("OpenAPI 3.1.", openapi.Content{Type: "application/json", Schema: openapi.Kind("object")})},
}

// streamed is the content of streams: lines of data with JSON in OpenAI's or llama-server's form.
var streamed = openapi.Text("text/event-stream")

func answers(about string, types ...openapi.Content) []openapi.Answer {
	return []openapi.Answer{{Status: http.StatusOK, About: about, Types: types}}
}

// limits are those of the members that all routes which generate share.
var limits = func() openapi.Limits {
	out := openapi.Limits{
		"n":               openapi.Within(1, mostChoices),
		"n_cmpl":          openapi.Within(1, mostChoices),
		"max_tokens":      {{Name: "minimum", Value: 1}},
		"response_format": formats,
	}
	for _, b := range bounds {
		out[b.name] = openapi.Within(b.least, b.most)
	}
	return out
}()

func with(more openapi.Limits) openapi.Limits {
	out := openapi.Limits{}
	for _, all := range []openapi.Limits{limits, more} {
		for name, limit := range all {
			out[name] = limit
		}
	}
	return out
}

// formats are the kinds of response_format; those of llama-server have the schema beside the type.
var formats = schema.Description{{Name: "properties", Value: schema.Description{
	{Name: "type", Value: openapi.Either(openapi.OneOf("", "text", "json_object", "json_schema"), openapi.Kind("null"))},
	{Name: "json_schema", Value: openapi.Either(openapi.Kind("object"), openapi.Kind("null"))},
	{Name: "schema", Value: schema.Description{}},
}}}

// called are the forms of tool_choice and of function_call, its older name.
func called(words ...string) schema.Description {
	return schema.Description{{Name: "anyOf", Value: []schema.Description{openapi.OneOf(words...), openapi.Kind("object"), openapi.Kind("null")}}}
}

var (
	functions = schema.Description{{Name: "pattern", Value: toolName.String()}}
	chatBody  = openapi.Taken[chatRequest](with(openapi.Limits{
		"messages":              {{Name: "minItems", Value: 1}},
		"messages.role":         {{Name: "enum", Value: []string{"developer", "system", "user", "assistant", "tool", "function"}}},
		"max_completion_tokens": {{Name: "minimum", Value: 1}},
		"top_logprobs":          openapi.Within(0, mostLogprobs),
		"tools":                 {{Name: "maxItems", Value: mostTools}},
		"tools.function.name":   functions,
		"functions":             {{Name: "maxItems", Value: mostTools}},
		"functions.name":        functions,
		"tool_choice":           called("none", "auto", "required", "any"),
		"function_call":         called("none", "auto"),
		"tools.type":            {{Name: "enum", Value: []string{"", "function"}}},
	}), "messages", "messages.role")
	completionBody = openapi.Taken[completionRequest](with(openapi.Limits{
		"logprobs": openapi.Within(0, mostLogprobs),
		"best_of":  openapi.Within(1, mostChoices),
	}), "prompt")
	embeddingBody = openapi.Taken[embeddingRequest](openapi.Limits{
		"encoding_format": {{Name: "enum", Value: []string{"", "float", "base64"}}},
	}, "input")
)

func nativeBody(required ...string) func(*schema.Definitions) schema.Description {
	return openapi.Taken[nativeRequest](with(openapi.Limits{"n_probs": openapi.Within(0, mostLogprobs)}), required...)
}

// nativeContent are answers in llama-server's form; response_fields leaves members out.
var nativeContent = openapi.Content{Type: "application/json", Schema: openapi.Either(openapi.Kind("object"), openapi.List(openapi.Kind("object")))}

// Shape implements openapi.Shaped.
func (texts) Shape() schema.Description {
	return openapi.Either(openapi.Kind("string"), openapi.List(openapi.Either(openapi.Kind("string"), openapi.Kind("null")), schema.Keyword{Name: "maxItems", Value: mostStops}))
}

// Shape implements openapi.Shaped.
func (chatContent) Shape() schema.Description {
	return openapi.Either(openapi.Kind("string"), openapi.List(openapi.Kind("object",
		schema.Keyword{Name: "properties", Value: schema.Description{{Name: "type", Value: openapi.OneOf("text")}, {Name: "text", Value: openapi.Either(openapi.Kind("string"), openapi.Kind("null"))}}},
		schema.Keyword{Name: "required", Value: []string{"type"}})))
}

// someTokens are the tokens of one prompt.
var someTokens = openapi.List(openapi.Either(openapi.Kind("integer", openapi.Within(math.MinInt32, math.MaxInt32)...), openapi.Kind("null")), schema.Keyword{Name: "minItems", Value: 1})

func texted(most int) schema.Description {
	return openapi.Either(openapi.Kind("string"), someTokens, openapi.List(openapi.Either(openapi.Kind("string"), someTokens),
		schema.Keyword{Name: "minItems", Value: 1}, schema.Keyword{Name: "maxItems", Value: most}))
}

// Shape implements openapi.Shaped.
func (prompts) Shape() schema.Description { return texted(mostPrompts) }

// Shape implements openapi.Shaped.
func (inputs) Shape() schema.Description { return texted(mostInputs) }

// Shape implements openapi.Shaped.
func (biases) Shape() schema.Description {
	amount := openapi.Either(openapi.Kind("number", openapi.Within(-100, 100)...), schema.Description{{Name: "const", Value: false}})
	return openapi.Either(
		openapi.Kind("object", schema.Keyword{Name: "propertyNames", Value: schema.Description{{Name: "pattern", Value: `^"*[+-]?[0-9]+"*$`}}}, schema.Keyword{Name: "additionalProperties", Value: amount}),
		openapi.List(openapi.List(schema.Description{}, schema.Keyword{Name: "minItems", Value: 2}, schema.Keyword{Name: "maxItems", Value: 2})),
	)
}

// manners are what all routes of the door have in common.
var manners = &openapi.Manners{
	Summary: "OpenAI's API and llama-server's, answered by models that run in this process",
	Schemes: schema.Description{{Name: "key", Value: schema.Description{{Name: "type", Value: "http"}, {Name: "scheme", Value: "bearer"}}}},
	Forms:   schema.Description{{Name: "Error", Value: openapi.Of[errorBody]()}},
	Refusals: func(op openapi.Operation, authenticated bool) (all []openapi.Answer) {
		in := func(status int, about string) { all = append(all, openapi.In("Error", status, about)) }
		if authenticated && !op.Public {
			in(http.StatusUnauthorized, "The key is missing or not known.")
		}
		if !op.Public {
			in(http.StatusForbidden, "The door is open without a key, and a page of another origin or somebody from elsewhere asks.")
			in(http.StatusServiceUnavailable, "A model is loading, or the server stops; Retry-After says for how long.")
		}
		if op.Body != nil {
			in(http.StatusBadRequest, "The body is not what is described here, or the model cannot do it; param names the member. With the code context_length_exceeded the prompt does not fit.")
			in(http.StatusNotFound, "No model has this name.")
			in(http.StatusRequestTimeout, "The body did not arrive in time.")
			in(http.StatusRequestEntityTooLarge, "The body is too large.")
			in(http.StatusUnprocessableEntity, "The prompt was running when the model's process crashed, twice.")
			in(http.StatusTooManyRequests, "All places are taken, or a limit is reached; Retry-After says for how long.")
		}
		return append(all, openapi.Answer{Status: http.StatusRequestHeaderFieldsTooLarge, About: "The headers are too large.", Types: []openapi.Content{openapi.JSON[struct {
			Detail string `json:"detail"`
		}]()}})
	},
}

// document answers GET /v1/openapi.json.
func (room *Room) document(c *gin.Context) { c.Data(http.StatusOK, "application/json", room.described) }

// describe writes the document.
func (room *Room) describe() []byte {
	text, err := json.Marshal(openapi.Document(openapi.Info{Version: room.Version, Authenticated: !room.Open, Manners: manners}, operations))
	if err != nil {
		panic(fmt.Errorf("the API cannot be described: %w", err)) // an error of the program, found at start-up
	}
	return text
}
