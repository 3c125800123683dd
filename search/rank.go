package search

import (
	"context"
	"math"
	"slices"
	"sync"

	index "github.com/blevesearch/bleve_index_api"
)

// How passages are ranked.
//
// BM25F (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009): the occurrences
// of a term in a passage's fields are added up, each weighted for its field and for how long the
// field is beside the mean; the sum saturates, and the term's rarity multiplies it.
//
//	1. For each concept, the postings of its term and of its synonyms are read once per field and
//	   added up for the passage they are in, and for its page.
//	2. The concept's score of a passage is idf * tf/(k1+tf); likewise of a page, where the fields
//	   of the page (title, description, path, what others call it) count too.
//	3. A page's score is the sum over the concepts, plus a share of its best passage's.
//
// Bleve's own query would score each field alone and forget the page; it would also read the same
// postings through a heap of searchers, at several times the cost. So Bleve is used as what it is
// best at, the index, and the sums are made here.

// weights are the numbers of the ranking. They were found on questions about GitLab's pages
// (bench/docs), by changing one at a time while that helped. The questions are all that
// there were, so others are answered a little worse.
type weights struct {
	K1, PageK1    float32
	B, PageB      float32 // how much a long field counts less, 0 to 1
	Title         float32
	Path          float32
	Description   float32
	Linked        float32
	Headings      float32
	Section       float32
	Code          float32 // body is 1
	PageHeadings  float32
	PageBody      float32
	Pair          float32 // of two words that follow each other, beside one word
	Whole         float32 // of an identifier, beside its parts
	Synonym       float32
	SynonymPhrase float32
	Typo          float32
	Passage       float32 // share of the best passage in a page's score
	Prior         float32 // of being linked to by many
	Coverage      float32 // of having many of the concepts
}

var defaults = weights{
	K1: 2.4, PageK1: 3.8, B: 0.6, PageB: 0.6,
	Title: 3.8, Path: 2, Description: 1.6, Linked: 1, Headings: 2, Section: 0.5, Code: 0.8,
	PageHeadings: 1.5, PageBody: 0.4,
	Pair: 0.24, Whole: 0.9, Synonym: 0.32, SynonymPhrase: 0.25, Typo: 0.6,
	Passage: 0.6, Prior: 0.16, Coverage: 0.03,
}

// pageLength is the mean of a page's terms, among the fields' mean lengths.
const pageLength = "page"

// scratch is the memory of one question: one number per passage and per page.
type scratch struct {
	tf, score         []float32 // of passages
	pageTF, pageScore []float32
	covered           []float32 // of pages
	docs, pages       []uint32  // with a tf of the concept at hand
	hitDocs, hitPages []uint32  // with a score
}

var scratches sync.Pool

func newScratch(passages, pages int) *scratch {
	s, _ := scratches.Get().(*scratch)
	if s == nil || len(s.tf) < passages || len(s.pageTF) < pages {
		s = &scratch{
			tf: make([]float32, passages), score: make([]float32, passages),
			pageTF: make([]float32, pages), pageScore: make([]float32, pages), covered: make([]float32, pages),
		}
	}
	return s
}

// free clears what was touched and gives the memory back.
func (s *scratch) free() {
	for _, d := range s.hitDocs {
		s.score[d] = 0
	}
	for _, p := range s.hitPages {
		s.pageScore[p], s.covered[p] = 0, 0
	}
	s.hitDocs, s.hitPages = s.hitDocs[:0], s.hitPages[:0]
	scratches.Put(s)
}

// fieldWeight is what an occurrence counts in a field, for the passage and for the page.
type fieldWeight struct {
	field         string
	passage, page float32
}

