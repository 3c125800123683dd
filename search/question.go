package search

import (
	"slices"
	"strings"
	"unicode/utf8"

	"aigw/search/lexicon"
)

// Limits of a question. What is longer is cut: nobody asks in 20,000 words, and the rarest of a
// question's words find its page.
const (
	maxQuestionBytes = 16 << 10
	maxQuestionWords = 400
	// maxConcepts is how many concepts are searched for, the rarest of a longer question. Much fewer
	// are not enough: the rarest words of a story are not the ones that it is about.
	maxConcepts = 100
)

// concept is one thing that a question asks for: a word, and what stands for it.
type concept struct {
	term   string
	others []weighted // synonyms and near spellings
	weight float32    // 1 unless it is only a part of something
	pair   bool       // two words that follow each other, in fieldPairs
}

type weighted struct {
	term   string
	weight float32
}

// concepts takes a question apart. No word of it is an operator.
func concepts(question string, w *weights) []concept {
	if len(question) > maxQuestionBytes {
		question = question[:maxQuestionBytes]
		for len(question) > 0 {
			if r, size := utf8.DecodeLastRuneInString(question); r != utf8.RuneError || size != 1 {
				break
			}
			question = question[:len(question)-1]
		}
	}
	question = strings.ToValidUTF8(question, " ")
	var (
		words    []string // without what says nothing
		all      []string // without stop words only, if that is all there is
		wholes   []string
		previous string
		pairs    []string
	)
	lexicon.Terms(question, func(t lexicon.Term) bool {
		switch {
		case t.Whole:
			wholes = append(wholes, t.Text)
		case t.Stopword:
		default:
			all = append(all, t.Text)
			if !lexicon.Filler(t.Text) {
				words = append(words, t.Text)
			}
			if previous != "" {
				pairs = append(pairs, previous+" "+t.Text)
			}
			previous = t.Text
		}
		return t.Position < maxQuestionWords
	})
	if len(words)+len(wholes) == 0 {
		words = all
	}
	var out []concept
	at := map[string]int{}
	add := func(c concept) *concept {
		key := c.term
		if i, ok := at[key]; ok {
			out[i].weight = max(out[i].weight, c.weight)
			return &out[i]
		}
		at[key] = len(out)
		out = append(out, c)
		return &out[len(out)-1]
	}
	for _, t := range wholes {
		add(concept{term: t, weight: w.Whole})
	}
	for _, t := range words {
		add(concept{term: t, weight: 1})
	}
	for _, t := range pairs {
		add(concept{term: t, weight: w.Pair, pair: true})
	}
	for i := range words {
		to, n := lexicon.Synonyms(words[i:])
		for _, phrase := range to {
			if n == 1 && len(phrase) == 1 {
				c := &out[at[words[i]]]
				if !slices.ContainsFunc(c.others, func(o weighted) bool { return o.term == phrase[0] }) {
					c.others = append(c.others, weighted{phrase[0], w.Synonym})
				}
				continue
			}
			for j, t := range phrase {
				add(concept{term: t, weight: w.SynonymPhrase})
				if j > 0 {
					add(concept{term: phrase[j-1] + " " + t, weight: w.SynonymPhrase * w.Pair, pair: true})
				}
			}
		}
	}
	return out
}

// Matches returns the places in a text that a question asks for, as byte ranges in order: for
// people, who want to see why a passage was found.
func Matches(question, text string) [][2]int {
	wanted := map[string]bool{}
	for _, c := range concepts(question, &defaults) {
		if !c.pair {
			wanted[c.term] = true
		}
	}
	var out [][2]int
	lexicon.Terms(text, func(t lexicon.Term) bool {
		if wanted[t.Text] {
			if n := len(out); n > 0 && t.Start < out[n-1][1] { // a part of an identifier found whole
				return true
			}
			out = append(out, [2]int{t.Start, t.End})
		}
		return true
	})
	return out
}
