package models

import "strings"

// mistral1 is the format of Mistral 7B v0.1 and v0.2 and Mixtral 8x7B
// (mistral-common, InstructTokenizerV1): [INST] is text, not a token.
//
//	<s> {"[INST] user [/INST]" "answer" </s>}
//
// Each text is tokenized alone: the dummy space of the answer is the space after [/INST]. The
// system text stands before the first user text.
//
// A user who writes [/INST] cannot be told from the format: the authors' own tokenizer does not
// either.
type mistral1 struct {
	enc *encoder
	bos []Token
	eos Token
}

func (l mistral1) lay(messages []Message) ([]Token, error) {
	c := newConversation(messages)
	out := append([]Token{}, l.bos...)
	for i, t := range c.turns {
		user := t.user
		if i == 0 {
			user = systemFirst(c.system, user)
		}
		question, err := l.enc.text("[INST] " + user + " [/INST]")
		if err != nil {
			return nil, err
		}
		answer, err := l.enc.text(t.answer)
		if err != nil {
			return nil, err
		}
		out = concat(out, question, answer)
		if i < len(c.turns)-1 {
			out = append(out, l.eos)
		}
	}
	return out, nil
}

// systemFirst puts a system text before a user text, which may be empty.
func systemFirst(system, user string) string {
	if system == "" {
		return user
	}
	return system + joiner + user
}

// mistral3 is the format of Mistral 7B v0.3, Mixtral 8x22B and Codestral
// (mistral-common, InstructTokenizerV3; without tools that of v2 too).
//
//	<s> {[INST] user [/INST] answer </s>}
//
// No space and no line end is written: the dummy space of each text is the space. The system
// text stands before the last user text, so that with each turn the prompt changes from the
// last message on.
type mistral3 struct {
	enc               *encoder
	bos               []Token
	eos               Token
	instruct, respond Token // [INST], [/INST]
}

func (l mistral3) lay(messages []Message) ([]Token, error) {
	c := newConversation(messages)
	out := append([]Token{}, l.bos...)
	for i, t := range c.turns {
		user := t.user
		last := i == len(c.turns)-1
		if last {
			user = systemFirst(c.system, user)
		}
		question, err := l.enc.text(user)
		if err != nil {
			return nil, err
		}
		answer, err := l.enc.text(strings.TrimRight(t.answer, " "))
		if err != nil {
			return nil, err
		}
		out = concat(out, []Token{l.instruct}, question, []Token{l.respond}, answer)
		if !last {
			out = append(out, l.eos)
		}
	}
	return out, nil
}
