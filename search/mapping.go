package search

import (
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/mapping"
	"github.com/blevesearch/bleve/v2/registry"
	index "github.com/blevesearch/bleve_index_api"

	"aigw/search/lexicon"
)

// Fields of a passage. Those of the page are indexed once, with the page's first passage.
const (
	fieldTitle       = "title"       // page
	fieldPath        = "path"        // page
	fieldDescription = "description" // page
	fieldLinked      = "linked"      // page: what other pages call it where they link to it
	fieldHeadings    = "headings"    // passage
	fieldSection     = "section"     // passage: what other pages call it where they link to it
	fieldBody        = "body"        // passage
	fieldCode        = "code"        // passage
	fieldPairs       = "pairs"       // passage: words that follow each other in title, headings and body

	fieldPlace = "place" // numbers of the page, see place
	fieldMeta  = "meta"  // JSON, stored
	fieldText  = "text"  // Markdown, stored
)

const (
	termAnalyzer = "aigw_terms"
	pairAnalyzer = "aigw_pairs"
)

func init() {
	for name, a := range map[string]analysis.Analyzer{termAnalyzer: terms{}, pairAnalyzer: pairs{}} {
		err := registry.RegisterAnalyzer(name, func(map[string]any, *registry.Cache) (analysis.Analyzer, error) { return a, nil })
		if err != nil {
			panic(err) // the name is taken: an error of the program
		}
	}
}

// newMapping says how a passage is indexed. Position and offsets of terms are not kept: pairs stand
// for them at a third of the size.
func newMapping() mapping.IndexMapping {
	m := bleve.NewIndexMapping()
	m.ScoringModel = index.BM25Scoring
	m.IndexDynamic, m.StoreDynamic, m.DocValuesDynamic = false, false, false
	doc := bleve.NewDocumentStaticMapping()
	for _, name := range []string{fieldTitle, fieldPath, fieldDescription, fieldLinked, fieldHeadings, fieldSection, fieldBody, fieldCode, fieldPairs} {
		f := bleve.NewTextFieldMapping()
		f.Analyzer = termAnalyzer
		if name == fieldPairs {
			f.Analyzer = pairAnalyzer
		}
		f.Store, f.IncludeTermVectors, f.IncludeInAll, f.DocValues = false, false, false, false
		doc.AddFieldMappingsAt(name, f)
	}
	place := bleve.NewKeywordFieldMapping()
	place.Store, place.IncludeInAll, place.Index, place.DocValues = false, false, true, true
	doc.AddFieldMappingsAt(fieldPlace, place)
	for _, name := range []string{fieldMeta, fieldText} {
		f := bleve.NewTextFieldMapping()
		f.Index, f.Store, f.IncludeInAll, f.DocValues = false, true, false, false
		doc.AddFieldMappingsAt(name, f)
	}
	m.DefaultMapping = doc
	return m
}

// newMemoryIndex returns an index without a file.
func newMemoryIndex() (bleve.Index, error) {
	return bleve.NewUsing("", newMapping(), scorch.Name, scorch.Name, nil)
}

// terms is the analyzer of all fields but pairs.
type terms struct{}

func (terms) Analyze(input []byte) analysis.TokenStream {
	var out analysis.TokenStream
	lexicon.Terms(string(input), func(t lexicon.Term) bool {
		if t.Whole || !lexicon.Stopword(t.Text) {
			out = append(out, &analysis.Token{Term: []byte(t.Text), Position: len(out) + 1, Start: t.Start, End: t.End})
		}
		return true
	})
	return out
}

// pairs is the analyzer of the field of that name. Lines are apart: no pair begins on one and ends
// on an empty line's other side.
type pairs struct{}

func (pairs) Analyze(input []byte) analysis.TokenStream {
	var out analysis.TokenStream
	for part := range strings.SplitSeq(string(input), "\n\n") {
		last := ""
		lexicon.Terms(part, func(t lexicon.Term) bool {
			if t.Whole || lexicon.Stopword(t.Text) {
				return true
			}
			if last != "" {
				out = append(out, &analysis.Token{Term: []byte(last + " " + t.Text), Position: len(out) + 1, Start: t.Start, End: t.End})
			}
			last = t.Text
			return true
		})
	}
	return out
}
