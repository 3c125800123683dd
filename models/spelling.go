package models

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Spelling stands for the vocabulary of a model that a server elsewhere has: a Tokenizer whose tokens say
// how they are spelled, so that the codecs lay out prompts as for a file here, and the prompt can be sent
// as text. A token is a marker of the family, or up to three bytes of text, packed into its id: source code
// has three to four bytes a token, so that counting these overestimates a prompt a little.
//
// It may be used concurrently.
type Spelling struct {
	markers []string         // by id, from firstMarker on
	ids     map[string]Token // of markers
	bos     string           // servers put it before a prompt by themselves
	dummy   bool             // the tokenizer there puts a space before a text
	// silent are the markers behind which that space is not written: fill-in-the-middle is sent as GitLab's
	// own gateway sends it, and a space too many would move the code.
	silent map[Token]bool
	// parsed are the markers that the server reads as tokens wherever a text spells them, longest first.
	parsed []string
}

const (
	firstMarker Token = 1 << 18 // beyond the vocabularies of real models, whose ids then are no markers
	wholeRune   Token = 1 << 27 // and a character of four bytes
	someBytes   Token = 1 << 26 // and one to three bytes, their number in bits 24 and 25
	dummySpace        = firstMarker
)

// Turns of a conversation that the server lays out itself.
const (
	systemTurn    = "\x00" + System
	userTurn      = "\x00" + User
	assistantTurn = "\x00" + Assistant
)

var _ Tokenizer = (*Spelling)(nil)

// newSpelling makes the vocabulary of some markers; empty ones are left out.
func newSpelling(dummy bool, bos string, markers ...string) *Spelling {
	s := &Spelling{ids: map[string]Token{}, silent: map[Token]bool{}, bos: bos, dummy: dummy}
	for _, text := range append([]string{"", systemTurn, userTurn, assistantTurn, bos}, markers...) {
		if _, known := s.ids[text]; known || text == "" && len(s.markers) > 0 {
			continue
		}
		s.ids[text] = firstMarker + Token(len(s.markers))
		s.markers = append(s.markers, text)
	}
	return s
}

// id returns a marker's token, or noToken.
func (s *Spelling) id(marker string) Token {
	if id, ok := s.ids[marker]; ok && marker != "" {
		return id
	}
	return noToken
}

// Tokenize implements Tokenizer.
func (s *Spelling) Tokenize(text string) ([]Token, error) {
	var ids []Token
	if s.dummy {
		ids = append(ids, dummySpace)
	}
	for text != "" {
		n := 0
		for n < len(text) {
			_, size := utf8.DecodeRuneInString(text[n:])
			if n+size > 3 {
				break
			}
			n += size
		}
		if n == 0 {
			r, size := utf8.DecodeRuneInString(text)
			ids, text = append(ids, wholeRune|r), text[size:]
			continue
		}
		id := someBytes | Token(n)<<24
		for i := range n {
			id |= Token(text[i]) << (8 * i)
		}
		ids, text = append(ids, id), text[n:]
	}
	return ids, nil
}

// Piece implements Tokenizer.
func (s *Spelling) Piece(t Token) string {
	switch {
	case t >= wholeRune:
		return string(t &^ wholeRune)
	case t >= someBytes:
		var b [3]byte
		for i := range b {
			b[i] = byte(t >> (8 * i))
		}
		return string(b[:min(t>>24&3, 3)])
	case t >= firstMarker && int(t-firstMarker) < len(s.markers):
		return s.markers[t-firstMarker]
	}
	return ""
}

// BOS implements Tokenizer: none, because servers put it before a prompt by themselves.
func (s *Spelling) BOS() (Token, bool) { return 0, false }

// EndTokens implements Tokenizer.
func (s *Spelling) EndTokens() []Token { return nil }

// Spelled is a prompt as it is sent: a text, or a conversation that the server lays out.
type Spelled struct {
	Text     string
	Messages []Message // nil: it is a text
}

// Spell writes a prompt of this vocabulary as text.
func (s *Spelling) Spell(ids []Token) (Spelled, error) {
	for _, t := range ids {
		if t < firstMarker || t < someBytes && int(t-firstMarker) >= len(s.markers) {
			return Spelled{}, fmt.Errorf("token %d means nothing here: the vocabulary of this model is at its server, send it text", t)
		}
	}
	if len(ids) > 0 && s.turn(ids[0]) != "" {
		return Spelled{Messages: s.conversation(ids)}, nil
	}
	var out, run strings.Builder
	flush := func() {
		out.WriteString(s.shielded(run.String()))
		run.Reset()
	}
	before := noToken
	for i, t := range ids {
		switch {
		case t >= someBytes:
			run.WriteString(s.Piece(t))
		case t == dummySpace:
			if i > 0 && !s.silent[before] && !(i == 1 && s.markers[before-firstMarker] == s.bos) {
				run.WriteByte(' ')
			}
		case i == 0 && s.markers[t-firstMarker] == s.bos:
		default:
			flush()
			text, spaced := strings.CutPrefix(s.markers[t-firstMarker], "▁")
			if spaced && out.Len() > 0 { // the tokenizer there writes the first one
				out.WriteByte(' ')
			}
			out.WriteString(text)
		}
		before = min(t, someBytes)
	}
	flush()
	return Spelled{Text: out.String()}, nil
}

// shielded keeps markers that a user's text spells from becoming tokens at the server: an invisible
// character (U+200B) stands behind the first of each.
func (s *Spelling) shielded(text string) string {
	for _, marker := range s.parsed {
		if strings.Contains(text, marker) {
			_, first := utf8.DecodeRuneInString(marker)
			text = strings.ReplaceAll(text, marker, marker[:first]+"\u200B"+marker[first:])
		}
	}
	return text
}

// turn returns the role whose turn a token begins, or nothing.
func (s *Spelling) turn(t Token) string {
	if role, ok := strings.CutPrefix(s.Piece(t), "\x00"); ok && t < someBytes {
		return role
	}
	return ""
}

func (s *Spelling) conversation(ids []Token) []Message {
	var out []Message
	var text strings.Builder
	for i, t := range ids {
		if role := s.turn(t); role != "" {
			out = append(out, Message{Role: role})
		} else if t >= someBytes {
			text.WriteString(s.Piece(t))
		}
		if i == len(ids)-1 || s.turn(ids[i+1]) != "" {
			out[len(out)-1].Content = text.String()
			text.Reset()
		}
	}
	return out
}

// StopTexts spells the markers that end an answer. </s> is not among them: servers do not write it, and a
// web page may.
func (s *Spelling) StopTexts(ids []Token) []string {
	var out []string
	for _, t := range ids {
		if text := s.Piece(t); t < someBytes && text != "" && text[0] != 0 && text != "</s>" && text != "<eos>" {
			out = append(out, strings.TrimPrefix(text, "▁"))
		}
	}
	return out
}

// serverChat leaves the layout of a conversation to the server, which has the model's template.
type serverChat struct{ s *Spelling }

func (l serverChat) lay(messages []Message) ([]Token, error) {
	var out []Token
	for _, m := range messages {
		ids, err := l.s.Tokenize(m.Content)
		if err != nil {
			return nil, err
		}
		out = append(append(out, l.s.id("\x00"+m.Role)), ids...)
	}
	return out, nil
}
