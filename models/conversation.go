package models

import "strings"

// Most chat formats know a strict order only: a system text, then user and assistant in turn.
// Conversations of other shapes are brought into it as mistral-common does
// (InstructRequestNormalizer): all system texts become one, neighbouring messages of one role
// become one, both joined by an empty line, and a conversation that does not begin with the user
// gets an empty first message.

// conversation is a list of messages in that order.
type conversation struct {
	system string
	turns  []turn
}

// turn is a question, and the answer to it. In the last turn the answer is what the model
// continues.
type turn struct {
	user, answer string
}

// joiner stands between messages that become one.
const joiner = "\n\n"

func newConversation(messages []Message) conversation {
	var c conversation
	last := ""
	for _, m := range messages {
		if m.Role == System {
			c.system = joinTexts(c.system, m.Content)
			continue
		}
		n := len(c.turns)
		switch {
		case m.Role == User && last == User:
			c.turns[n-1].user = joinTexts(c.turns[n-1].user, m.Content)
		case m.Role == User:
			c.turns = append(c.turns, turn{user: m.Content})
		case n == 0:
			c.turns = append(c.turns, turn{answer: m.Content})
		default:
			c.turns[n-1].answer = joinTexts(c.turns[n-1].answer, m.Content)
		}
		last = m.Role
	}
	if len(c.turns) == 0 {
		c.turns = []turn{{}}
	}
	return c
}

// joinTexts joins two texts; an empty one leaves no trace.
func joinTexts(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + joiner + b
}

// trimmed returns the conversation with the white space around each text removed, as the
// templates of several families do.
func (c conversation) trimmed() conversation {
	out := conversation{system: strings.TrimSpace(c.system)}
	for _, t := range c.turns {
		out.turns = append(out.turns, turn{strings.TrimSpace(t.user), strings.TrimSpace(t.answer)})
	}
	return out
}
