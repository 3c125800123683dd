package postprocess

import (
	"slices"
	"strings"
	"unicode"
)

// CompletionFilter is Chains.Completion for a stream: the pieces that it returns, one after the
// other, are what the chain makes of the whole. It passes on at once what no rule could take away
// any more, whatever the model writes next; only the beginning of something that may become a
// fence, a special token, a loop, or the text below the cursor is held back. It is used by one
// goroutine.
type CompletionFilter struct {
	chains         Chains
	prefix, suffix string
	mayFence       bool     // fences are stripped
	below          []string // lines under the cursor's that a model may run into
	rest           string   // what stands behind the cursor on its line

	text  string // all that the model wrote
	begin int    // where the result begins in text, once begun
	begun bool   // no fence at the beginning has to be waited for
	sent  int    // bytes of the result that were returned

	lines int  // bytes of text, up to the end of a line, in which a loop was looked for
	loop  bool // there is one
}

// NewCompletionFilter returns a filter for the text that is to be inserted between prefix and
// suffix.
func (c Chains) NewCompletionFilter(prefix, suffix string) *CompletionFilter {
	f := &CompletionFilter{chains: c, prefix: prefix, suffix: suffix}
	f.mayFence = c.Runs(StripCodeBlock) && !strings.Contains(prefix, fence) && !strings.Contains(suffix, fence)
	if c.Runs(FixEndBlockErrors) {
		head, below, _ := strings.Cut(suffix, "\n")
		f.below, f.rest = filledLines(below, comparedLines), strings.TrimSpace(head)
	}
	return f
}

// Write takes a piece and returns what is decided by now.
func (f *CompletionFilter) Write(piece string) string {
	f.text += piece
	clean := f.text[:f.marker()]
	if !f.begun && !f.findBeginning(clean) {
		return ""
	}
	safe := f.decided(clean[f.begin:])
	if safe <= f.sent {
		return ""
	}
	out := f.text[f.begin+f.sent : f.begin+safe]
	f.sent = safe
	return out
}

// End returns the rest.
func (f *CompletionFilter) End() string {
	whole := f.chains.Completion(f.text, f.prefix, f.suffix)
	if f.sent >= len(whole) {
		return ""
	}
	return whole[f.sent:]
}

// Ended reports that whatever else the model writes will be taken away, so that it need not
// write it.
func (f *CompletionFilter) Ended() bool {
	at := f.marker()
	if at < len(f.text) && f.isMarker(f.text[at:]) {
		return true
	}
	if !f.begun {
		return false
	}
	text := f.text[f.begin:at]
	if end := f.closingFence(text); strings.HasPrefix(strings.TrimPrefix(text[end:], "\n"), fence) {
		return true
	}
	if !f.chains.Runs(TrimRepetition) {
		return false
	}
	// The last line may go on.
	if end := strings.LastIndexByte(text, '\n') + 1; f.begin+end != f.lines {
		f.lines, f.loop = f.begin+end, trimRepetition(text[:end]) != text[:end]
	}
	return f.loop
}

// findBeginning drops opening fences. It reports whether the beginning is known.
func (f *CompletionFilter) findBeginning(text string) bool {
	for f.mayFence {
		trimmed := strings.TrimLeft(text[f.begin:], " \t\r\n")
		if strings.HasPrefix(fence, trimmed) {
			return false
		}
		if before := text[f.begin : len(text)-len(trimmed)]; f.begin > 0 && (before == "" || strings.HasSuffix(before, "\n")) {
			break // of a line in the block: text, or the fence that closes it
		}
		label, ok := strings.CutPrefix(trimmed, fence)
		if !ok {
			break
		}
		label, rest, ok := strings.Cut(label, "\n")
		if !ok {
			return false
		}
		if !isLabel(label) {
			break
		}
		f.begin = len(text) - len(rest)
	}
	f.begun = true
	return true
}

