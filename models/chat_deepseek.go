package models

import "strings"

// deepSeekChat is the format of DeepSeek Coder Instruct.
//
//	<｜begin▁of▁sentence｜> "system\n### Instruction:\nuser\n### Response:\nanswer\n" <|EOT|> "\n### Instruction:\n..." "### Response:\n"
//
// What stands between two special tokens is one text. The vendor's template writes the system
// text without a line end behind it because its own default has one; a system text without one
// gets it. The default itself, which makes the model refuse what is not about computers, is left
// out: GitLab sends a system text of its own.
type deepSeekChat struct {
	enc  *encoder
	bos  []Token
	over Token
}

func (l deepSeekChat) lay(messages []Message) ([]Token, error) {
	out := append([]Token{}, l.bos...)
	var text strings.Builder
	flush := func() error {
		ids, err := l.enc.text(text.String())
		out = concat(out, ids)
		text.Reset()
		return err
	}
	for i, m := range messages {
		switch m.Role {
		case System:
			text.WriteString(m.Content)
			if m.Content != "" && !strings.HasSuffix(m.Content, "\n") {
				text.WriteByte('\n')
			}
		case User:
			text.WriteString("### Instruction:\n" + m.Content + "\n")
		case Assistant:
			text.WriteString("### Response:\n" + m.Content)
			if i == len(messages)-1 {
				err := flush()
				return out, err
			}
			text.WriteByte('\n')
			if err := flush(); err != nil {
				return nil, err
			}
			out = append(out, l.over)
			text.WriteByte('\n')
		}
	}
	text.WriteString("### Response:\n")
	err := flush()
	return out, err
}
