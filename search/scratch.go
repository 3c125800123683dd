package search

import (
	"math"
	"sync"
)

// scratch is the memory of one question: a number for each passage and each page.
type scratch struct {
	tf, score         []float32 // of passages
	pageTF, pageScore []float32
	covered           []float32 // of pages
	best              []hit     // by page: its best passage; score is 0 where it has none
	passages, pages   []uint32  // with a tf
	hitDocs, hitPages []uint32  // with a score
	slips             int       // words without postings so far

	summed, summedPages []occurrence
}

var scratches sync.Pool

func (x *Index) scratch() *scratch {
	s, _ := scratches.Get().(*scratch)
	if passages, pages := len(x.places), x.manifest.Pages; s == nil || len(s.tf) < passages || len(s.pageTF) < pages {
		s = &scratch{
			tf: make([]float32, passages), score: make([]float32, passages),
			pageTF: make([]float32, pages), pageScore: make([]float32, pages), covered: make([]float32, pages),
			best: make([]hit, pages),
		}
	}
	return s
}

// free clears what was touched and gives the memory back.
func (s *scratch) free() {
	s.forget()
	for _, d := range s.hitDocs {
		s.score[d] = 0
	}
	for _, p := range s.hitPages {
		s.pageScore[p], s.covered[p] = 0, 0
	}
	s.hitDocs, s.hitPages, s.slips = s.hitDocs[:0], s.hitPages[:0], 0
	scratches.Put(s)
}

// forget clears the occurrences.
func (s *scratch) forget() {
	for _, d := range s.passages {
		s.tf[d] = 0
	}
	for _, p := range s.pages {
		s.pageTF[p] = 0
	}
	s.passages, s.pages = s.passages[:0], s.pages[:0]
}

func (s *scratch) addPassage(d uint32, tf float32) {
	if s.tf[d] == 0 {
		s.passages = append(s.passages, d)
	}
	s.tf[d] += tf
}

func (s *scratch) addPage(p uint32, tf float32) {
	if s.pageTF[p] == 0 {
		s.pages = append(s.pages, p)
	}
	s.pageTF[p] += tf
}

// A score of nothing says that a passage or page was not found yet, so none is 0.
const least = math.SmallestNonzeroFloat32

func (s *scratch) scorePassage(d uint32, score float32) {
	if s.score[d] == 0 {
		s.hitDocs = append(s.hitDocs, d)
	}
	s.score[d] += score + least
}

func (s *scratch) scorePage(p uint32, score, idf float32) {
	if s.pageScore[p] == 0 {
		s.hitPages = append(s.hitPages, p)
	}
	s.pageScore[p] += score + least
	s.covered[p] += idf
}
