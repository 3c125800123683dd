package lexicon

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed synonyms.txt
var synonymList string

// maxPhrase is the most words of a phrase in synonyms.txt.
const maxPhrase = 4

// Phrase is one or more terms that follow each other.
type Phrase []string

type synonyms map[string][]Phrase // by the terms of a phrase, joined with spaces

var table = sync.OnceValue(func() synonyms { return parseSynonyms(synonymList) })

// parseSynonyms reads lines of two forms; # begins a comment:
//
//	a, b, c      each stands for the others too
//	a > b, c     a stands for b and c too, and not the other way round
func parseSynonyms(list string) synonyms {
	s := synonyms{}
	for line := range strings.Lines(list) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if from, to, oneWay := strings.Cut(line, ">"); oneWay {
			for _, f := range phrases(from) {
				s.add(f, phrases(to))
			}
			continue
		}
		all := phrases(line)
		for i, f := range all {
			s.add(f, append(append([]Phrase{}, all[:i]...), all[i+1:]...))
		}
	}
	return s
}

func (s synonyms) add(from Phrase, to []Phrase) {
	key := strings.Join(from, " ")
	s[key] = append(s[key], to...)
}

func phrases(list string) []Phrase {
	var out []Phrase
	for part := range strings.SplitSeq(list, ",") {
		var p Phrase
		Terms(part, func(t Term) bool {
			if !t.Whole && !t.Stopword {
				p = append(p, t.Text)
			}
			return true
		})
		if len(p) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// Synonyms returns what the longest phrase at the beginning of terms also stands for, and how
// many terms that phrase has; 0 if there is none.
func Synonyms(terms []string) ([]Phrase, int) {
	for n := min(maxPhrase, len(terms)); n > 0; n-- {
		if to, ok := table()[strings.Join(terms[:n], " ")]; ok {
			return to, n
		}
	}
	return nil, 0
}
