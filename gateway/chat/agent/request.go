package agent

import (
	"slices"

	"aigw/gateway/conversation"
	"aigw/gateway/schema"
	"aigw/models"
)

// Bodies of POST /v2/chat/agent (section 9.2 of the wire contract). GitLab 17.2 to 17.4 send a prompt
// and a history beside it, 17.5 and later one list of messages; the newest put the steps of the turn
// into a last message of the assistant.

type body struct {
	Messages    []message
	Options     options
	Model       *conversation.Metadata
	Unavailable []string

	// of the older shape
	isOlder bool
	prompt  string
	older   olderOptions
}

type message struct {
	Role       string
	Content    string
	Context    *resource
	File       *file
	Additional []extra
	Steps      []step
	isSteps    bool // it is no text, but what the turn has done so far
}

// resource is what GitLab showed when the person asked.
type resource struct{ Type, Content string }

// file is what is open in an editor.
type file struct {
	Path, Data string
	Selected   bool
}

// extra is context that a person added in an editor.
type extra struct {
	Category    string
	ID, Content *string
}

type options struct{ Scratchpad scratchpad }

type scratchpad struct{ Steps []step }

// step is a tool that was used in this turn.
type step struct{ Thought, Tool, Input, Observation string }

// olderOptions are those of GitLab 17.2 to 17.5.
type olderOptions struct {
	History    []models.Message
	Scratchpad scratchpad
	Context    *resource
	File       *file
	Additional []extra
}

var unavailableByDefault = []string{"Merge Requests, Pipelines, Vulnerabilities"}

var resourceKind = schema.Nullable(schema.Object(
	schema.Required("type", schema.Literal("issue", "epic", "merge_request", "commit", "build"), func(r *resource) *string { return &r.Type }),
	schema.Required("content", schema.String(), func(r *resource) *string { return &r.Content }),
))

var fileKind = schema.Nullable(schema.Object(
	schema.Required("file_path", schema.String(), func(f *file) *string { return &f.Path }),
	schema.Required("data", schema.String(), func(f *file) *string { return &f.Data }),
	schema.Required("selected_code", schema.Bool(), func(f *file) *bool { return &f.Selected }),
))

func extrasOf(category schema.Kind[string]) schema.Kind[[]extra] {
	return schema.OrNull[[]extra](schema.List(schema.Object(
		schema.Required("category", category, func(e *extra) *string { return &e.Category }),
		schema.Optional("id", schema.Nullable[string](schema.String()), func(e *extra) **string { return &e.ID }),
		schema.Optional("content", schema.Nullable[string](schema.String()), func(e *extra) **string { return &e.Content }),
		schema.Optional("metadata", schema.Nullable(schema.AnyObject()), func(*extra) **schema.Value { return new(*schema.Value) }),
	)))
}

var extrasKind = extrasOf(schema.Literal("file", "snippet", "merge_request", "issue", "dependency", "local_git"))

var messageKind = schema.Object(
	schema.Required("role", schema.Enum(models.System, models.User, models.Assistant), func(m *message) *string { return &m.Role }),
	schema.Required("content", schema.String(), func(m *message) *string { return &m.Content }),
	schema.Optional("context", resourceKind, func(m *message) **resource { return &m.Context }),
	schema.Optional("current_file", fileKind, func(m *message) **file { return &m.File }),
	schema.Optional("additional_context", extrasKind, func(m *message) *[]extra { return &m.Additional }),
	schema.Optional("resource_content", schema.Nullable[string](schema.String()), func(*message) **string { return new(*string) }), // not used
)

// stepsMessageKind is a last message that holds the turn's steps instead of a text.
var stepsMessageKind = schema.Convert(schema.Object(
	schema.Required("role", schema.Enum(models.Assistant), func(m *message) *string { return &m.Role }),
	schema.Optional("content", schema.OrNull[string](schema.String()), func(m *message) *string { return &m.Content }),
	schema.Required("agent_scratchpad", schema.OrNull[[]step](schema.List(nestedStepKind)), func(m *message) *[]step { return &m.Steps }),
), func(m message) message { m.isSteps = true; return m })

// nestedStep is a step as the newest GitLab writes it.
type nestedStep struct {
	action      step
	observation string
}

var nestedStepKind = schema.Convert(schema.Object(
	schema.Required("action", schema.Object(
		schema.Required("thought", schema.String(), func(s *step) *string { return &s.Thought }),
		schema.Required("tool", schema.String(), func(s *step) *string { return &s.Tool }),
		schema.Required("tool_input", schema.String(), func(s *step) *string { return &s.Input }),
	), func(s *nestedStep) *step { return &s.action }),
	schema.Required("observation", schema.String(), func(s *nestedStep) *string { return &s.observation }),
), func(s nestedStep) step { s.action.Observation = s.observation; return s.action })

