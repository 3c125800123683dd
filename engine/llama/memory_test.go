package llama

import (
	"errors"
	"testing"
)

func TestUsedCellsAreCountedInTheCache(t *testing.T) {
	c := newContext(t, ContextOptions{Context: 512, MaxSeqs: 8, Unified: true})
	used := func() int {
		t.Helper()
		n, err := c.UsedCells()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := used(); n != 0 {
		t.Errorf("an empty cache uses %d cells", n)
	}
	prompt := tokenize(t, story)
	var s Step
	s.add(0, 0, prompt...)
	mustStep(t, c, &s)
	if n := used(); n != len(prompt) {
		t.Errorf("%d cells for %d tokens", n, len(prompt))
	}
	// Eight who share a prompt use it once.
	s.Reset()
	for seq := SeqID(1); seq < 8; seq++ {
		s.Ops = append(s.Ops, SeqOp{Kind: OpCopy, Seq: 0, Dst: seq, From: 0, To: -1})
	}
	mustStep(t, c, &s)
	if n := used(); n != len(prompt) {
		t.Errorf("%d cells after sharing %d tokens", n, len(prompt))
	}
	s.Reset()
	for seq := SeqID(0); seq < 8; seq++ {
		s.add(seq, Pos(len(prompt)), prompt[seq])
	}
	mustStep(t, c, &s)
	if n := used(); n != len(prompt)+8 {
		t.Errorf("%d cells, want %d", n, len(prompt)+8)
	}
	// The prompt stays until the last of them is gone.
	s.Reset()
	for seq := SeqID(0); seq < 7; seq++ {
		s.Ops = append(s.Ops, SeqOp{Kind: OpRemove, Seq: seq, From: 0, To: -1})
	}
	mustStep(t, c, &s)
	if n := used(); n != len(prompt)+1 {
		t.Errorf("%d cells, want %d", n, len(prompt)+1)
	}
	if err := c.ClearAll(); err != nil {
		t.Fatal(err)
	}
	if n := used(); n != 0 {
		t.Errorf("a cleared cache uses %d cells", n)
	}
	split := newContext(t, ContextOptions{Context: 512, MaxSeqs: 2})
	if _, err := split.UsedCells(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("divided cache: %v", err)
	}
}

func TestCountingCellsIsNotLogged(t *testing.T) {
	c := newContext(t, ContextOptions{})
	r := record(t)
	if _, err := c.UsedCells(); err != nil {
		t.Fatal(err)
	}
	if lines := r.all(); len(lines) != 0 {
		t.Errorf("logged %q", lines)
	}
}

func TestSeqRange(t *testing.T) {
	c := newContext(t, ContextOptions{MaxSeqs: 2, Unified: true})
	greedy(t, c, 1, 0, []Token{5, 6, 7}, 3)
	for _, test := range []struct {
		seq       SeqID
		low, high Pos
		want      error
	}{{0, -1, -1, nil}, {1, 0, 4, nil}, {255, -1, -1, nil}, {-1, -1, -1, ErrSeqRange}, {256, -1, -1, ErrSeqRange}} {
		low, err := c.SeqPosMin(test.seq)
		if low != test.low || !errors.Is(err, test.want) {
			t.Errorf("sequence %d starts at %d, want %d, %v", test.seq, low, test.low, err)
		}
		high, err := c.SeqPosMax(test.seq)
		if high != test.high || !errors.Is(err, test.want) {
			t.Errorf("sequence %d ends at %d, want %d, %v", test.seq, high, test.high, err)
		}
	}
}

func TestMemoryBytes(t *testing.T) {
	// Keys and values: 30 layers, 3 heads of 64 numbers, 2 bytes each.
	const cell = 2 * 30 * 3 * 64 * 2
	for _, size := range []int{256, 1024} {
		c := newContext(t, ContextOptions{Context: size})
		uses, err := c.MemoryBytes()
		if err != nil {
			t.Fatal(err)
		}
		var sum MemoryUse
		for _, u := range uses {
			if u.Name == "" {
				t.Errorf("%+v has no name", u)
			}
			sum.Model += u.Model
			sum.Context += u.Context
			sum.Compute += u.Compute
		}
		if want := uint64(size * cell); sum.Context != want {
			t.Errorf("%d cells take %d bytes, want %d", size, sum.Context, want)
		}
		if sum.Model < testModel(t).SizeBytes() || sum.Compute == 0 {
			t.Errorf("%+v", uses)
		}
	}
}