func (w *weights) fields(pair bool) []fieldWeight {
	if pair {
		return []fieldWeight{{fieldPairs, 1, 1}}
	}
	return []fieldWeight{
		{fieldBody, 1, w.PageBody},
		{fieldHeadings, w.Headings, w.PageHeadings},
		{fieldCode, w.Code, w.Code * w.PageBody},
		{fieldSection, w.Section, 0},
		{fieldTitle, 0, w.Title},
		{fieldPath, 0, w.Path},
		{fieldDescription, 0, w.Description},
		{fieldLinked, 0, w.Linked},
	}
}

// hit is a page that was found, with its best passage.
type hit struct {
	page    uint32
	passage uint32
	score   float32
}

// rank scores all passages and returns the best page's best passage first, at most n.
func (x *Index) rank(ctx context.Context, reader index.IndexReader, question []concept, n int, w *weights) ([]hit, error) {
	s := newScratch(len(x.places), x.manifest.Pages)
	defer s.free()
	var total float32
	for i := range question {
		if err := ctx.Err(); err != nil {
			s.forget()
			return nil, err
		}
		idf, err := x.score(ctx, reader, s, &question[i], w)
		if err != nil {
			s.forget()
			return nil, err
		}
		total += idf
	}
	best := make(map[uint32]hit, len(s.hitPages))
	for _, d := range s.hitDocs {
		p := x.places[d].page
		if h, ok := best[p]; !ok || s.score[d] > h.score || s.score[d] == h.score && d < h.passage {
			best[p] = hit{p, d, s.score[d]}
		}
	}
	hits := make([]hit, 0, len(s.hitPages))
	for _, p := range s.hitPages {
		h, ok := best[p]
		if !ok { // only the title, the path or what others call it
			h = hit{page: p, passage: x.first[p]}
		}
		h.score = s.pageScore[p] + w.Passage*h.score
		h.score += w.Prior * x.prior[p]
		if w.Coverage > 0 && total > 0 {
			h.score *= 1 + w.Coverage*s.covered[p]/total
		}
		hits = append(hits, h)
	}
	slices.SortFunc(hits, func(a, b hit) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return int(a.page) - int(b.page)
	})
	if len(hits) >= n {
		return hits[:n], nil
	}
	return append(hits, x.further(s, hits, n-len(hits))...), nil
}

// further returns passages of the pages that were found already, where there are no more pages.
func (x *Index) further(s *scratch, hits []hit, n int) []hit {
	taken := make(map[uint32]bool, len(hits))
	for _, h := range hits {
		taken[h.passage] = true
	}
	least := float32(0)
	if len(hits) > 0 {
		least = hits[len(hits)-1].score
	}
	var rest []hit
	for _, d := range s.hitDocs {
		if !taken[d] {
			rest = append(rest, hit{x.places[d].page, d, s.score[d]})
		}
	}
	slices.SortFunc(rest, func(a, b hit) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return int(a.passage) - int(b.passage)
	})
	rest = rest[:min(n, len(rest))]
	for i := range rest { // below the pages' first passages, in their own order
		rest[i].score = least * rest[i].score / (rest[0].score + 1)
	}
	return rest
}

// forget clears a concept that was not finished.
func (s *scratch) forget() {
	for _, d := range s.docs {
		s.tf[d] = 0
	}
	for _, p := range s.pages {
		s.pageTF[p] = 0
	}
	s.docs, s.pages = s.docs[:0], s.pages[:0]
}

