package search

import (
	"context"
	"sync"

	index "github.com/blevesearch/bleve_index_api"
)

// postings says where a term occurs, and what that counts: its occurrences in all fields, weighted
// and for the lengths of the fields, added up. That is everything that ranking has to know.
type postings struct {
	passages, pages []occurrence // in no order
	near            []weighted   // words that the term may be a slip of, where it occurs nowhere
}

type occurrence struct {
	at uint32 // number of the passage or the page
	tf float32
}

// bytes is what the postings take in memory, about.
func (p *postings) bytes() int {
	const each = 200 // key, headers, share of the map
	return each + 8*(cap(p.passages)+cap(p.pages)) + 80*len(p.near)
}

// recent keeps the postings that were asked for last. Reading them from Bleve takes most of a
// question's time, and people ask with the same words. It may be used concurrently.
type recent struct {
	mu    sync.RWMutex
	kept  map[string]*postings // pairs have a space between their words, terms have none
	bytes int
}

// maxRecent bounds the postings that are kept, in bytes. GitLab's 2,151 pages fill a third of it
// with the words that are in many passages (see warm).
const maxRecent = 48 << 20

func (r *recent) get(term string) *postings {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.kept[term]
}

func (r *recent) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.bytes
}

// keep keeps the postings, in place of any others where there are too many. Most of those are of
// rare words, which are quickly read again.
func (r *recent) keep(term string, p *postings) {
	if len(term) > 1<<10 || p.bytes() > maxRecent/4 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept = map[string]*postings{}
	}
	if _, twice := r.kept[term]; twice {
		return
	}
	for other, o := range r.kept {
		if r.bytes+p.bytes() <= maxRecent {
			break
		}
		delete(r.kept, other)
		r.bytes -= o.bytes()
	}
	r.kept[term] = p
	r.bytes += p.bytes()
}

// find returns the postings of a term, or of a pair of terms.
func (x *Index) find(ctx context.Context, s *scratch, term string, pair bool, w *weights) (*postings, error) {
	if p := x.recent.get(term); p != nil {
		return p, nil
	}
	p, err := x.read(ctx, s, term, pair, w)
	if err != nil {
		return nil, err
	}
	if len(p.pages) == 0 && !pair {
		if s.slips++; s.slips > maxSlips {
			return p, nil
		}
		p.near = x.nearby(term, w)
	}
	x.recent.keep(term, p)
	return p, nil
}

// read adds up where a term occurs.
func (x *Index) read(ctx context.Context, s *scratch, term string, pair bool, w *weights) (*postings, error) {
	defer s.forget()
	for _, f := range w.fields(pair) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f.passage == 0 && f.page == 0 {
			continue
		}
		if err := x.readField(ctx, s, term, f, w); err != nil {
			return nil, err
		}
	}
	out := &postings{passages: make([]occurrence, len(s.passages)), pages: make([]occurrence, len(s.pages))}
	for i, d := range s.passages {
		out.passages[i] = occurrence{d, s.tf[d]}
	}
	for i, p := range s.pages {
		out.pages[i] = occurrence{p, s.pageTF[p]}
	}
	return out, nil
}

func (x *Index) readField(ctx context.Context, s *scratch, term string, f fieldWeight, w *weights) (err error) {
	reader, err := x.reader.TermFieldReader(ctx, []byte(term), f.field, true, true, false)
	if err != nil {
		return err
	}
	defer func() {
		if closed := reader.Close(); err == nil {
			err = closed
		}
	}()
	if (f.field == fieldBody || f.field == fieldCode) && x.everywhere(reader.Count()) {
		return nil
	}
	mean := float32(x.manifest.Lengths[f.field])
	b := w.B
	if mean <= 0 || f.field == fieldPairs || f.field == fieldSection || f.field == fieldPath {
		b = 0
	}
	var posting index.TermFieldDoc
	for {
		p, err := reader.Next(&posting)
		if err != nil || p == nil {
			return err
		}
		number, err := p.ID.Value()
		if err != nil || number >= uint64(len(x.places)) {
			return errForeign
		}
		tf, long := float32(p.Freq), float32(1)
		if b > 0 {
			long = 1 - b + b*lengthOf(p.Norm)/mean
		}
		place := x.places[number]
		if f.passage > 0 {
			s.addPassage(uint32(number), f.passage*tf/long)
			long = 1 - w.PageB + w.PageB*place.long // spread over the page's passages
		}
		if f.page > 0 {
			s.addPage(place.page, f.page*tf/long)
		}
	}
}

// everywhere reports whether a word is in so many passages that reading where costs more than it
// says, such as the name of the product. Where it is a title or a heading still counts. A small
// index is read in no time, and too small to know.
func (x *Index) everywhere(passages uint64) bool {
	const few = 2000
	return len(x.places) > few && passages > uint64(len(x.places))*2/5
}

// lengthOf returns the terms of a field from Bleve's norm, which is 1/sqrt(length).
func lengthOf(norm float64) float32 {
	if norm <= 0 {
		return 1
	}
	return float32(1 / (norm * norm))
}

// warm reads the words that are in many passages, so that the first questions with them are
// answered as fast as later ones. Questions may be asked meanwhile. What cannot be read shows when it
// is asked for.
func (x *Index) warm() {
	defer func() { _ = recover() }() // Bleve, on bytes that it did not write
	const (
		few  = 100           // passages; what is in fewer is read in no time
		most = maxRecent / 2 // bytes; the rest is for what people ask
	)
	s := x.scratch()
	defer s.free()
	for _, field := range []string{fieldBody, fieldCode} {
		words, err := x.reader.FieldDict(field)
		if err != nil {
			return
		}
		for x.recent.size() < most {
			word, err := words.Next()
			if err != nil || word == nil {
				break
			}
			if word.Count >= few {
				_, _ = x.find(context.Background(), s, word.Term, false, &defaults)
			}
		}
		_ = words.Close()
	}
}
