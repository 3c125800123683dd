package llama

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

func TestSavedSequenceContinuesTheSame(t *testing.T) {
	prompt := tokenize(t, story)
	n := Pos(len(prompt))
	o := ContextOptions{Context: 512, MaxSeqs: 3, Unified: true}
	c := newContext(t, o)
	want := greedy(t, c, 2, 0, prompt, 12)
	mustStep(t, c, &Step{Ops: []SeqOp{{Kind: OpRemove, Seq: 2, From: n - 1, To: -1}}})
	data, err := c.SaveSeq(2, onHeap)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d tokens are %d bytes", n-1, len(data))

	// Into another sequence of the same context, and of a new one where others are in the way.
	other := newContext(t, o)
	greedy(t, other, 1, 0, tokenize(t, "Something else that takes the first cells"), 3)
	for _, place := range []struct {
		c   *Context
		seq SeqID
	}{{c, 0}, {c, 77}, {other, 0}, {other, 1}} {
		if err := place.c.RestoreSeq(place.seq, data); err != nil {
			t.Fatal(err)
		}
		if low, high, err := place.c.SeqRange(place.seq); err != nil || low != 0 || high != n-2 {
			t.Fatalf("restored positions %d to %d, %v", low, high, err)
		}
		if got := greedy(t, place.c, place.seq, n-1, prompt[n-1:], 12); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", pieces(t, got), pieces(t, want))
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	c := newContext(t, ContextOptions{MaxSeqs: 2, Unified: true})
	greedy(t, c, 5, 0, []Token{1, 2, 3}, 1)
	for _, test := range []struct {
		seq  SeqID
		want error
	}{{0, ErrStateEmpty}, {5, ErrStateSeq}, {-1, ErrSeqRange}, {MaxSeq, ErrSeqRange}} {
		if _, err := c.SaveSeq(test.seq, onHeap); !errors.Is(err, test.want) {
			t.Errorf("sequence %d: %v, want %v", test.seq, err, test.want)
		}
	}
}

func savedState(t testing.TB, o ContextOptions) []byte {
	t.Helper()
	c := newContext(t, o)
	greedy(t, c, 0, 0, tokenize(t, "To be saved"), 1)
	data, err := c.SaveSeq(0, onHeap)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRestoreRefusesDamage(t *testing.T) {
	data := savedState(t, ContextOptions{})
	c := newContext(t, ContextOptions{})
	flip := func(i int) []byte {
		d := slices.Clone(data)
		d[i] ^= 1
		return d
	}
	for _, test := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrStateCorrupt},
		{"only the header", data[:stateHeader], ErrStateCorrupt},
		{"cut", data[:len(data)-1], ErrStateCorrupt},
		{"one byte too many", append(slices.Clone(data), 0), ErrStateCorrupt},
		{"magic", flip(0), ErrStateCorrupt},
		{"fingerprint", flip(8), ErrStateCorrupt},
		{"length", flip(16), ErrStateCorrupt},
		{"checksum", flip(24), ErrStateCorrupt},
		{"first byte of the payload", flip(stateHeader), ErrStateCorrupt},
		{"last byte of the payload", flip(len(data) - 1), ErrStateCorrupt},
		{"another cache type", savedState(t, ContextOptions{TypeK: CacheQ8_0}), ErrStateMismatch},
		{"another attention", savedState(t, ContextOptions{FlashAttention: FlashOff}), ErrStateMismatch},
	} {
		if err := c.RestoreSeq(0, test.data); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if high, err := c.SeqPosMax(0); err != nil || high != -1 {
			t.Errorf("%s: sequence ends at %d, %v", test.name, high, err)
		}
	}
	for _, seq := range []SeqID{-1, MaxSeq} {
		if err := c.RestoreSeq(seq, data); !errors.Is(err, ErrSeqRange) {
			t.Errorf("sequence %d: %v", seq, err)
		}
	}
	if err := c.RestoreSeq(0, data); err != nil {
		t.Errorf("undamaged: %v", err)
	}
}

// More cells than the cache has are refused before anything is touched; more than are free are
// refused by llama.cpp, and the sequence is empty then.
func TestRestoreIntoTooSmallACache(t *testing.T) {
	big := newContext(t, ContextOptions{Context: 1024, Batch: 600})
	tokens := make([]Token, 600)
	for i := range tokens {
		tokens[i] = Token(i + 10)
	}
	var s Step
	s.add(0, 0, tokens...)
	mustStep(t, big, &s)
	data, err := big.SaveSeq(0, onHeap)
	if err != nil {
		t.Fatal(err)
	}
	small := newContext(t, ContextOptions{Context: 256})
	greedy(t, small, 0, 0, []Token{1, 2, 3}, 1)
	if err := small.RestoreSeq(0, data); !errors.Is(err, ErrStateTooLarge) {
		t.Errorf("600 cells into 256: %v", err)
	}
	if high, err := small.SeqPosMax(0); err != nil || high != 2 {
		t.Errorf("sequence ends at %d, %v", high, err)
	}
	full := newContext(t, ContextOptions{Context: 1024, Batch: 600, MaxSeqs: 2, Unified: true})
	mustStep(t, full, &s)
	if err := full.RestoreSeq(1, data); err == nil {
		t.Error("600 cells went into 424 free ones")
	}
	for seq, want := range map[SeqID]Pos{0: 599, 1: -1} {
		if high, err := full.SeqPosMax(seq); err != nil || high != want {
			t.Errorf("sequence %d ends at %d, want %d, %v", seq, high, want, err)
		}
	}
	if err := full.RestoreSeq(0, data); err != nil {
		t.Errorf("in place of itself: %v", err)
	}
}

// Whatever the bytes: an error, or a payload that is part of them and fits the cache.
func FuzzCheckState(f *testing.F) {
	data := savedState(f, ContextOptions{})
	c := newContext(f, ContextOptions{})
	if _, err := c.checkState(data); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(nil), false)
	f.Add(data[:stateHeader+64], false)
	f.Add(data[:stateHeader+64], true)
	f.Add(append(slices.Clone(data[:stateHeader+12]), 255, 255, 255, 255), true)
	f.Add(append(slices.Clone(data[:stateHeader+8]), 255, 255, 255, 255, 0, 0, 0, 0), true)
	f.Fuzz(func(t *testing.T, d []byte, repair bool) {
		if repair && len(d) >= stateHeader {
			d = slices.Clone(d)
			copy(d, data[:16]) // magic and fingerprint
			binary.LittleEndian.PutUint64(d[16:], uint64(len(d)-stateHeader))
			binary.LittleEndian.PutUint32(d[24:], stateSum(d))
		}
		payload, err := c.checkState(d)
		if err == nil && (len(payload) != len(d)-stateHeader || firstCells(payload) > int64(c.ContextSize())) {
			t.Fatalf("%d bytes with %d cells taken", len(payload), firstCells(payload))
		}
		if err == nil && !repair && !slices.Equal(d, data) {
			t.Fatal("damaged bytes taken")
		}
	})
}
