package prompts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"go.yaml.in/yaml/v3"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/models"
)

// Prompt is one version of a prompt. It is not changed once it is made.
type Prompt struct {
	ID      string
	Version *semver.Version

	rights      []auth.UnitPrimitive // all are needed
	temperature *float64             // nil is the model's own
	maxTokens   int
	stops       []string
	required    []string
	reader      *reader         // nil: the prompt is no reader's
	form        *engine.Grammar // of the answer; nil: it is free, or the reader's
	messages    []message
}

type message struct {
	role string
	text *wording
}

// file is a prompt as its file has it.
type file struct {
	ID             string               `yaml:"id"`
	Version        string               `yaml:"version"`
	UnitPrimitives []auth.UnitPrimitive `yaml:"unit_primitives"`
	Temperature    *float64             `yaml:"temperature"`
	MaxTokens      int                  `yaml:"max_tokens"`
	Stops          []string             `yaml:"stops"`
	Required       []string             `yaml:"required"` // inputs without which a request is refused
	Inputs         []string             `yaml:"inputs"`   // further inputs
	Reader         string               `yaml:"reader"`   // the answer identifies what this tool of GitLab reads
	Grammar        yaml.Node            `yaml:"grammar"`  // of the answer, in GBNF
	Messages       []struct {
		Role yaml.Node `yaml:"role"`
		Text yaml.Node `yaml:"text"`
	} `yaml:"messages"`
}

const (
	mostFileBytes = 64 << 10
	mostMessages  = 20
	mostStops     = 10
	mostTokens    = 8192
)

var (
	idForm    = regexp.MustCompile(`^[a-z0-9_-]+(/[a-z0-9_-]+){0,4}$`)
	inputForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	typeNote  = regexp.MustCompile(` (not found )?in type \S+$`)
)

// parsePrompt reads the file of a prompt. Errors begin with its name and the line.
func parsePrompt(name string, data []byte) (*Prompt, error) {
	if len(data) > mostFileBytes {
		return nil, fmt.Errorf("%s:1: the file has more than %d bytes", name, mostFileBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	var f file
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s:%s", name, yamlMistake(err))
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1: one file holds one prompt", name)
	}
	p, key, err := f.prompt()
	if err == nil {
		return p, nil
	}
	line := lineOf(data, key)
	if m := (*mistake)(nil); errors.As(err, &m) {
		return nil, fmt.Errorf("%s:%d: %s", name, m.line, m.text)
	}
	return nil, fmt.Errorf("%s:%d: %w", name, line, err)
}

// yamlMistake says what is wrong with a file's YAML, beginning with the line.
func yamlMistake(err error) string {
	text := err.Error()
	if typed := (*yaml.TypeError)(nil); errors.As(err, &typed) && len(typed.Errors) > 0 {
		text = typeNote.ReplaceAllString(typed.Errors[0], " is unknown")
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "yaml: "), "line ")
	if text == "" || text[0] < '0' || text[0] > '9' {
		text = "1: " + text
	}
	return text
}

// lineOf returns the line where a key of the file stands; 1 if it is absent.
func lineOf(data []byte, key string) int {
	var root yaml.Node
	if yaml.Unmarshal(data, &root) != nil || len(root.Content) == 0 {
		return 1
	}
	for _, node := range root.Content[0].Content {
		if node.Value == key {
			return node.Line
		}
	}
	return 1
}

