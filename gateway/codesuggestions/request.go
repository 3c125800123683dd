package codesuggestions

import (
	"fmt"
	"slices"

	"aigw/gateway/schema"
)

// Request is the body of a code suggestion. Lengths are checked; texts are valid UTF-8.
type Request struct {
	ProjectPath     *string
	ProjectID       *int64
	File            File
	Provider        string // empty if null or absent
	ModelName       *string
	ModelIdentifier *string
	Telemetry       []Telemetry
	Stream          bool
	ChoicesCount    int64
	Context         []Context
	Prompt          string    // prompt_version 2: the text to continue or, with PromptID, the instruction
	Messages        []Message // prompt_version 3
	PromptID        string    // generations: the gateway writes the prompt

	// Checked and not used, not even logged: the model runs in this process.
	endpoint, apiKey *string
}

// File is the file at the cursor.
type File struct {
	Name     string
	Language *string // the editor's id of the language
	Above    string
	Below    string
}

// Context is another piece of code worth knowing.
type Context struct{ Type, Name, Content string }

// Message is a part of a conversation with a model.
type Message struct{ Role, Content string }

// Telemetry is what an editor reports about suggestions that it showed.
type Telemetry struct {
	Engine, Model, Language   string
	Experiments               []Experiment
	Requests, Accepts, Errors int64
}

// Experiment is a variant that a report belongs to.
type Experiment struct {
	Name    string
	Variant int64
}

// Providers that a request can name, and the answer to every other one.
const (
	anthropic = "anthropic"
	vertexAI  = "vertex-ai"
)

var providers = []string{anthropic, vertexAI, "litellm", "codestral", "fireworks_ai"}

var provider = schema.Enum(providers...)

var message = schema.Named("Message", schema.Object(
	schema.Required("role", schema.Enum("system", "user", "assistant"), func(m *Message) *string { return &m.Role }),
	schema.Required("content", schema.String(), func(m *Message) *string { return &m.Content }),
))

var currentFile = schema.Named("CurrentFile", schema.Object(
	schema.Required("file_name", schema.String().Trim().Max(255), func(f *File) *string { return &f.Name }),
	schema.Optional("language_identifier", schema.Nullable(schema.String().Max(255)), func(f *File) **string { return &f.Language }),
	schema.Required("content_above_cursor", schema.String().Max(100_000), func(f *File) *string { return &f.Above }),
	schema.Required("content_below_cursor", schema.String().Max(100_000), func(f *File) *string { return &f.Below }),
))

var experiment = schema.Object(
	schema.Required("name", schema.String(), func(e *Experiment) *string { return &e.Name }),
	schema.Required("variant", schema.Int(), func(e *Experiment) *int64 { return &e.Variant }),
)

var telemetry = schema.Named("Telemetry", schema.Object(
	schema.Optional("model_engine", schema.OrNull(schema.String().Max(50)), func(t *Telemetry) *string { return &t.Engine }),
	schema.Optional("model_name", schema.OrNull(schema.String().Max(50)), func(t *Telemetry) *string { return &t.Model }),
	schema.Optional("lang", schema.OrNull(schema.String().Max(50)), func(t *Telemetry) *string { return &t.Language }),
	schema.Optional("experiments", schema.OrNull[[]Experiment](schema.List(experiment)), func(t *Telemetry) *[]Experiment { return &t.Experiments }),
	schema.Required("requests", schema.Int(), func(t *Telemetry) *int64 { return &t.Requests }),
	schema.Required("accepts", schema.Int(), func(t *Telemetry) *int64 { return &t.Accepts }),
	schema.Required("errors", schema.Int(), func(t *Telemetry) *int64 { return &t.Errors }),
))

var codeContext = schema.Named("CodeContext", schema.Object(
	schema.Required("type", schema.String().Max(1024), func(c *Context) *string { return &c.Type }),
	schema.Required("name", schema.String().Max(1024), func(c *Context) *string { return &c.Name }),
	schema.Required("content", schema.String().Max(500_000), func(c *Context) *string { return &c.Content }),
))

