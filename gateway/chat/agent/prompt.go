package agent

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"aigw/engine"
	"aigw/models"
)

// The prompt of a turn has what never changes at its beginning (the rules, the tools), so that it is computed
// once for everybody; then the conversation; and last what the turn has done so far, as the beginning of
// the answer that the model continues behind "Thought:" (section 9.4 of the wire contract).

//go:embed system.tmpl
var systemText string

var systemTemplate = template.Must(template.New("system").Funcs(template.FuncMap{"join": strings.Join}).Parse(systemText))

// systemMessage is the text with the rules.
func systemMessage(offered []tool, unavailable []string) string {
	var data struct {
		Tools                          []tool
		Names, Accessible, Unavailable []string
		ReadsIssues                    bool
	}
	data.Tools, data.Unavailable = offered, unavailable
	for _, t := range offered {
		data.Names = append(data.Names, t.Name)
		data.Accessible = append(data.Accessible, t.Resource)
	}
	data.ReadsIssues = offers(offered, "issue_reader") || offers(offered, "epic_reader")
	var b strings.Builder
	if err := systemTemplate.Execute(&b, data); err != nil {
		panic(err) // an error of the program: the template is part of it
	}
	return strings.TrimSpace(b.String())
}

func offers(offered []tool, name string) bool {
	for _, t := range offered {
		if t.Name == name {
			return true
		}
	}
	return false
}

var (
	errSystemMessage = errors.New("a message of the conversation has the role system, which is the gateway's own")
	errNotTheUser    = errors.New("the last message of the conversation is not the user's")
)

// turn is a request as messages to a model.
type turn struct {
	messages []models.Message  // system, conversation, the beginning of the answer
	choice   []engine.Weighted // between the tools and an answer
	last     int               // how many at the end belong to this turn: they are never left out
}

// newTurn lays out a request.
func newTurn(b body, offered []tool) (turn, error) {
	steps := b.Options.Scratchpad.Steps
	history := b.Messages
	if n := len(history); n > 0 && history[n-1].isSteps {
		steps, history = append(steps, history[n-1].Steps...), history[:n-1]
	}
	if n := len(history); n == 0 || history[n-1].Role != models.User {
		return turn{}, errNotTheUser
	}
	found := evident(history[len(history)-1], steps, offered)
	t := turn{choice: choice(history, steps, found, offered), messages: []models.Message{{Role: models.System, Content: systemMessage(offered, b.Unavailable)}}, last: 2}
	for _, m := range history {
		switch m.Role {
		case models.System:
			return turn{}, errSystemMessage
		case models.User:
			t.messages = append(t.messages, models.Message{Role: models.User, Content: m.text()})
		default:
			t.messages = append(t.messages, models.Message{Role: models.Assistant, Content: m.Content})
		}
	}
	t.messages[len(t.messages)-1].Content += note(history[len(history)-1].Content, found)
	t.messages = append(t.messages, models.Message{Role: models.Assistant, Content: begun(steps)})
	return t, nil
}

// alike is what the turns of all conversations with the same tools begin with.
func (t turn) alike() []models.Message {
	return []models.Message{t.messages[0], {Role: models.User}}
}

// begun is how the answer begins: with what was done in this turn.
func begun(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "Thought: %s\nAction: %s\nAction Input: %s\nObservation: %s\n", unescape(s.Thought), unescape(s.Tool), s.Input, s.Observation)
	}
	b.WriteString("Thought:")
	return b.String()
}

// text is a question with what belongs to it.
func (m message) text() string {
	var b strings.Builder
	if m.Context != nil {
		fmt.Fprintf(&b, "I am looking at this %s in GitLab:\n<resource>\n%s\n</resource>\n\n", strings.ReplaceAll(m.Context.Type, "_", " "), m.Context.Content)
	}
	if f := m.File; f != nil {
		if f.Selected {
			fmt.Fprintf(&b, "I have selected this code in the file %s:\n<selected_code>\n%s\n</selected_code>\n\n", f.Path, f.Data)
		} else {
			fmt.Fprintf(&b, "The file %s is open in my editor:\n<file>\n%s\n</file>\n\n", f.Path, f.Data)
		}
	}
	for _, e := range m.Additional {
		fmt.Fprintf(&b, "Additional context:\n<additional_context>\n<category>%s</category>\n", e.Category)
		if e.ID != nil {
			fmt.Fprintf(&b, "<id>%s</id>\n", *e.ID)
		}
		if e.Content != nil {
			fmt.Fprintf(&b, "<content>\n%s\n</content>\n", *e.Content)
		}
		b.WriteString("</additional_context>\n\n")
	}
	b.WriteString(m.Content)
	return b.String()
}