// prompt checks what the file says. With an error comes the key that it is about.
func (f *file) prompt() (*Prompt, string, error) {
	version, err := semver.StrictNewVersion(f.Version)
	switch {
	case !idForm.MatchString(f.ID):
		return nil, "id", fmt.Errorf("id %q: write one such as chat/explain_code", f.ID)
	case f.ID == react:
		return nil, "id", fmt.Errorf("%s is the agent's own and cannot be replaced", react)
	case err != nil:
		return nil, "version", fmt.Errorf("version %q: write one such as 1.0.0", f.Version)
	case len(f.UnitPrimitives) == 0 || slices.Contains(f.UnitPrimitives, ""):
		return nil, "unit_primitives", errors.New("unit_primitives names the rights that a token needs, at least one")
	case f.Temperature != nil && !(*f.Temperature >= 0 && *f.Temperature <= 2):
		return nil, "temperature", fmt.Errorf("temperature %g: from 0 to 2", *f.Temperature)
	case f.MaxTokens < 1 || f.MaxTokens > mostTokens:
		return nil, "max_tokens", fmt.Errorf("max_tokens %d: from 1 to %d", f.MaxTokens, mostTokens)
	case len(f.Stops) > mostStops || slices.Contains(f.Stops, ""):
		return nil, "stops", fmt.Errorf("stops has at most %d texts, none of them empty", mostStops)
	case len(f.Messages) == 0 || len(f.Messages) > mostMessages:
		return nil, "messages", fmt.Errorf("messages has from 1 to %d of them", mostMessages)
	}
	p := &Prompt{
		ID: f.ID, Version: version, rights: f.UnitPrimitives, temperature: f.Temperature, maxTokens: f.MaxTokens,
		stops: f.Stops, required: f.Required,
	}
	known := slices.Concat(f.Required, f.Inputs)
	for _, name := range known {
		if !inputForm.MatchString(name) {
			return nil, "inputs", fmt.Errorf("input %q: write a name such as selected_text", name)
		}
	}
	if f.Reader != "" {
		if p.reader, err = newReader(f.Reader); err != nil {
			return nil, "reader", err
		}
	}
	if text := f.Grammar.Value; text != "" {
		if p.reader != nil {
			return nil, "grammar", errors.New("a reader's prompt has its own grammar")
		}
		if p.form, err = engine.ParseGrammar(text); err != nil {
			return nil, "grammar", f.grammarMistake(err)
		}
	}
	for i, m := range f.Messages {
		if role := m.Role.Value; role != models.System && role != models.User && role != models.Assistant {
			return nil, "messages", &mistake{max(1, m.Role.Line), fmt.Sprintf("role %q: system, user or assistant", role)}
		}
		if m.Role.Value == models.Assistant && i == len(f.Messages)-1 && p.reader != nil {
			return nil, "messages", &mistake{m.Role.Line, "the answer to a reader's prompt cannot be begun: it is a whole object"}
		}
		text, err := f.wording(&m.Text, known)
		if err != nil {
			return nil, "messages", err
		}
		p.messages = append(p.messages, message{m.Role.Value, text})
	}
	return p, "", nil
}

// grammarMistake gives a mistake in the grammar the line of the file.
func (f *file) grammarMistake(err error) error {
	wrong := (*engine.GrammarError)(nil)
	if !errors.As(err, &wrong) {
		return err
	}
	line := f.Grammar.Line + wrong.Line - 1
	if f.Grammar.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line++
	}
	return &mistake{max(1, line), "grammar: " + wrong.Reason}
}

// wording reads a message's text. Lines of its errors are those of the file.
func (f *file) wording(node *yaml.Node, known []string) (*wording, error) {
	first := max(1, node.Line)
	if node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		first++
	}
	text := strings.TrimRight(node.Value, "\n")
	w, err := parseWording(text)
	if m := (*mistake)(nil); errors.As(err, &m) {
		m.line += first - 1
		return nil, m
	}
	if err != nil {
		return nil, err
	}
	for _, name := range w.names {
		if !slices.Contains(known, name) {
			line := first + strings.Count(text[:max(0, strings.Index(text, "."+name))], "\n")
			return nil, &mistake{line, fmt.Sprintf("%s is not among required and inputs", name)}
		}
	}
	return w, nil
}

// missing returns the required inputs that are not there.
func (p *Prompt) missing(inputs map[string]string) []string {
	return slices.DeleteFunc(slices.Clone(p.required), func(name string) bool {
		_, ok := inputs[name]
		return ok
	})
}

// grammar is what the answer is confined to; nil is nothing.
func (p *Prompt) grammar(inputs map[string]string) *engine.Grammar {
	if p.form != nil {
		return p.form
	}
	return p.reader.grammar(inputs)
}

// render makes the conversation.
func (p *Prompt) render(inputs map[string]string) ([]models.Message, error) {
	out := make([]models.Message, len(p.messages))
	for i, m := range p.messages {
		text, err := m.text.render(inputs)
		if err != nil {
			return nil, err
		}
		out[i] = models.Message{Role: m.role, Content: text}
	}
	return out, nil
}

// alike is the conversation with other inputs in the place of these: what both begin with is the prompt's own text.
func (p *Prompt) alike(inputs map[string]string) []models.Message {
	others := make(map[string]string, len(inputs))
	for name, text := range inputs {
		if text != "" {
			others[name] = "\u2026" // an ellipsis: hardly any input begins with it
		} else {
			others[name] = ""
		}
	}
	messages, err := p.render(others)
	if err != nil {
		return nil // these inputs were rendered; others are shorter
	}
	return messages
}
