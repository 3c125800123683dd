// Package lexicon is what search knows about words: how text becomes terms, which words say
// nothing, and which mean the same in GitLab's field.
package lexicon

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// MaxTerm bounds a term in bytes. Longer words (keys, Base64) are not words.
const MaxTerm = 64

// Term is one word of a text as the index knows it.
type Term struct {
	Text string
	// Position counts words; an identifier's parts follow each other, and the whole identifier
	// stands where its first part does.
	Position int
	// Whole marks an identifier that was also taken apart.
	Whole bool
	// Stopword marks a word that is left out everywhere. A whole identifier is none.
	Stopword bool
	// Start and End are the bytes of the text that the term stands for.
	Start, End int
}

// Terms calls yield for each term of a text, in order, until it returns false.
//
// A word is a run of letters and digits, in lower case, stemmed. Runs that are joined by one of
// _ - . : / @ + make an identifier: CI_COMMIT_REF_NAME, gitlab.rb, rules:changes, tls-ca-file. It
// is a term whole, unstemmed, and so is each of its parts; so are the humps of CamelCase.
func Terms(text string, yield func(Term) bool) {
	var (
		position int
		parts    [][2]int
		stem     = stemmers.Get().(*stemmer)
	)
	defer stemmers.Put(stem)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !wordRune(r) {
			i += size
			continue
		}
		start := i
		parts = parts[:0]
		part := i
		joined := false
		previous := rune(0)
		for i < len(text) {
			r, size = utf8.DecodeRuneInString(text[i:])
			if wordRune(r) {
				if unicode.IsUpper(r) && unicode.IsLower(previous) && i > part { // a hump
					parts = append(parts, [2]int{part, i})
					part, joined = i, true
				}
				previous = r
				i += size
				continue
			}
			if r == '\'' || r == '’' { // possessive and contraction: GitLab's, don't
				next, _ := utf8.DecodeRuneInString(text[i+size:])
				if unicode.IsLetter(next) {
					parts = append(parts, [2]int{part, i})
					part = -1
					for i += size; i < len(text); {
						if r, size = utf8.DecodeRuneInString(text[i:]); !wordRune(r) {
							break
						}
						i += size
					}
				}
				break
			}
			if joins(r) && i+size < len(text) {
				if next, _ := utf8.DecodeRuneInString(text[i+size:]); wordRune(next) {
					parts = append(parts, [2]int{part, i})
					i += size
					part, joined, previous = i, true, 0
					continue
				}
			}
			break
		}
		end := i
		if part >= 0 {
			parts = append(parts, [2]int{part, i})
		}
		if joined && end-start <= MaxTerm {
			if !yield(Term{Text: strings.ToLower(text[start:end]), Position: position, Whole: true, Start: start, End: end}) {
				return
			}
		}
		for _, p := range parts {
			if p[1]-p[0] > MaxTerm {
				continue
			}
			w := stem.word(text[p[0]:p[1]])
			if !yield(Term{Text: w.term, Stopword: w.stop, Position: position, Start: p[0], End: p[1]}) {
				return
			}
			position++
		}
	}
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func joins(r rune) bool {
	switch r {
	case '_', '-', '.', ':', '/', '@', '+':
		return true
	}
	return false
}

// stemmer is Porter's second English stemmer, with a memory: a documentation of millions of words
// has some ten thousand different ones. Words with digits or of other scripts stay as they are.
type stemmer struct {
	env   *snowballstem.Env
	known map[string]word // by their spelling in the text
}

// word is what a spelling stands for.
type word struct {
	term string
	stop bool
}

// maxKnown bounds a stemmer's memory, to 3 MB.
const maxKnown = 1 << 15

// stemmers are shared by all texts, one for each that is read at the moment.
var stemmers = sync.Pool{New: func() any { return newStemmer() }}

func newStemmer() *stemmer {
	return &stemmer{env: snowballstem.NewEnv(""), known: map[string]word{}}
}

func (s *stemmer) word(spelling string) word {
	w, ok := s.known[spelling]
	if !ok {
		spelling = strings.Clone(spelling) // not to keep the text
		w.term = s.stem(strings.ToLower(spelling))
		w.stop = stopword(w.term)
		if len(s.known) < maxKnown {
			s.known[spelling] = w
		}
	}
	return w
}

func (s *stemmer) stem(word string) string {
	if len(word) < 3 {
		return word
	}
	for i := range len(word) {
		if word[i] < 'a' || word[i] > 'z' {
			return word
		}
	}
	s.env.SetCurrent(word)
	english.Stem(s.env)
	return strings.Clone(s.env.Current())
}

// Stem returns the term of one word.
func Stem(word string) string { return newStemmer().stem(strings.ToLower(word)) }
