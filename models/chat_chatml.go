package models

// chatML is the format of Qwen, SmolLM2 and many models trained further.
//
//	{<|im_start|> "role\ntext" <|im_end|> "\n"} <|im_start|> "assistant\n"
//
// Texts stay as they are, and roles may come in any order. The default system texts that some
// vendors' templates insert when there is none are left out: GitLab sends its own.
type chatML struct {
	enc        *encoder
	bos        []Token // only for models that nothing else is known of
	open, over Token
}

func (l chatML) lay(messages []Message) ([]Token, error) {
	end, err := l.enc.text("\n")
	if err != nil {
		return nil, err
	}
	out := append([]Token{}, l.bos...)
	for i, m := range messages {
		ids, err := l.enc.text(m.Role + "\n" + m.Content)
		if err != nil {
			return nil, err
		}
		out = concat(out, []Token{l.open}, ids)
		if m.Role == Assistant && i == len(messages)-1 {
			return out, nil
		}
		out = concat(out, []Token{l.over}, end)
	}
	ids, err := l.enc.text(Assistant + "\n")
	return concat(out, []Token{l.open}, ids), err
}
