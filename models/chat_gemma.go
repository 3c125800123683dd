package models

import "strings"

// gemmaChat is the format of Gemma 1 to 3 and CodeGemma 7b-it.
//
//	<bos> {<start_of_turn> "user\ntext" <end_of_turn> "\n"} <start_of_turn> "model\n"
//
// Texts are trimmed. There is no system role: the published template refuses one; the system
// text stands before the first user text, as llama.cpp puts it too. Roles must alternate.
type gemmaChat struct {
	enc        *encoder
	bos        []Token
	open, over Token
}

func (l gemmaChat) lay(messages []Message) ([]Token, error) {
	c := newConversation(messages).trimmed()
	out := append([]Token{}, l.bos...)
	add := func(role, text string, finished bool) error {
		ids, err := l.enc.text(role + "\n" + text)
		if err != nil {
			return err
		}
		out = concat(out, []Token{l.open}, ids)
		if !finished {
			return nil
		}
		end, err := l.enc.text("\n")
		out = concat(out, []Token{l.over}, end)
		return err
	}
	for i, t := range c.turns {
		user := t.user
		if i == 0 {
			user = strings.TrimSpace(systemFirst(c.system, user))
		}
		if err := add("user", user, true); err != nil {
			return nil, err
		}
		if err := add("model", t.answer, i < len(c.turns)-1); err != nil {
			return nil, err
		}
	}
	return out, nil
}