// score adds a concept's score to all passages and pages that have it, and returns its idf.
func (x *Index) score(ctx context.Context, reader index.IndexReader, s *scratch, c *concept, w *weights) (float32, error) {
	if err := x.gather(ctx, reader, s, c.term, c.pair, 1, w); err != nil {
		return 0, err
	}
	df, found := len(s.docs), len(s.pages)
	others := c.others
	if found == 0 && !c.pair {
		others = append(others, x.nearby(reader, c.term, w)...)
	}
	for _, o := range others {
		if err := x.gather(ctx, reader, s, o.term, false, o.weight, w); err != nil {
			return 0, err
		}
	}
	if found == 0 {
		df, found = len(s.docs), len(s.pages)
	}
	idf := c.weight * inverse(len(x.places), df)
	pageIDF := c.weight * inverse(x.manifest.Pages, found)
	for _, d := range s.docs {
		if s.score[d] == 0 {
			s.hitDocs = append(s.hitDocs, d)
		}
		s.score[d] += idf*s.tf[d]/(w.K1+s.tf[d]) + math.SmallestNonzeroFloat32
	}
	for _, p := range s.pages {
		if s.pageScore[p] == 0 {
			s.hitPages = append(s.hitPages, p)
		}
		s.pageScore[p] += pageIDF*s.pageTF[p]/(w.PageK1+s.pageTF[p]) + math.SmallestNonzeroFloat32
		s.covered[p] += pageIDF
	}
	s.forget()
	return pageIDF, nil
}

// inverse is the inverse document frequency; never negative.
func inverse(all, with int) float32 {
	return float32(math.Log(1 + (float64(all)-float64(with)+0.5)/(float64(with)+0.5)))
}

// gather adds up where a term occurs.
func (x *Index) gather(ctx context.Context, reader index.IndexReader, s *scratch, term string, pair bool, weight float32, w *weights) error {
	for _, f := range w.fields(pair) {
		if f.passage == 0 && f.page == 0 {
			continue
		}
		postings, err := reader.TermFieldReader(ctx, []byte(term), f.field, true, true, false)
		if err != nil {
			return err
		}
		if (f.field == fieldBody || f.field == fieldCode) && x.everywhere(postings.Count()) {
			if err := postings.Close(); err != nil {
				return err
			}
			continue
		}
		if err := x.add(s, postings, f, weight, w); err != nil {
			_ = postings.Close()
			return err
		}
		if err := postings.Close(); err != nil {
			return err
		}
	}
	return nil
}

// everywhere reports whether a word is in so many passages that reading where costs more than it
// says, such as the name of the product. Where it is a title or a heading still counts. A small
// index is read in no time, and too small to know.
func (x *Index) everywhere(passages uint64) bool {
	const few = 2000
	return len(x.places) > few && passages > uint64(len(x.places))*2/5
}

func (x *Index) add(s *scratch, postings index.TermFieldReader, f fieldWeight, weight float32, w *weights) error {
	var (
		posting index.TermFieldDoc
		mean    = float32(x.manifest.Lengths[f.field])
		b       = w.B
	)
	if f.field == fieldPairs || f.field == fieldSection || f.field == fieldPath {
		b = 0
	}
	for {
		p, err := postings.Next(&posting)
		if err != nil {
			return err
		}
		if p == nil {
			return nil
		}
		number, err := p.ID.Value()
		if err != nil || number >= uint64(len(x.places)) {
			return errForeign
		}
		d := uint32(number)
		place := &x.places[d]
		tf := weight * float32(p.Freq)
		if f.passage > 0 {
			if s.tf[d] == 0 {
				s.docs = append(s.docs, d)
			}
			long := float32(1)
			if b > 0 && mean > 0 {
				long = 1 - b + b*lengthOf(p.Norm)/mean
			}
			s.tf[d] += f.passage * tf / long
		}
		if f.page > 0 {
			if s.pageTF[place.page] == 0 {
				s.pages = append(s.pages, place.page)
			}
			long := float32(1)
			switch {
			case f.passage > 0: // spread over the page's passages
				long = 1 - w.PageB + w.PageB*place.long
			case b > 0 && mean > 0:
				long = 1 - b + b*lengthOf(p.Norm)/mean
			}
			s.pageTF[place.page] += f.page * tf / long
		}
	}
}

// lengthOf returns the terms of a field from Bleve's norm, which is 1/sqrt(length).
func lengthOf(norm float64) float32 {
	if norm <= 0 {
		return 1
	}
	return float32(1 / (norm * norm))
}
