package lexicon

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed stopwords.txt
var stopwordList string

// stopwords are the words that say nothing in this field, as terms. Those of the file's first part
// are left out of index and questions alike; those of the second only of questions, in which they
// are politeness.
var stopwords = sync.OnceValue(func() (lists struct{ always, questions map[string]bool }) {
	lists.always, lists.questions = map[string]bool{}, map[string]bool{}
	into := lists.always
	for line := range strings.Lines(stopwordList) {
		if line = strings.TrimSpace(line); line == "# questions" {
			into = lists.questions
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, word := range strings.Fields(line) {
			into[Stem(word)] = true
		}
	}
	return lists
})

// stopword reports whether a term is left out everywhere.
func stopword(term string) bool { return stopwords().always[term] }

// Filler reports whether a term says nothing in a question.
func Filler(term string) bool {
	lists := stopwords()
	return lists.always[term] || lists.questions[term]
}
