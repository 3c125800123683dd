package codesuggestions

import (
	"errors"
	"slices"

	"aigw/gateway/schema"
)

// Bodies of /v3/code/completions and /v4/code/suggestions: a list of components, of which the
// first says what is wanted and the others bring along code worth knowing.

// component is one member of the list.
type component struct {
	Type     string
	Metadata *source
	Editor   editor  // of the two types for editors
	Context  Context // of code_context
}

// source is the program that sent a component.
type source struct{ Source, Version string }

// The types of components.
const (
	editorCompletion = "code_editor_completion"
	editorGeneration = "code_editor_generation"
	contextOfCode    = "code_context"
)

// editor is the payload of a component that wants code.
type editor struct {
	File         File
	Provider     string
	Stream       bool
	ChoicesCount int64
	ModelName    *string
	Prompt       ownPrompt
	PromptID     string
	Enhancer     *schema.Value
}

// ownPrompt is a prompt of the caller's: a text, a list of messages, or nothing.
type ownPrompt struct {
	Text     string
	Messages []Message
}

// components is a whole body.
type components struct{ List []component }

var sourceKind = schema.Object(
	schema.Required("source", schema.String().Max(255), func(s *source) *string { return &s.Source }),
	schema.Required("version", schema.String().Max(255), func(s *source) *string { return &s.Version }),
)

// editorFields returns the members that both types for editors have.
func editorFields(more ...schema.Field[editor]) schema.Kind[editor] {
	return schema.Object(append([]schema.Field[editor]{
		schema.Required("file_name", schema.String().Trim().Max(255), func(e *editor) *string { return &e.File.Name }),
		schema.Required("content_above_cursor", schema.String().Max(100_000), func(e *editor) *string { return &e.File.Above }),
		schema.Required("content_below_cursor", schema.String().Max(100_000), func(e *editor) *string { return &e.File.Below }),
		schema.Optional("language_identifier", schema.Nullable(schema.String().Max(255)), func(e *editor) **string { return &e.File.Language }),
		schema.Optional("model_provider", schema.OrNull(schema.Enum(vertexAI, anthropic)), func(e *editor) *string { return &e.Provider }),
		schema.Optional("stream", schema.OrNull(schema.Bool()), func(e *editor) *bool { return &e.Stream }),
	}, more...)...)
}

var completionPayload = editorFields(
	schema.Optional("choices_count", schema.OrNull(schema.Int()), func(e *editor) *int64 { return &e.ChoicesCount }),
	schema.Optional("model_name", schema.Nullable(schema.String()), func(e *editor) **string { return &e.ModelName }),
	schema.Optional("prompt", schema.OrNull(schema.Union(
		schema.Choice("str", schema.Convert(schema.Kind[string](schema.String()), func(text string) ownPrompt { return ownPrompt{Text: text} })),
		schema.Choice("list[Message]", schema.Convert(schema.Kind[[]Message](schema.List(message)), func(list []Message) ownPrompt { return ownPrompt{Messages: list} })),
	)), func(e *editor) *ownPrompt { return &e.Prompt }),
)

var generationPayload = editorFields(
	schema.Optional("prompt", schema.OrNull(schema.Convert(schema.Kind[string](schema.String().Max(400_000)), func(text string) ownPrompt { return ownPrompt{Text: text} })),
		func(e *editor) *ownPrompt { return &e.Prompt }),
	schema.Optional("prompt_id", schema.Described(schema.OrNull(schema.String()), schema.Keyword{Name: "enum", Value: []any{definition, "", nil}}), func(e *editor) *string { return &e.PromptID }),
	schema.Optional("prompt_enhancer", schema.Nullable(schema.AnyObject()), func(e *editor) **schema.Value { return &e.Enhancer }),
)

var contextPayload = schema.Object(
	schema.Required("type", schema.String().Max(1024), func(c *Context) *string { return &c.Type }),
	schema.Required("name", schema.String().Max(1024), func(c *Context) *string { return &c.Name }),
	schema.Required("content", schema.String().Max(100_000), func(c *Context) *string { return &c.Content }),
)

// componentKind returns the shape of components of a type. enum is the type's name in the
// original, which messages show.
func componentKind[P any](name, enum string, payload schema.Kind[P], at func(*component) *P) schema.Case[component] {
	named := schema.Enum(name)
	return schema.StringCase(name, "<CodeEditorComponents."+enum+": '"+name+"'>", schema.Object(
		schema.Required("type", named, func(c *component) *string { return &c.Type }),
		schema.Optional("metadata", schema.Nullable(sourceKind), func(c *component) **source { return &c.Metadata }),
		schema.Required("payload", payload, at),
	))
}

var componentsRequest = schema.Object(
	schema.Required("prompt_components", schema.Described[[]component](schema.List(schema.Tagged("type",
		componentKind(editorCompletion, "COMPLETION", completionPayload, func(c *component) *editor { return &c.Editor }),
		componentKind(editorGeneration, "GENERATION", generationPayload, func(c *component) *editor { return &c.Editor }),
		componentKind(contextOfCode, "CONTEXT", contextPayload, func(c *component) *Context { return &c.Context }),
	)).Min(1).Max(100), schema.Keyword{Name: "allOf", Value: []schema.Description{firstRule}}), func(c *components) *[]component { return &c.List }).Check(firstAsks),
)

// firstAsks refuses what the original fails at with 500.
func firstAsks(_ *components, list []component) error {
	if list[0].Type == contextOfCode {
		return errors.New("the first component should be a code_editor_completion or a code_editor_generation")
	}
	return nil
}

// request returns what the first component asks for, in the form of /v2. It names no model: these
// versions know those of clouds only. Other files come along if the editor is one that sends them
// for use.
func (c components) request(withContext bool) Request {
	first := c.List[0].Editor
	r := Request{
		File: first.File, Stream: first.Stream, ChoicesCount: first.ChoicesCount,
		Prompt: first.Prompt.Text, Messages: first.Prompt.Messages, PromptID: first.PromptID,
	}
	if withContext {
		for _, one := range c.List {
			if one.Type == contextOfCode {
				r.Context = append(r.Context, one.Context)
			}
		}
	}
	return r
}

// enhanced adds to a generation what the editor found out about the code around. The names are
// those of the inputs of GitLab's own prompt (section 4.7 of the wire contract).
func (e editor) enhanced(g generation) generation {
	if e.Enhancer == nil || len(g.own) > 0 {
		return g
	}
	inputs, _ := e.Enhancer.Decode().(map[string]any)
	if wish, ok := inputs["user_instruction"].(string); ok && g.instruction == "" {
		g.instruction = wish
	}
	if above, ok := inputs["trimmed_content_above_cursor"].(string); ok && g.file.Above == "" {
		g.file.Above = above
	}
	g.context = slices.Clip(g.context)
	for _, name := range []string{"related_files", "related_snippets", "libraries"} {
		list, _ := inputs[name].([]any)
		for _, one := range list {
			if text, ok := one.(string); ok && text != "" {
				g.context = append(g.context, fileOf(name, text))
			}
		}
	}
	return g
}
