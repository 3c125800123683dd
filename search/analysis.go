package search

import (
	"strings"

	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"

	"aigw/search/lexicon"
)

// terms is a field that can be searched, with its text taken apart already. Positions and offsets
// are not kept: fieldPairs stands for them at a third of the size.
type terms struct {
	name   string
	length int // how many, counting each as often as it comes
	counts index.TokenFrequencies
}

var _ document.Field = (*terms)(nil)

func (t *terms) Name() string                                     { return t.name }
func (t *terms) Analyze()                                         {}
func (t *terms) AnalyzedLength() int                              { return t.length }
func (t *terms) AnalyzedTokenFrequencies() index.TokenFrequencies { return t.counts }
func (t *terms) Options() index.FieldIndexingOptions              { return index.IndexField }
func (t *terms) EncodedFieldType() byte                           { return 't' }
func (t *terms) ArrayPositions() []uint64                         { return nil }
func (t *terms) Value() []byte                                    { return nil }
func (t *terms) NumPlainTextBytes() uint64                        { return 0 }
func (t *terms) Size() int                                        { return 0 }

// times are the usual numbers of occurrences, shared by all terms that have one. Bleve's segments
// take a term from the key of the map, so what it is counted with need not name it again.
var times = func() (out [64]*index.TokenFreq) {
	for n := range out {
		out[n] = timesOf(n)
	}
	return out
}()

func timesOf(n int) *index.TokenFreq {
	f := &index.TokenFreq{}
	f.SetFrequency(n)
	return f
}

func (t *terms) add(term string) {
	t.length++
	n := 1
	if before, ok := t.counts[term]; ok {
		n += before.Frequency()
	}
	if n < len(times) {
		t.counts[term] = times[n]
	} else {
		t.counts[term] = timesOf(n)
	}
}

// termsOf takes the text of any field but fieldPairs apart.
func termsOf(field, text string) *terms {
	out := &terms{name: field, counts: make(index.TokenFrequencies, len(text)/16)}
	lexicon.Terms(text, func(t lexicon.Term) bool {
		if !t.Stopword {
			out.add(t.Text)
		}
		return true
	})
	return out
}

// pairsOf takes a text apart for fieldPairs. Paragraphs are apart: no pair begins in one and ends
// in another.
func pairsOf(text string) *terms {
	out := &terms{name: fieldPairs, counts: make(index.TokenFrequencies, len(text)/12)}
	for part := range strings.SplitSeq(text, "\n\n") {
		last := ""
		lexicon.Terms(part, func(t lexicon.Term) bool {
			if t.Whole || t.Stopword {
				return true
			}
			if last != "" {
				out.add(last + " " + t.Text)
			}
			last = t.Text
			return true
		})
	}
	return out
}
