package agent

import (
	"strings"
)

// The words that structure a turn (section 9.5 of the wire contract).
const (
	finalMark  = "Final Answer:"
	actionMark = "Action:"
	inputMark  = "Action Input:"
	endMark    = "</message>" // the original's own end of the text; a model that writes it ends there
)

// parser reads a turn of a model piece by piece. It does what the original's regular expressions do
// to the whole text again and again, in time linear in the text.
//
// A turn is a final answer as soon as "Final Answer:" is in it, whatever else is. Its text is passed
// on as it comes, without white space at both ends. All other turns are known at their end only.
type parser struct {
	text    strings.Builder // all of it, until an answer begins
	inFinal bool
	thought string

	answered bool   // something of the answer was passed on
	held     string // of the answer: white space that only counts if more follows, and what may become the end mark
	ended    bool   // by the end mark
}

// write takes a piece. In a final answer it returns what is new in it; begun says that there is an
// answer, even if nothing is new.
func (p *parser) write(piece string) (delta string, begun bool) {
	if p.inFinal {
		return p.answer(piece)
	}
	from := max(0, p.text.Len()-len(finalMark)+1)
	p.text.WriteString(piece)
	all := p.text.String()
	at := strings.Index(all[from:], finalMark)
	if at < 0 {
		return "", false
	}
	p.inFinal = true
	p.thought = thoughtOf(all)
	return p.answer(all[from+at+len(finalMark):])
}

// answer takes a piece of the final answer.
func (p *parser) answer(piece string) (delta string, begun bool) {
	if p.ended {
		return "", p.answered
	}
	rest := p.held + piece
	if !p.answered {
		rest = strings.TrimLeft(rest, whiteSpace)
	}
	if at := strings.Index(rest, endMark); at >= 0 {
		rest, p.ended = rest[:at], true
	}
	shown := rest
	if !p.ended {
		shown = rest[:len(rest)-partOfEnd(rest)]
	}
	shown = strings.TrimRight(shown, whiteSpace)
	p.held = rest[len(shown):]
	p.answered = p.answered || shown != ""
	return shown, p.answered
}

// whiteSpace is what \s matches in the original.
const whiteSpace = " \t\n\r\f\v"

// partOfEnd is how many bytes at the end of a text may be the beginning of the end mark.
func partOfEnd(text string) int {
	for n := min(len(endMark)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, endMark[:n]) {
			return n
		}
	}
	return 0
}

// rest returns what the final answer still holds when the text has ended.
func (p *parser) rest() string {
	if !p.inFinal || p.ended {
		return ""
	}
	rest := strings.TrimRight(p.held, whiteSpace)
	if !p.answered {
		rest = strings.TrimLeft(rest, whiteSpace)
	}
	p.held = ""
	p.answered = p.answered || rest != ""
	return rest
}

// action is a turn that asks for a tool.
type action struct{ tool, input, thought string }

// toolUse returns the action of a turn that has ended without a final answer.
func (p *parser) toolUse() (action, bool) {
	all := strings.TrimSpace(p.text.String())
	all, _, _ = strings.Cut(all, endMark)
	_, behind, found := strings.Cut(all, actionMark)
	if !found {
		return action{}, false
	}
	tool, _, found := strings.Cut(behind, "Action")
	if !found {
		return action{}, false
	}
	_, input, found := strings.Cut(all, inputMark)
	if !found {
		return action{}, false
	}
	return action{tool: toolName(tool), input: strings.Trim(input, whiteSpace), thought: unescape(thoughtOf(all))}, true
}

// unknown returns the whole text of a turn that is neither.
func (p *parser) unknown() string { return strings.TrimSpace(p.text.String()) }

// thoughtOf returns the text before the first mark.
func thoughtOf(all string) string {
	end := -1
	for _, mark := range []string{actionMark, finalMark} {
		if at := strings.Index(all, mark); at >= 0 && (end < 0 || at < end) {
			end = at
		}
	}
	if end < 0 {
		return ""
	}
	return strings.Trim(all[:end], whiteSpace)
}

// toolName repairs how models write names of tools.
func toolName(text string) string {
	name := unescape(strings.Trim(text, whiteSpace))
	if name == "MergeRequestReader" {
		return "merge_request_reader"
	}
	return name
}

// unescape takes back the backslash before an underscore, which models that were trained on
// Markdown write.
func unescape(text string) string { return strings.ReplaceAll(text, `\_`, "_") }
