package models

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Template renders the chat template of a model file: a program in the Jinja language, which an
// engine runs. The texts of special tokens (bos_token and so on) are those of the file.
type Template interface {
	// Render writes messages, followed by the beginning of the assistant's answer.
	Render(messages []Message) (string, error)
}

// templateChat lays out conversations for a model of which only the template in its file is
// known. To keep texts of users from becoming tokens, the template is rendered with marks in
// place of them; in the rest, control pieces become tokens, and the texts are put back in.
type templateChat struct {
	enc      *encoder
	bos      []Token
	bosText  string
	controls []controlText // longest first
	template Template
	// ownSpace says that the tokenizer puts a space before each text, and that the template's own one
	// there is meant to be that.
	ownSpace bool
}

type controlText struct {
	text string
	id   Token
}

func newTemplateChat(r Recognition, enc *encoder, bos []Token, template Template) *templateChat {
	l := &templateChat{enc: enc, bos: bos, template: template}
	for id, text := range r.control {
		l.controls = append(l.controls, controlText{text, id})
		if len(bos) > 0 && id == bos[0] {
			l.bosText = text
		}
	}
	slices.SortFunc(l.controls, func(a, b controlText) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), cmp.Compare(a.id, b.id))
	})
	return l
}

// Marks stand for texts while the template is rendered: private-use characters that no template
// looks at. White space around them shows whether the template trims a text.
const (
	markOpen, markClose = "\uE000", "\uE001"
	markLeft, markRight = "\n\t", "\t\n"
)

func (l *templateChat) lay(messages []Message) ([]Token, error) {
	prefill := ""
	if n := len(messages) - 1; messages[n].Role == Assistant {
		prefill, messages = messages[n].Content, messages[:n]
	}
	marked := make([]Message, len(messages))
	for i, m := range messages {
		marked[i] = m
		if m.Content != "" { // templates ask whether there is a text
			marked[i].Content = fmt.Sprint(markLeft, markOpen, i, markClose, markRight)
		}
	}
	rendered, err := l.template.Render(marked)
	if err != nil {
		return nil, fmt.Errorf("the chat template of the model cannot be used for this conversation: %w", err)
	}
	return l.tokens(rendered, messages, prefill)
}

// tokens reads a text of the template, in which marks stand for the messages' texts, and adds the beginning
// of the answer.
func (l *templateChat) tokens(rendered string, messages []Message, prefill string) ([]Token, error) {
	out := append([]Token{}, l.bos...)
	if l.bosText != "" {
		rendered = strings.TrimPrefix(rendered, l.bosText)
	}
	var text strings.Builder
	flush := func() error {
		s := text.String()
		if l.ownSpace {
			s = strings.TrimPrefix(s, " ")
		}
		ids, err := l.enc.text(s)
		out = append(out, ids...)
		text.Reset()
		return err
	}
	for rendered != "" {
		if content, rest, ok := l.content(rendered, messages); ok {
			text.WriteString(content)
			rendered = rest
			continue
		}
		if c, ok := l.control(rendered); ok {
			if err := flush(); err != nil {
				return nil, err
			}
			out = append(out, c.id)
			rendered = rendered[len(c.text):]
			continue
		}
		if rest, ok := strings.CutPrefix(rendered, split); ok {
			rendered = rest
			continue
		}
		text.WriteByte(rendered[0])
		rendered = rendered[1:]
	}
	text.WriteString(prefill)
	return out, flush()
}

// content takes the mark of a text from the beginning of rendered and returns that text, trimmed
// as the template trimmed the mark.
func (l *templateChat) content(rendered string, messages []Message) (text, rest string, ok bool) {
	rest, untrimmed := strings.CutPrefix(rendered, markLeft+markOpen)
	if !untrimmed {
		if rest, ok = strings.CutPrefix(rendered, markOpen); !ok {
			return "", "", false
		}
	}
	number, rest, ok := strings.Cut(rest, markClose)
	var i int
	if _, err := fmt.Sscanf(number, "%d", &i); !ok || err != nil || i < 0 || i >= len(messages) {
		return "", "", false
	}
	text = messages[i].Content
	if !untrimmed {
		text = strings.TrimLeft(text, " \t\r\n")
	}
	if after, kept := strings.CutPrefix(rest, markRight); kept {
		return text, after, true
	}
	return strings.TrimRight(text, " \t\r\n"), rest, true
}

// control returns the control piece that rendered begins with.
func (l *templateChat) control(rendered string) (controlText, bool) {
	for _, c := range l.controls {
		if strings.HasPrefix(rendered, c.text) {
			return c, true
		}
	}
	return controlText{}, false
}
