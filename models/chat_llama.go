package models

import "strings"

// llama2 is the format of Llama 2 and Code Llama Instruct (chat_completion of
// meta-llama/codellama): [INST] and <<SYS>> are text, not tokens.
//
//	{<s> "[INST] user [/INST] answer " </s>} <s> "[INST] user [/INST]"
//
// Texts are trimmed. The system text stands in the first user text. A user who writes [/INST]
// cannot be told from the format; Meta's code refuses such a text.
type llama2 struct {
	enc *encoder
	bos []Token
	eos Token
}

func (l llama2) lay(messages []Message) ([]Token, error) {
	c := newConversation(messages).trimmed()
	var out []Token
	for i, t := range c.turns {
		user := t.user
		if i == 0 && c.system != "" {
			user = strings.TrimSpace("<<SYS>>\n" + c.system + "\n<</SYS>>\n\n" + user)
		}
		text := "[INST] " + user + " [/INST]"
		last := i == len(c.turns)-1
		if t.answer != "" || !last {
			text += " " + t.answer
		}
		if !last {
			text += " "
		}
		ids, err := l.enc.text(text)
		if err != nil {
			return nil, err
		}
		out = concat(out, l.bos, ids)
		if !last {
			out = append(out, l.eos)
		}
	}
	return out, nil
}

// llama3 is the format of Llama 3 Instruct.
//
//	<|begin_of_text|> {<|start_header_id|> role <|end_header_id|> "\n\ntext" <|eot_id|>} header of the assistant "\n\n"
//
// Texts are trimmed. The date that the templates of Llama 3.1 and later write into the system
// text is left out: prompts would differ from day to day.
type llama3 struct {
	enc                *encoder
	bos                []Token
	open, closed, over Token // header begins, header ends, turn ends
}

func (l llama3) lay(messages []Message) ([]Token, error) {
	out := append([]Token{}, l.bos...)
	add := func(role, text string) error {
		name, err := l.enc.text(role)
		if err != nil {
			return err
		}
		body, err := l.enc.text("\n\n" + strings.TrimSpace(text))
		if err != nil {
			return err
		}
		out = concat(out, []Token{l.open}, name, []Token{l.closed}, body)
		return nil
	}
	for i, m := range messages {
		if err := add(m.Role, m.Content); err != nil {
			return nil, err
		}
		if m.Role == Assistant && i == len(messages)-1 {
			return out, nil
		}
		out = append(out, l.over)
	}
	return out, add(Assistant, "")
}
