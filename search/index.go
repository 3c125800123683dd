package search

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/blevesearch/bleve/v2"
	index "github.com/blevesearch/bleve_index_api"
)

// Index is an index that is open for questions. It may be used concurrently; Close must come last.
type Index struct {
	bleve    bleve.Index
	reader   index.IndexReader
	manifest *Manifest
	places   []position // by Bleve's number of the passage
	first    []uint32   // by page: its first passage
	prior    []float32  // by page: logarithm of how many pages link to it
	recent   recent
	turns    chan struct{} // holds one of each question that is answered at the moment
}

var _ Searcher = (*Index)(nil)

// position is what ranking has to know of a passage.
type position struct {
	page uint32
	long float32 // terms of its page, beside the mean
}

var errForeign = errors.New("it was not made by this program")

// Open opens an index on disk for reading. Its files are mapped into memory, and checked first.
func Open(dir string) (*Index, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	if err := m.verify(dir); err != nil {
		return nil, err
	}
	b, err := bleve.OpenUsing(filepath.Join(dir, passagesDir), map[string]any{"read_only": true})
	if err != nil {
		return nil, damaged(dir, err)
	}
	x, err := newIndex(b, m)
	if err != nil {
		return nil, damaged(dir, err)
	}
	return x, nil
}

// newIndex takes over a Bleve index and reads what ranking needs of it into memory.
func newIndex(b bleve.Index, m *Manifest) (_ *Index, err error) {
	x := &Index{bleve: b, manifest: m, turns: make(chan struct{}, runtime.GOMAXPROCS(0))}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errForeign, r)
		}
		if err != nil {
			err = errors.Join(err, x.Close())
		}
	}()
	inner, err := b.Advanced()
	if err != nil {
		return nil, err
	}
	if x.reader, err = inner.Reader(); err != nil {
		return nil, err
	}
	count, err := x.reader.DocCount()
	if err != nil {
		return nil, err
	}
	if count != uint64(m.Passages) || m.Pages < 0 || m.Pages > m.Passages+1<<20 {
		return nil, fmt.Errorf("it has %d passages instead of %d", count, m.Passages)
	}
	return x, x.readPlaces()
}

func (x *Index) readPlaces() error {
	x.places = make([]position, x.manifest.Passages)
	x.first = make([]uint32, x.manifest.Pages)
	x.prior = make([]float32, x.manifest.Pages)
	for i := range x.first {
		x.first[i] = math.MaxUint32
	}
	values, err := x.reader.DocValueReader([]string{fieldPlace})
	if err != nil {
		return err
	}
	mean := max(1, float32(x.manifest.Lengths[pageLength]))
	var id index.IndexInternalID
	for i := range x.places {
		id = index.NewIndexInternalID(id, uint64(i))
		found := errForeign
		err := values.VisitDocValues(id, func(_ string, term []byte) {
			p, err := parsePlace(string(term))
			if err != nil || p.page < 0 || p.page >= x.manifest.Pages {
				return
			}
			found = nil
			x.places[i] = position{uint32(p.page), float32(p.length) / mean}
			x.prior[p.page] = float32(math.Log1p(float64(p.from)))
			x.first[p.page] = min(x.first[p.page], uint32(i))
		})
		if err = errors.Join(err, found); err != nil {
			return err
		}
	}
	return nil
}

// place is what fieldPlace holds: the number of the page, its length in terms, and how many other
// pages link to it.
type place struct{ page, length, from int }

func (p place) String() string {
	return strconv.Itoa(p.page) + " " + strconv.Itoa(p.length) + " " + strconv.Itoa(p.from)
}

func parsePlace(s string) (place, error) {
	var numbers [3]int
	rest := s
	for i := range numbers {
		var number string
		number, rest, _ = strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return place{}, errForeign
		}
		numbers[i] = n
	}
	return place{numbers[0], numbers[1], numbers[2]}, nil
}

// Manifest says what the index is made of. It must not be changed.
func (x *Index) Manifest() *Manifest { return x.manifest }

// Close frees the index.
func (x *Index) Close() error {
	var err error
	if x.reader != nil {
		err = x.reader.Close()
	}
	return errors.Join(err, x.bleve.Close())
}

// Search implements Searcher.
func (x *Index) Search(ctx context.Context, question string, n int) ([]Passage, error) {
	return x.search(ctx, question, n, &defaults)
}

func (x *Index) search(ctx context.Context, question string, n int, w *weights) (found []Passage, err error) {
	defer func() {
		if r := recover(); r != nil { // Bleve, on bytes that it did not write
			found, err = nil, fmt.Errorf("the index cannot be read: %v", r)
		}
	}()
	n = min(n, MaxResults)
	if n <= 0 {
		return nil, nil
	}
	// Questions take turns in the order they came, as many at once as there are cores. More would
	// wait for each other all the same, some of them for many turns.
	select {
	case x.turns <- struct{}{}:
		defer func() { <-x.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	asked, err := x.rarest(ctx, concepts(question, w))
	if err != nil {
		return nil, err
	}
	hits, err := x.rank(ctx, asked, n, w)
	if err != nil {
		return nil, err
	}
	found = make([]Passage, 0, len(hits))
	for _, h := range hits {
		p, err := x.passage(h)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// rarest keeps the concepts that say most, where there are more than can be searched for in time.
func (x *Index) rarest(ctx context.Context, all []concept) ([]concept, error) {
	if len(all) <= maxConcepts {
		return all, nil
	}
	type counted struct {
		concept
		value float32
	}
	list := make([]counted, 0, len(all))
	for _, c := range all {
		n, err := x.count(ctx, &c)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			list = append(list, counted{c, c.weight * inverse(len(x.places), n)})
		}
	}
	slices.SortStableFunc(list, func(a, b counted) int { return cmp.Compare(b.value, a.value) })
	out := make([]concept, 0, maxConcepts)
	for _, c := range list[:min(maxConcepts, len(list))] {
		out = append(out, c.concept)
	}
	return out, nil
}

// count returns in how many passages a concept's term is, about.
func (x *Index) count(ctx context.Context, c *concept) (int, error) {
	if p := x.recent.get(c.term); p != nil {
		return max(len(p.passages), len(p.pages)), nil
	}
	fields := []string{fieldBody, fieldCode}
	if c.pair {
		fields = []string{fieldPairs}
	}
	n := uint64(0)
	for _, field := range fields {
		postings, err := x.reader.TermFieldReader(ctx, []byte(c.term), field, false, false, false)
		if err != nil {
			return 0, err
		}
		n = max(n, postings.Count())
		if err := postings.Close(); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

// passage reads what is stored of a passage.
func (x *Index) passage(h hit) (Passage, error) {
	id, err := x.reader.ExternalID(index.NewIndexInternalID(nil, uint64(h.passage)))
	if err != nil {
		return Passage{}, err
	}
	doc, err := x.reader.Document(id)
	if err != nil {
		return Passage{}, err
	}
	if doc == nil {
		return Passage{}, errForeign
	}
	var m meta
	p := Passage{ID: id, Score: float64(h.score), Version: x.manifest.VersionTag}
	doc.VisitFields(func(f index.Field) {
		switch f.Name() {
		case fieldMeta:
			err = errors.Join(err, json.Unmarshal(f.Value(), &m))
		case fieldText:
			p.Content = string(f.Value())
		}
	})
	p.Collection, p.Page, p.Path, p.Anchor, p.Title, p.URL = m.Collection, m.Page, m.Path, m.Anchor, m.Title, m.URL
	p.Headings = m.Headings
	if p.Headings == nil {
		p.Headings = []string{}
	}
	return p, err
}