// decided returns how many bytes of a text stay whatever follows. A rule may look at what another
// one has left, so all of them are asked again about what is left then.
func (f *CompletionFilter) decided(text string) int {
	for {
		safe := len(strings.TrimRight(text, "\r\n")) // rules that cut at a line take its end along
		if f.mayFence {
			safe = min(safe, f.closingFence(text))
		}
		if f.chains.Runs(TrimRepetition) {
			safe = min(safe, loopBegin(text))
		}
		safe = min(safe, f.lineBelow(text), f.restOfLine(text))
		if safe == len(text) {
			break
		}
		text = text[:safe]
	}
	if f.chains.Runs(StripWhitespaces) && strings.TrimSpace(text) == "" {
		return 0
	}
	return len(text)
}

// marker returns where a special token begins, whole or as far as it has come, or the text's
// length.
func (f *CompletionFilter) marker() int {
	if f.chains.Runs(StripSpecialTokens) {
		for at := f.begin + f.sent; at < len(f.text); at++ {
			if first := f.text[at]; (first == '<' || first == '[') && f.mayBeMarker(f.text[at:]) {
				return at
			}
		}
	}
	return len(f.text)
}

func (f *CompletionFilter) mayBeMarker(text string) bool {
	return slices.ContainsFunc(markers, func(m string) bool {
		return (strings.HasPrefix(m, text) || strings.HasPrefix(text, m)) && !f.inFile(m)
	})
}

// isMarker reports whether a text begins with a whole special token.
func (f *CompletionFilter) isMarker(text string) bool {
	return slices.ContainsFunc(markers, func(m string) bool { return strings.HasPrefix(text, m) && !f.inFile(m) })
}

func (f *CompletionFilter) inFile(marker string) bool {
	return strings.Contains(f.prefix, marker) || strings.Contains(f.suffix, marker)
}

// closingFence returns where a line of backticks ends the code, or may do so, or len(text).
func (f *CompletionFilter) closingFence(text string) int {
	if !f.mayFence {
		return len(text)
	}
	if strings.HasPrefix(text, fence) {
		return 0
	}
	for at := min(f.sent, len(text)); ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i
		if line := text[at+1:]; strings.HasPrefix(line, fence) || strings.HasPrefix(fence, line) {
			return at
		}
		at++
	}
}

// lineBelow returns where the text begins to repeat the lines below the cursor, or may do so, or
// len(text).
func (f *CompletionFilter) lineBelow(text string) int {
	if len(f.below) == 0 {
		return len(text)
	}
	for at := min(f.sent, len(text)); ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i
		if mayRunInto(text[at+1:], f.below) {
			return at
		}
		at++
	}
}

// mayRunInto reports whether a text that goes on could repeat the lines in the sense of runsInto.
func mayRunInto(text string, below []string) bool {
	if strings.HasPrefix(text, "\n") || strings.HasPrefix(text, "\r\n") {
		return false // runsInto compares the line itself, which is empty
	}
	n := 0
	for line := range strings.Lines(text) {
		trimmed := strings.TrimRight(line, " \t\r\n")
		if trimmed == "" {
			continue
		}
		mayGoOn := n < len(below) && strings.HasPrefix(below[n], trimmed) && !strings.HasSuffix(line, "\n")
		if n == len(below) || trimmed != below[n] && !mayGoOn {
			return n >= 2 || n == 1 && weight(below[0]) >= longLine
		}
		n++
	}
	return true // it ends with lines that are the same, or with none at all
}

// restOfLine returns where the end of the text begins to be what stands behind the cursor, or
// len(text).
func (f *CompletionFilter) restOfLine(text string) int {
	if f.rest == "" {
		return len(text)
	}
	trimmed := strings.TrimRightFunc(text, unicode.IsSpace)
	for n := min(len(f.rest), len(trimmed)); n > 0; n-- {
		if strings.HasSuffix(trimmed, f.rest[:n]) {
			return len(trimmed) - n
		}
	}
	return len(text)
}
