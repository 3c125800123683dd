package search

import (
	"fmt"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/mapping"
	index "github.com/blevesearch/bleve_index_api"
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

// analysed is Bleve's mapping for passages that come with their terms. Bleve would find the terms
// itself, one passage after the other and through reflection; this way all cores do it.
type analysed struct{ *mapping.IndexMappingImpl }

func newMapping() mapping.IndexMapping {
	m := bleve.NewIndexMapping()
	m.ScoringModel = index.BM25Scoring
	m.IndexDynamic, m.StoreDynamic, m.DocValuesDynamic = false, false, false
	m.DefaultMapping = bleve.NewDocumentStaticMapping()
	return analysed{m}
}

// MapDocument takes over the fields of a passage.
func (analysed) MapDocument(doc *document.Document, data any) error {
	fields, ok := data.([]document.Field)
	if !ok {
		return fmt.Errorf("%T is no passage", data)
	}
	for _, f := range fields {
		doc.AddField(f)
	}
	return nil
}

// newMemoryIndex returns an index without a file.
func newMemoryIndex() (bleve.Index, error) {
	return bleve.NewUsing("", newMapping(), scorch.Name, scorch.Name, nil)
}