// fields returns the members that all versions of a request have, in the original's order, which
// is the order of errors.
func fields(useCase string) []schema.Field[Request] {
	nullable := schema.Nullable(schema.String())
	return []schema.Field[Request]{
		schema.Optional("project_path", schema.Nullable(schema.String().Trim().Max(255)), func(r *Request) **string { return &r.ProjectPath }),
		schema.Optional("project_id", schema.Nullable(schema.Int()), func(r *Request) **int64 { return &r.ProjectID }),
		schema.Required("current_file", currentFile, func(r *Request) *File { return &r.File }),
		schema.Optional("model_provider", schema.OrNull(provider), func(r *Request) *string { return &r.Provider }),
		schema.Optional("model_name", schema.Nullable(schema.String().Trim().Max(50)), func(r *Request) **string { return &r.ModelName }).
			Check(knownModel(useCase)),
		schema.Optional("model_endpoint", nullable, func(r *Request) **string { return &r.endpoint }),
		schema.Optional("model_api_key", nullable, func(r *Request) **string { return &r.apiKey }),
		schema.Optional("model_identifier", nullable, func(r *Request) **string { return &r.ModelIdentifier }),
		schema.Optional("telemetry", schema.List(telemetry).Max(10), func(r *Request) *[]Telemetry { return &r.Telemetry }),
		schema.Optional("stream", schema.OrNull(schema.Bool()), func(r *Request) *bool { return &r.Stream }),
		schema.Optional("choices_count", schema.OrNull(schema.Int()), func(r *Request) *int64 { return &r.ChoicesCount }),
		schema.Optional("context", schema.List(codeContext).Max(100), func(r *Request) *[]Context { return &r.Context }),
	}
}

// completionRequest is the body of /v2/code/completions.
var completionRequest = schema.Tagged("prompt_version",
	schema.IntCase(1, version(schema.Object(fields("code completions")...))),
	schema.IntCase(2, version(schema.Object(append(fields("code completions"),
		schema.Optional("prompt", schema.OrNull(schema.String()), func(r *Request) *string { return &r.Prompt }))...))),
	schema.IntCase(3, version(schema.Object(append(fields("code completions"),
		schema.Optional("prompt", schema.OrNull[[]Message](schema.List(message)), func(r *Request) *[]Message { return &r.Messages }))...))),
)

// generationRequest is the body of /v2/code/generations.
var generationRequest = schema.Tagged("prompt_version",
	schema.IntCase(1, version(schema.Object(generationFields()...), definitionRule())),
	schema.IntCase(2, version(schema.Object(append(generationFields(),
		schema.Required("prompt", schema.String(), func(r *Request) *string { return &r.Prompt }))...), definitionRule())),
	schema.IntCase(3, version(schema.Object(append(generationFields(),
		schema.Required("prompt", schema.List(message), func(r *Request) *[]Message { return &r.Messages }))...), definitionRule())),
)

func generationFields() []schema.Field[Request] {
	return append(fields("code generations"),
		schema.Optional("prompt_id", schema.OrNull(schema.String()), func(r *Request) *string { return &r.PromptID }))
}

// families are the names of all models that any gateway from 17.2 to 17.8 took from GitLab for a
// self-hosted model, and those that GitLab can store without them. Which model answers does not
// depend on it.
var families = []string{
	"claude_3", "claude_3.5", "codegemma", "codegemma_2b", "codegemma_7b",
	"codellama", "codellama:code", "codellama_13b_code", "codestral", "codestral@2405",
	"deepseekcoder", "gpt", "llama3", "mistral", "mistral_text",
	"mixtral", "mixtral_8x22b", "mixtral_8x22b_text", "mixtral_text", "qwen2p5-coder-7b",
}

// cloudModels are names that GitLab sends along with a cloud provider; the local model serves
// them too.
var cloudModels = map[string][]string{
	anthropic: {
		"claude-2.0", "claude-2.1", "claude-3-haiku-20240307", "claude-3-opus-20240229", "claude-3-sonnet-20240229",
		"claude-3-5-haiku-20241022", "claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022",
	},
	vertexAI: {
		"claude-3-5-sonnet@20240620", "claude-3-5-sonnet-v2@20241022", "code-bison@002", "code-gecko@002", "text-bison@002",
	},
}

// knownModel returns the rule for model_name. It applies only where a provider is named, and then
// also to null.
func knownModel(useCase string) func(*Request, *string) error {
	return func(r *Request, name *string) error {
		if r.Provider == "" {
			return nil
		}
		shown := "None"
		if name != nil {
			if slices.Contains(families, *name) || slices.Contains(cloudModels[r.Provider], *name) {
				return nil
			}
			shown = *name
		}
		return fmt.Errorf("model %s is not supported by use case %s and provider %s", shown, useCase, r.Provider)
	}
}

// isKnown reports whether any provider has a model of a name.
func isKnown(name string) bool {
	for _, names := range cloudModels {
		if slices.Contains(names, name) {
			return true
		}
	}
	return slices.Contains(families, name)
}
