package postprocess

import (
	"strings"
	"unicode"
)

const (
	longestPeriod = 4 // lines of the block that repeats
	fewestRepeats = 3 // times that it has to stand there
	fewestLetters = 4 // letters in it: data such as "0," and closing braces repeat for good reasons
)

// trimRepetition ends the text behind the first block of lines that stands there three times or
// more without a pause: a model in a loop writes until its limit. Of the last line, which may be
// cut off, it does not matter what it would have become.
func trimRepetition(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for at := range lines {
		for period := 1; period <= longestPeriod; period++ {
			if repeats(lines[at:], period) {
				return strings.TrimRight(strings.Join(lines[:at+period], ""), "\r\n")
			}
		}
	}
	return text
}

// repeats reports whether lines begin with a block of so many lines three times or more.
func repeats(lines []string, period int) bool {
	if len(lines) < period*fewestRepeats {
		return false
	}
	for i, line := range lines[:period] {
		for n := 1; n < fewestRepeats; n++ {
			if withoutEnd(lines[i+n*period]) != withoutEnd(line) {
				return false
			}
		}
	}
	return hasLetters(lines[:period])
}

// withoutEnd is strings.TrimRight(line, " \t\r\n"), which would prepare a set of characters each
// time: this runs for every line with every piece of a text.
func withoutEnd(line string) string {
	end := len(line)
	for end > 0 && (line[end-1] == ' ' || line[end-1] == '\t' || line[end-1] == '\r' || line[end-1] == '\n') {
		end--
	}
	return line[:end]
}

func hasLetters(block []string) bool {
	letters := 0
	for _, line := range block {
		for _, r := range line {
			if unicode.IsLetter(r) {
				letters++
			}
		}
	}
	return letters >= fewestLetters
}

// loopBegin returns the end of the first block that repeats, or could if the text goes on, or
// the text's length.
func loopBegin(text string) int {
	lines := strings.SplitAfter(text, "\n")
	first, end := len(text), 0
	for at := range lines {
		end += len(lines[at])
		after := end // of the block
		for period := 1; period <= longestPeriod && at+period < len(lines); period++ {
			if period > 1 {
				after += len(lines[at+period-1])
			}
			if after < first && mayRepeat(lines[at:], period) {
				first = after
			}
		}
	}
	return first
}

// mayRepeat reports whether the lines behind a block are the same again as often as makes a loop,
// or as far as the text goes.
func mayRepeat(lines []string, period int) bool {
	for i := period; i < min(len(lines), period*fewestRepeats); i++ {
		got, want := withoutEnd(lines[i]), withoutEnd(lines[i-period])
		if i == len(lines)-1 && strings.HasPrefix(want, got) {
			break
		}
		if got != want {
			return false
		}
	}
	return hasLetters(lines[:period])
}
