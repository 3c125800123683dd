package postprocess

import (
	"regexp"
	"strings"
)

const fence = "```"

// fenceLine is a line of three backticks and a word, as the original looks for it. (\S is
// Python's: it knows Unicode's white space.)
var fenceLine = regexp.MustCompile("(?m)^```[^\\s\\v\\p{Z}\\x1c-\\x1f\\x85]*\n")

// stripCodeBlock deletes the fences of Markdown: lines that begin with three backticks and have
// no white space after them, and all backticks at the end. What stands around a fence stays.
func stripCodeBlock(text string) string {
	return strings.TrimRight(fenceLine.ReplaceAllLiteralString(text, ""), "`")
}

// unwrapFence takes a completion out of a Markdown code block, and drops what a model explains
// after the block. A file that has fences itself keeps them: its completions may be Markdown.
func unwrapFence(text, prefix, suffix string) string {
	if strings.Contains(prefix, fence) || strings.Contains(suffix, fence) {
		return text
	}
	if body, ok := strings.CutPrefix(strings.TrimLeft(text, " \t\r\n"), fence); ok {
		if label, rest, ok := strings.Cut(body, "\n"); ok && isLabel(label) {
			text = rest
		}
	}
	// What follows a line of backticks is no code any more.
	if strings.HasPrefix(text, fence) {
		return ""
	}
	if i := strings.Index(text, "\n"+fence); i >= 0 {
		return strings.TrimSuffix(text[:i], "\r")
	}
	return text
}

// isLabel reports whether a text may stand behind an opening fence.
func isLabel(text string) bool { return !strings.ContainsAny(strings.TrimSpace(text), " \t`") }

// FenceFilter is stripCodeBlock for a stream: the pieces that it returns, one after the other,
// are what stripCodeBlock makes of the whole. It holds back only what may still become part of a
// fence or of the backticks at the end. Its zero value is at the beginning of a text; it is used
// by one goroutine.
type FenceFilter struct {
	held   string // not decided yet
	inLine bool   // held begins within a line
}

// Write takes a piece and returns what is decided by now.
func (f *FenceFilter) Write(piece string) string {
	f.held += piece
	var out strings.Builder
	for f.held != "" {
		if !f.inLine {
			if loc := fenceLine.FindStringIndex(f.held); loc != nil && loc[0] == 0 {
				f.held = f.held[loc[1]:]
				continue
			}
			if f.mayBecomeFence() {
				break
			}
		}
		line, _, whole := strings.Cut(f.held, "\n")
		if whole {
			out.WriteString(f.held[:len(line)+1])
			f.held, f.inLine = f.held[len(line)+1:], false
			continue
		}
		certain := strings.TrimRight(line, "`")
		out.WriteString(certain)
		f.held = line[len(certain):]
		f.inLine = f.inLine || certain != ""
		break
	}
	return out.String()
}

// mayBecomeFence reports whether what is held, from the beginning of a line on, could still
// become a line of a fence.
func (f *FenceFilter) mayBecomeFence() bool {
	if strings.Contains(f.held, "\n") {
		return false // its first line is whole
	}
	if len(f.held) < len(fence) {
		return strings.HasPrefix(fence, f.held)
	}
	return strings.HasPrefix(f.held, fence) && fenceLine.MatchString(f.held+"\n")
}

// End returns the rest. What is held at the end begins with backticks: in a line they are those
// at the end, which go, and a line that was no fence before its end is none now.
func (f *FenceFilter) End() string {
	rest := strings.TrimRight(f.held, "`")
	f.held = ""
	return rest
}
