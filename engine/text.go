package engine

import (
	"strings"
	"unicode/utf8"
)

// TextStream turns the pieces of tokens into text that may be shown: whole UTF-8 characters
// only, and nothing that may yet turn out to be the beginning of a stop text.
type TextStream struct {
	stops []string // none of them empty
	held  string   // decoded, not shown yet
	found string   // the stop text that was complete
	shown int      // bytes of tokens whose text was shown
}

// NewTextStream returns a stream that ends at the first of some stop texts, none of them empty.
func NewTextStream(stops []string) *TextStream { return &TextStream{stops: stops} }

// Push adds a token's bytes and returns what may be shown now. stopped means that a stop text
// is complete: it and what follows are dropped, and the stream is at its end.
func (s *TextStream) Push(piece string) (show string, stopped bool) {
	s.held += piece
	if at := s.findStop(); at >= 0 {
		show, s.held = s.held[:at], ""
		s.shown += at
		return clean(show), true
	}
	safe := len(s.held) - s.openEnd()
	show, s.held = s.held[:safe], s.held[safe:]
	s.shown += safe
	return clean(show), false
}

// Flush returns what is left when the generation ends without a stop text. Bytes of a character
// that was never completed are dropped.
func (s *TextStream) Flush() string {
	rest := s.held[:len(s.held)-openRune(s.held)]
	s.held = ""
	s.shown += len(rest)
	return clean(rest)
}

// findStop returns where the stop text begins that is complete first, or -1; of those that end at the
// same place it is the longest.
func (s *TextStream) findStop() int {
	found, end := -1, 0
	for _, stop := range s.stops {
		at := strings.Index(s.held, stop)
		if at >= 0 && (found < 0 || at+len(stop) < end || at+len(stop) == end && at < found) {
			found, end, s.found = at, at+len(stop), stop
		}
	}
	return found
}

// openEnd is the length of the tail that has to be kept back: an unfinished character, or
// the longest beginning of a stop text.
func (s *TextStream) openEnd() int {
	open := openRune(s.held)
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > open; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				open = n
				break
			}
		}
	}
	// A stop text's beginning may start in the middle of text before an unfinished character;
	// cutting there is always at a character's boundary because stop texts are valid UTF-8.
	return open
}

// openRune is the number of bytes at the end of text that begin a character without ending it.
func openRune(text string) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(text)); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// clean replaces bytes that are no UTF-8, which a model can produce from byte tokens.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
