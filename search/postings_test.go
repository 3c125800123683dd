package search

import (
	"strconv"
	"testing"
)

// What is kept for later questions has its bound, whatever is asked.
func TestRecentIsBounded(t *testing.T) {
	var r recent
	const each = 1 << 14 // occurrences, of 8 bytes
	for i := range 2 * maxRecent / each / 8 {
		r.keep(strconv.Itoa(i), &postings{passages: make([]occurrence, each)})
		if r.size() > maxRecent {
			t.Fatalf("after %d terms %d bytes are kept", i+1, r.size())
		}
	}
	if r.size() < maxRecent/2 || len(r.kept) < 10 {
		t.Errorf("only %d terms with %d bytes are kept", len(r.kept), r.size())
	}
	sum := 0
	for _, p := range r.kept {
		sum += p.bytes()
	}
	if sum != r.size() {
		t.Errorf("%d bytes are counted of %d", r.size(), sum)
	}
	before := len(r.kept)
	r.keep("too large for others to stay", &postings{passages: make([]occurrence, maxRecent/16)})
	if r.get("too large for others to stay") != nil || len(r.kept) != before {
		t.Error("one term has taken the place of a quarter of all")
	}
}

// The best hits come first, and equal ones in the order of the pages, however they come in.
func TestBest(t *testing.T) {
	b := best{n: 3}
	for i, score := range []float32{1, 5, 3, 5, 2, 4} {
		b.add(hit{uint32(i), 0, score})
	}
	for i, want := range []uint32{1, 3, 5} {
		if len(b.hits) != 3 || b.hits[i].page != want {
			t.Fatalf("hits %v", b.hits)
		}
	}
}
