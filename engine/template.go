package engine

import (
	"errors"
	"fmt"

	"aigw/engine/llama"
	"aigw/models"
)

// Template runs the chat template of a model's file. It may be used concurrently.
type Template struct{ t *llama.Template }

var _ models.ToolTemplate = (*Template)(nil)

// Template returns the chat template of the model's file, which lives as long as the vocabulary. It has
// been tried: one that does not come to an end, or cannot be read, is an error.
func (v *Vocabulary) Template() (*Template, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.template != nil {
		return v.template, nil
	}
	source, ok := v.v.ChatTemplate()
	if !ok {
		return nil, errors.New("the model's file has no chat template")
	}
	text := func(token llama.Token, ok bool) string {
		if !ok {
			return ""
		}
		return v.v.Text(token)
	}
	t, err := llama.ParseTemplate(source, text(v.v.BOS()), text(v.v.EOS()))
	if err != nil {
		return nil, fmt.Errorf("read the template in the model's file: %w", err)
	}
	made := &Template{t}
	if _, err := made.Render([]models.Message{{Role: models.User, Content: "Hello"}}); err != nil {
		return nil, errors.Join(fmt.Errorf("try the template in the model's file: %w", err), t.Close())
	}
	v.template = made
	return made, nil
}

// closeTemplate frees the template, if there is one.
func (v *Vocabulary) closeTemplate() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.template == nil {
		return nil
	}
	return v.template.t.Close()
}

// Tools implements models.ToolTemplate.
func (t *Template) Tools() bool { return t.t.Tools && t.t.ToolCalls }

// RenderTools implements models.ToolTemplate.
func (t *Template) RenderTools(conversation []byte, text func(string) string) (string, error) {
	return t.t.RenderTree(conversation, text)
}

// Render implements models.Template. Where the template refuses messages of the system, they become the
// beginning of the first message of the user.
func (t *Template) Render(messages []models.Message) (string, error) {
	var out []llama.Message
	system := ""
	for _, m := range messages {
		switch {
		case m.Role == models.System && !t.t.SystemRole:
			system += m.Content + "\n\n"
			continue
		case m.Role == models.User:
			m.Content, system = system+m.Content, ""
		}
		out = append(out, llama.Message{Role: m.Role, Content: m.Content})
	}
	if system != "" { // nobody of the user's came
		out = append(out, llama.Message{Role: models.User, Content: system})
	}
	return t.t.Render(out)
}