var scratchpadKind = schema.Tagged("agent_type", schema.StringCase("react", "'react'", schema.Object(
	schema.Required("steps", schema.Kind[[]step](schema.List(schema.Object(
		schema.Required("thought", schema.String(), func(s *step) *string { return &s.Thought }),
		schema.Required("tool", schema.String(), func(s *step) *string { return &s.Tool }),
		schema.Required("tool_input", schema.String(), func(s *step) *string { return &s.Input }),
		schema.Required("observation", schema.String(), func(s *step) *string { return &s.Observation }),
	))), func(p *scratchpad) *[]step { return &p.Steps }),
)))

var optionsKind = schema.OrNull(schema.Object(
	schema.Required("agent_scratchpad", scratchpadKind, func(o *options) *scratchpad { return &o.Scratchpad }),
))

var (
	modelField       = schema.Optional("model_metadata", schema.Nullable(conversation.MetadataKind), func(b *body) **conversation.Metadata { return &b.Model })
	unavailableField = schema.Optional("unavailable_resources", schema.OrNull[[]string](schema.List(schema.Kind[string](schema.String()))), func(b *body) *[]string { return &b.Unavailable }).Default(unavailableByDefault)
)

var messagesKind = schema.Object(
	schema.Required("messages", schema.Kind[[]message](schema.List(schema.WithMember("agent_scratchpad", stepsMessageKind, messageKind))), func(b *body) *[]message { return &b.Messages }),
	schema.Optional("options", optionsKind, func(b *body) *options { return &b.Options }),
	modelField,
	unavailableField,
)

// olderKind is the shape of GitLab 17.2 to 17.5. Its history is a text, texts in turn, or messages.
var olderKind = schema.Convert(schema.Object(
	schema.Required("prompt", schema.String(), func(b *body) *string { return &b.prompt }),
	schema.Required("options", schema.Object(
		schema.Required("chat_history", schema.Union(
			schema.Choice("str", schema.Convert(schema.Kind[string](schema.String()), earlier)),
			schema.Choice("list[str]", schema.Convert(schema.Kind[[]string](schema.List(schema.Kind[string](schema.String()))), inTurn)),
			schema.Choice("list[Message]", schema.Kind[[]models.Message](schema.List(conversation.MessageKind))),
		), func(o *olderOptions) *[]models.Message { return &o.History }),
		schema.Required("agent_scratchpad", scratchpadKind, func(o *olderOptions) *scratchpad { return &o.Scratchpad }),
		schema.Optional("context", resourceKind, func(o *olderOptions) **resource { return &o.Context }),
		schema.Optional("current_file", fileKind, func(o *olderOptions) **file { return &o.File }),
		// GitLab 17.4 has no list of categories, and no rights for them.
		schema.Optional("additional_context", extrasOf(schema.String()), func(o *olderOptions) *[]extra { return &o.Additional }),
	), func(b *body) *olderOptions { return &b.older }),
	modelField,
	unavailableField,
), newer)

var requestKind = schema.WithMember("messages", messagesKind, schema.WithMember("prompt", olderKind, messagesKind))

// earlier is a history that GitLab wrote as one text.
func earlier(text string) []models.Message {
	if text == "" {
		return nil
	}
	return []models.Message{{Role: models.User, Content: "Our conversation until now:\n" + text}}
}

// inTurn is a history of texts, the person's first.
func inTurn(texts []string) []models.Message {
	out := make([]models.Message, len(texts))
	for i, text := range texts {
		out[i] = models.Message{Role: models.User, Content: text}
		if i%2 == 1 {
			out[i].Role = models.Assistant
		}
	}
	return out
}

// newer brings a request into the shape of GitLab 17.6.
func newer(b body) body {
	for _, m := range b.older.History {
		b.Messages = append(b.Messages, message{Role: m.Role, Content: m.Content})
	}
	b.Messages = append(b.Messages, message{
		Role: models.User, Content: b.prompt, Context: b.older.Context, File: b.older.File, Additional: b.older.Additional,
	})
	b.Options, b.isOlder = options{b.older.Scratchpad}, true
	return b
}

// categories are those of all additional context for which a right is needed, each once.
func (b body) categories() []string {
	if b.isOlder {
		return nil
	}
	var all []string
	for _, m := range b.Messages {
		for _, e := range m.Additional {
			if !slices.Contains(all, e.Category) {
				all = append(all, e.Category)
			}
		}
	}
	return all
}
