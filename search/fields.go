package search

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"strconv"
	"strings"

	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"

	"aigw/search/lexicon"
	"aigw/search/markdown"
)

// meta is what is stored of a passage beside its text.
type meta struct {
	Collection string   `json:"c,omitempty"`
	Page       string   `json:"p"`
	Path       string   `json:"f,omitempty"`
	Anchor     string   `json:"a,omitempty"`
	Title      string   `json:"t"`
	Headings   []string `json:"h,omitempty"`
	URL        string   `json:"u,omitempty"`
}

// entry is one passage as Bleve takes it.
type entry struct {
	id     string
	fields []document.Field
}

// entries returns the passages of a page; number is the page's.
func (p *collectedPage) entries(number int) ([]entry, error) {
	out := make([]entry, len(p.Passages))
	long := 0 // terms of the page's text
	for i, passage := range p.Passages {
		out[i] = entry{p.passageID(i), p.searched(passage, i)}
		for _, f := range out[i].fields {
			if f.Name() == fieldBody {
				long += f.AnalyzedLength()
			}
		}
	}
	placed := place{page: number, length: long, from: p.from}.String()
	for i, passage := range p.Passages {
		described, err := p.described(passage)
		if err != nil {
			return nil, err
		}
		out[i].fields = append(out[i].fields,
			document.NewTextFieldCustom(fieldPlace, nil, []byte(placed), index.IndexField|index.DocValues, nil),
			document.NewTextFieldCustom(fieldMeta, nil, described, index.StoreField, nil),
			document.NewTextFieldCustom(fieldText, nil, []byte(passage.Text), index.StoreField, nil))
	}
	return out, nil
}

// searched are the fields of a passage that are searched in.
func (p *collectedPage) searched(passage markdown.Passage, number int) []document.Field {
	headings := strings.Join(append(append([]string{}, passage.Headings...), passage.Inner...), "\n")
	var marks []string
	for _, anchor := range passage.Anchors {
		marks = append(marks, p.marks[anchor]...)
	}
	running := headings + "\n\n" + passage.Prose
	var out []document.Field
	add := func(field, text string) {
		if text != "" {
			out = append(out, termsOf(field, text))
		}
	}
	if number == 0 {
		add(fieldTitle, p.Title)
		add(fieldDescription, p.Description)
		add(fieldPath, pathWords(p.file))
		add(fieldLinked, strings.Join(p.linked, "\n"))
		running = p.Title + "\n\n" + p.Description + "\n\n" + running
	}
	add(fieldHeadings, headings)
	add(fieldSection, strings.Join(marks, "\n"))
	add(fieldBody, passage.Prose)
	add(fieldCode, passage.Code)
	return append(out, pairsOf(running))
}

// described is what is stored of a passage beside its text.
func (p *collectedPage) described(passage markdown.Passage) ([]byte, error) {
	m := meta{
		Collection: p.collection, Page: p.file, Path: p.path, Anchor: passage.Anchor,
		Title: p.Title, Headings: passage.Headings, URL: p.url,
	}
	if m.URL != "" && passage.Anchor != "" {
		m.URL += "#" + passage.Anchor
	}
	return json.Marshal(m)
}

// passageID is the same whenever the page is indexed: a hash of where it is and its number.
func (p *collectedPage) passageID(number int) string {
	sum := sha256.Sum256([]byte(p.id + "\x00" + strconv.Itoa(number)))
	return hex.EncodeToString(sum[:16])
}

// pathWords are the words of a page's path: user/project/_index.md says user and project.
func pathWords(file string) string {
	var words []string
	lexicon.Terms(strings.TrimSuffix(file, path.Ext(file)), func(t lexicon.Term) bool {
		if word := strings.ToLower(file[t.Start:t.End]); !t.Whole && word != "index" && word != "doc" && word != "docs" {
			words = append(words, word)
		}
		return true
	})
	return strings.Join(words, " ")
}
