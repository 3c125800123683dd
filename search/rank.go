package search

import (
	"context"
	"math"
	"slices"
)

// How passages are ranked.
//
// BM25F (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009): the occurrences
// of a term in a passage's fields are added up, each weighted for its field and for how long the
// field is beside the mean; the sum saturates, and the term's rarity multiplies it.
//
//	1. For each concept, the postings of its term and of its synonyms are added up for the
//	   passages they are in, and for their pages (postings.go).
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

// before orders hits: the best first.
func (h hit) before(other hit) bool {
	if h.score != other.score {
		return h.score > other.score
	}
	return h.page < other.page || h.page == other.page && h.passage < other.passage
}

// best holds the first n hits, in order.
type best struct {
	hits []hit
	n    int
}

func (b *best) add(h hit) {
	if len(b.hits) == b.n {
		if b.n == 0 || !h.before(b.hits[b.n-1]) {
			return
		}
		b.hits = b.hits[:b.n-1]
	}
	at, _ := slices.BinarySearchFunc(b.hits, h, func(have, h hit) int {
		if have.before(h) {
			return -1
		}
		return 1
	})
	b.hits = slices.Insert(b.hits, at, h)
}

// rank scores passages and pages, and returns the best page's best passage first, at most n.
func (x *Index) rank(ctx context.Context, question []concept, n int, w *weights) ([]hit, error) {
	s := x.scratch()
	defer s.free()
	var total float32
	for i := range question {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		idf, err := x.score(ctx, s, &question[i], w)
		if err != nil {
			return nil, err
		}
		total += idf
	}
	for _, p := range s.hitPages { // where only the title, the path or what others call it is found
		s.best[p] = hit{p, x.first[p], 0}
	}
	for _, d := range s.hitDocs {
		if h := (hit{x.places[d].page, d, s.score[d]}); h.before(s.best[h.page]) {
			s.best[h.page] = h
		}
	}
	found := best{n: n}
	for _, p := range s.hitPages {
		h := s.best[p]
		h.score = s.pageScore[p] + w.Passage*h.score + w.Prior*x.prior[p]
		if total > 0 {
			h.score *= 1 + w.Coverage*s.covered[p]/total
		}
		found.add(h)
	}
	if len(found.hits) < n {
		return append(found.hits, x.further(s, found.hits, n-len(found.hits))...), nil
	}
	return found.hits, nil
}

// further returns passages of the pages that were found already, where there are no more pages.
func (x *Index) further(s *scratch, hits []hit, n int) []hit {
	taken := make(map[uint32]bool, len(hits))
	for _, h := range hits {
		taken[h.passage] = true
	}
	worst := float32(0)
	if len(hits) > 0 {
		worst = hits[len(hits)-1].score
	}
	rest := best{n: n}
	for _, d := range s.hitDocs {
		if !taken[d] {
			rest.add(hit{x.places[d].page, d, s.score[d]})
		}
	}
	for i := len(rest.hits) - 1; i >= 0; i-- { // below the pages' first passages, in their own order
		rest.hits[i].score = worst * rest.hits[i].score / (rest.hits[0].score + 1)
	}
	return rest.hits
}

// score adds a concept's score to all passages and pages that have it, and returns its idf.
func (x *Index) score(ctx context.Context, s *scratch, c *concept, w *weights) (float32, error) {
	own, err := x.find(ctx, s, c.term, c.pair, w)
	if err != nil {
		return 0, err
	}
	passages, pages := own.passages, own.pages
	others := slices.Concat(c.others, own.near)
	if len(others) > 0 {
		if passages, pages, err = x.together(ctx, s, own, others, w); err != nil {
			return 0, err
		}
	}
	inPassages, inPages := len(own.passages), len(own.pages)
	if inPages == 0 { // as rare as what stands for it
		inPassages, inPages = len(passages), len(pages)
	}
	idf := c.weight * inverse(len(x.places), inPassages)
	for _, o := range passages {
		s.scorePassage(o.at, idf*o.tf/(w.K1+o.tf))
	}
	idf = c.weight * inverse(x.manifest.Pages, inPages)
	for _, o := range pages {
		s.scorePage(o.at, idf*o.tf/(w.PageK1+o.tf), idf)
	}
	return idf, nil
}

// together adds up the occurrences of a term and of what stands for it. What it returns is valid
// until the next call.
func (x *Index) together(ctx context.Context, s *scratch, own *postings, others []weighted, w *weights) (passages, pages []occurrence, err error) {
	lists := make([]*postings, len(others))
	for i, o := range others {
		if lists[i], err = x.find(ctx, s, o.term, false, w); err != nil {
			return nil, nil, err
		}
	}
	defer s.forget()
	add := func(p *postings, weight float32) {
		for _, o := range p.passages {
			s.addPassage(o.at, weight*o.tf)
		}
		for _, o := range p.pages {
			s.addPage(o.at, weight*o.tf)
		}
	}
	add(own, 1)
	for i, o := range others {
		add(lists[i], o.weight)
	}
	s.summed, s.summedPages = s.summed[:0], s.summedPages[:0]
	for _, d := range s.passages {
		s.summed = append(s.summed, occurrence{d, s.tf[d]})
	}
	for _, p := range s.pages {
		s.summedPages = append(s.summedPages, occurrence{p, s.pageTF[p]})
	}
	return s.summed, s.summedPages, nil
}

// inverse is the inverse document frequency; never negative.
func inverse(all, with int) float32 {
	return float32(math.Log(1 + (float64(all)-float64(with)+0.5)/(float64(with)+0.5)))
}
