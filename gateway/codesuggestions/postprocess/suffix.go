package postprocess

import (
	"strings"
	"unicode"
)

// A model that completes the middle of a file likes to write on into what stands below the
// cursor, or closes a bracket that the editor has closed already. trimSuffixOverlap takes that
// away:
//
//  1. At a line of the text that begins to repeat the lines below the cursor, with the same
//     indentation: two lines at least, or one that is long enough to be no accident, or to the
//     very end of the text.
//  2. What stands behind the cursor on its line, if the text ends with it, whole or with the
//     first of its closing brackets.
//
// The original asks a parser whether the result is in order. Here brackets and quotes are
// counted: nothing is removed that would leave them worse than before.

// comparedLines bounds how many lines below the cursor are compared.
const comparedLines = 64

// longLine is the number of letters and digits from which a single line that is repeated counts
// as the model's running on into the suffix.
const longLine = 16

func trimSuffixOverlap(text, prefix, suffix string) string {
	head, rest, _ := strings.Cut(suffix, "\n")
	text = trimLines(text, prefix, suffix, rest)
	return trimRestOfLine(text, prefix, suffix, strings.TrimSpace(head))
}

// trimLines cuts before the first line that begins to repeat below, the lines under the cursor.
// The first line of the text continues the cursor's own and is never one of them.
func trimLines(text, prefix, suffix, below string) string {
	wanted := filledLines(below, comparedLines)
	if len(wanted) == 0 {
		return text
	}
	for at := strings.IndexByte(text, '\n'); at >= 0; {
		next := strings.IndexByte(text[at+1:], '\n')
		if runsInto(text[at+1:], wanted) && notWorse(prefix, text, text[:at], suffix) {
			return strings.TrimSuffix(text[:at], "\r")
		}
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return text
}

// StopAt returns a text at which a completion need not be decoded any further, because it would
// be cut there anyway: the first line below the cursor, if it is long enough to tell by itself.
// Otherwise it is empty. (Shorter lines are cut only together with others.)
func (c Chains) StopAt(suffix string) string {
	_, below, _ := strings.Cut(suffix, "\n")
	for line := range strings.Lines(below) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if c.Runs(FixEndBlockErrors) && strings.HasSuffix(line, "\n") && weight(line) >= longLine && imbalance("", line, "") == 0 {
			return "\n" + line
		}
		break
	}
	return ""
}

// filledLines returns the first lines that are not blank, without white space at their ends.
func filledLines(text string, most int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			if lines = append(lines, line); len(lines) == most {
				break
			}
		}
	}
	return lines
}

// runsInto reports whether the text, from a line's beginning on, repeats the wanted lines.
func runsInto(text string, wanted []string) bool {
	if line, _, _ := strings.Cut(text, "\n"); strings.TrimRight(line, " \t\r") != wanted[0] {
		return false
	}
	lines := filledLines(text, len(wanted)+1)
	same := 0
	for same < len(lines) && same < len(wanted) && lines[same] == wanted[same] {
		same++
	}
	return same >= 2 || same == len(lines) || weight(wanted[0]) >= longLine
}

// weight counts letters and digits.
func weight(line string) int {
	n := 0
	for _, r := range line {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// trimRestOfLine takes the rest of the cursor's line from the end of the text.
func trimRestOfLine(text, prefix, suffix, rest string) string {
	trimmed := strings.TrimRightFunc(text, unicode.IsSpace)
	if rest == "" || trimmed == "" {
		return text
	}
	if shorter, ok := strings.CutSuffix(trimmed, rest); ok && startsToken(rest, shorter) && notWorse(prefix, text, shorter, suffix) {
		return shorter
	}
	// Of "])" the text may have written the "]" only.
	for n := len(closersAtStart(rest)); n > 0; n-- {
		if shorter, ok := strings.CutSuffix(trimmed, rest[:n]); ok && better(prefix, text, shorter, suffix) {
			return shorter
		}
	}
	return text
}

// startsToken reports whether rest does not begin within a word of the text before it.
func startsToken(rest, before string) bool {
	return !isWord(rest[0]) || before == "" || !isWord(before[len(before)-1])
}

func isWord(b byte) bool {
	return b == '_' || b >= 0x80 || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
}

// closersAtStart returns what a text begins with of closing brackets, quotes and ends of
// statements.
func closersAtStart(text string) string {
	return text[:len(text)-len(strings.TrimLeft(text, ")]}\"'`>;,"))]
}

func notWorse(prefix, with, without, suffix string) bool {
	return imbalance(prefix, without, suffix) <= imbalance(prefix, with, suffix)
}

func better(prefix, with, without, suffix string) bool {
	return imbalance(prefix, without, suffix) < imbalance(prefix, with, suffix)
}

// around bounds, in bytes, how much of the file is looked at for brackets. What is cut off is
// cut off in both texts that are compared.
const around = 8 << 10

// imbalance counts the brackets that have no partner, and a quote that is left open on the
// cursor's line. It does not know strings and comments: it is only ever compared with the count
// of nearly the same text.
func imbalance(prefix, middle, suffix string) int {
	prefix, suffix = prefix[max(0, len(prefix)-around):], suffix[:min(len(suffix), around)]
	var open []byte
	unmatched := 0
	for _, part := range [...]string{prefix, middle, suffix} {
		for i := range len(part) {
			switch c := part[i]; c {
			case '(', '[', '{':
				open = append(open, c)
			case ')', ']', '}':
				if n := len(open); n > 0 && opens(open[n-1], c) {
					open = open[:n-1]
				} else {
					unmatched++
				}
			}
		}
	}
	first := prefix[strings.LastIndexByte(prefix, '\n')+1:]
	last, _, _ := strings.Cut(suffix, "\n")
	unmatched += len(open)
	for _, quote := range [...]string{`"`, "'", "`"} {
		unmatched += (strings.Count(first, quote) + strings.Count(middle, quote) + strings.Count(last, quote)) % 2
	}
	return unmatched
}

func opens(open, closing byte) bool {
	return open == '(' && closing == ')' || open == '[' && closing == ']' || open == '{' && closing == '}'
}
