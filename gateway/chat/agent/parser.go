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
	// nextMark is how the prompt's examples are told apart. A small model goes on with an example of its own when it has asked for
	// a tool, and the answer in that would be taken for this turn's: the turn ends there.
	nextMark = "\n\nQuestion:"
)

// parser reads a turn of a model piece by piece. It does what the original's regular expressions do
// to the whole text again and again, in time linear in the text, up to where the model begins another example (nextMark).
//
// A turn is a final answer as soon as "Final Answer:" is in it, whatever else is. Its text is passed
// on as it comes, without white space at both ends. All other turns are known at their end only.
type parser struct {
	text    strings.Builder // all of it, until an answer begins
	inFinal bool
	inInput bool // "Action Input:" is in the text
	over    bool // the model has begun another example
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
	if p.over {
		return "", false
	}
	from := max(0, p.text.Len()-max(len(finalMark), len(inputMark), len(nextMark))+1)
	p.text.WriteString(piece)
	all := p.text.String()
	final := strings.Index(all[from:], finalMark)
	if next := p.next(all[from:]); next >= 0 && (final < 0 || next < final) {
		p.text.Reset()
		p.text.WriteString(all[:from+next])
		p.over = true
		return "", false
	}
	if final < 0 {
		return "", false
	}
	p.inFinal = true
	p.thought = thoughtOf(all)
	return p.answer(all[from+final+len(finalMark):])
}

// next returns where another example begins behind the input of a tool, or -1. It is given the end of the text, with all marks whole
// that were not whole before.
func (p *parser) next(end string) int {
	behind := 0
	if !p.inInput {
		at := strings.Index(end, inputMark)
		if at < 0 {
			return -1
		}
		p.inInput, behind = true, at
	}
	if at := strings.Index(end[behind:], nextMark); at >= 0 {
		return behind + at
	}
	return -1
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
