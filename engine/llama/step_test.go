package llama

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

const story = "Once upon a time there was a small village at the foot of a mountain, and in that village"

func TestGreedyIsTheLargestLogit(t *testing.T) {
	for _, o := range []ContextOptions{
		{FlashAttention: FlashOn},
		{FlashAttention: FlashOff},
		{Unified: true, MaxSeqs: 8, MicroBatch: 4},
	} {
		prompt := tokenize(t, story)
		c := newContext(t, o)
		got := greedy(t, c, 0, 0, prompt, 24)
		if err := c.ClearAll(); err != nil {
			t.Fatal(err)
		}
		want := greedyByLogits(t, c, 0, 0, prompt, 24)
		if !slices.Equal(got, want) {
			t.Errorf("%+v:\ngot  %q\nwant %q", o, pieces(t, got), pieces(t, want))
		}
	}
}

func TestCopiedPrefixContinuesTheSame(t *testing.T) {
	prompt := tokenize(t, story)
	n := Pos(len(prompt))
	for _, unified := range []bool{true, false} {
		t.Run(fmt.Sprintf("unified=%v", unified), func(t *testing.T) {
			c := newContext(t, ContextOptions{Context: 1024, MaxSeqs: 4, Unified: unified})
			want := greedy(t, c, 0, 0, prompt, 16)
			// Keep the prompt without its last token in sequence 0, and share it.
			s := Step{Ops: []SeqOp{
				{Kind: OpRemove, Seq: 0, From: n - 1, To: -1},
				{Kind: OpCopy, Seq: 0, Dst: 3, From: 0, To: -1},
			}}
			mustStep(t, c, &s)
			low, high, err := c.SeqRange(3)
			if err != nil || low != 0 || high != n-2 {
				t.Fatalf("the copy has positions %d to %d, %v", low, high, err)
			}
			if got := greedy(t, c, 3, n-1, prompt[n-1:], 16); !slices.Equal(got, want) {
				t.Errorf("copy:\ngot  %q\nwant %q", pieces(t, got), pieces(t, want))
			}
			// The copy's continuation has not leaked into the original.
			if got := greedy(t, c, 0, n-1, prompt[n-1:], 16); !slices.Equal(got, want) {
				t.Errorf("original:\ngot  %q\nwant %q", pieces(t, got), pieces(t, want))
			}
		})
	}
}

func TestPartialCopies(t *testing.T) {
	prompt := tokenize(t, story)
	n := Pos(len(prompt))
	c := newContext(t, ContextOptions{MaxSeqs: 4, Unified: true})
	want := greedy(t, c, 0, 0, prompt, 12)
	// A live sequence made of two pieces of others, as the prefix tree does it.
	s := Step{Ops: []SeqOp{
		{Kind: OpCopy, Seq: 0, Dst: 200, From: 0, To: 5},
		{Kind: OpCopy, Seq: 0, Dst: 201, From: 5, To: n - 1},
		{Kind: OpRemove, Seq: 0, From: 0, To: -1},
		{Kind: OpCopy, Seq: 200, Dst: 1, From: 0, To: -1},
		{Kind: OpCopy, Seq: 201, Dst: 1, From: 0, To: -1},
	}}
	mustStep(t, c, &s)
	if got := greedy(t, c, 1, n-1, prompt[n-1:], 12); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", pieces(t, got), pieces(t, want))
	}
	// Keeping one sequence empties all others.
	mustStep(t, c, &Step{Ops: []SeqOp{{Kind: OpKeep, Seq: 200}}})
	for seq, want := range map[SeqID]Pos{0: -1, 1: -1, 200: 4, 201: -1} {
		if high, err := c.SeqPosMax(seq); err != nil || high != want {
			t.Errorf("sequence %d ends at %d, want %d, %v", seq, high, want, err)
		}
	}
}

// With a copy that is one cell too long, or a position too far, the answer must change: else the
// tests above would prove nothing.
func TestWrongCopiesAreSeen(t *testing.T) {
	prompt := tokenize(t, story)
	n := Pos(len(prompt))
	c := newContext(t, ContextOptions{MaxSeqs: 4, Unified: true})
	var s Step
	last := s.add(0, 0, prompt...)
	mustStep(t, c, &s)
	want, err := c.Logits(int(last))
	if err != nil {
		t.Fatal(err)
	}
	// Sequence 1 lacks one token of the prompt.
	s.Reset()
	s.Ops = []SeqOp{{Kind: OpCopy, Seq: 0, Dst: 1, From: 0, To: n - 1}, {Kind: OpRemove, Seq: 1, From: 0, To: 3}}
	last = s.add(1, n-1, prompt[n-1])
	mustStep(t, c, &s)
	got, err := c.Logits(int(last))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(got, want) {
		t.Error("a prefix without its first tokens gives the same logits")
	}
}

func TestStepRefuses(t *testing.T) {
	c := newContext(t, ContextOptions{Context: 256, Batch: 8, MaxSeqs: 4, Unified: true})
	split := newContext(t, ContextOptions{Context: 1024, Batch: 8, MaxSeqs: 4})
	sampler := newSampler(t, SamplerOptions{})
	closed := newSampler(t, SamplerOptions{})
	closed.Close()
	small := &Sampler{vocabSize: 10}
	vocab := Token(testModel(t).Vocab().Size())
	one := func(tok Token, pos Pos, seq SeqID) Step {
		return Step{Tokens: []Token{tok}, Pos: []Pos{pos}, Seqs: []SeqID{seq}, Outputs: []bool{true}}
	}
	rows := func(s Step, rows ...Row) Step {
		s.Rows = rows
		return s
	}
	ops := func(ops ...SeqOp) Step { return Step{Ops: ops} }
	long := Step{Tokens: make([]Token, 9), Pos: make([]Pos, 9), Seqs: make([]SeqID, 9), Outputs: make([]bool, 9)}
	outputs := Step{}
	for i := range 5 {
		outputs.add(0, Pos(i), 1)
	}
	for _, test := range []struct {
		name string
		c    *Context
		s    Step
		want error
	}{
		{"long batch", c, long, ErrBatchTooLong},
		{"slices of unequal length", c, Step{Tokens: []Token{1}}, ErrBatchShape},
		{"negative token", c, one(-1, 0, 0), ErrTokenRange},
		{"token behind the vocabulary", c, one(vocab, 0, 0), ErrTokenRange},
		{"negative position", c, one(1, -1, 0), ErrPosRange},
		{"negative sequence", c, one(1, 0, -1), ErrSeqRange},
		{"sequence 256", c, one(1, 0, MaxSeq), ErrSeqRange},
		{"sequence above MaxSeqs, divided", split, one(1, 0, 4), ErrSeqRange},
		{"too many outputs", c, outputs, ErrTooManyOutputs},
		{"row outside of the batch", c, rows(one(1, 0, 0), Row{Batch: 1, Sampler: sampler}), ErrNoLogits},
		{"negative row", c, rows(one(1, 0, 0), Row{Batch: -1, Sampler: sampler}), ErrNoLogits},
		{"row without logits", c, Step{Tokens: []Token{1}, Pos: []Pos{0}, Seqs: []SeqID{0}, Outputs: []bool{false},
			Rows: []Row{{Batch: 0, Sampler: sampler}}}, ErrNoLogits},
		{"row of no batch", c, Step{Rows: []Row{{Batch: 0, Sampler: sampler}}}, ErrNoLogits},
		{"no sampler", c, rows(one(1, 0, 0), Row{Batch: 0, Sampler: nil}), ErrNoSampler},
		{"sampler of another vocabulary", c, rows(one(1, 0, 0), Row{Batch: 0, Sampler: small}), ErrSampler},
		{"closed sampler", c, rows(one(1, 0, 0), Row{Batch: 0, Sampler: closed}), ErrClosed},
		{"operation on sequence -1", c, ops(SeqOp{Kind: OpRemove, Seq: -1, To: -1}), ErrSeqRange},
		{"operation on sequence 256", c, ops(SeqOp{Kind: OpKeep, Seq: MaxSeq}), ErrSeqRange},
		{"copy to sequence 256", c, ops(SeqOp{Kind: OpCopy, Dst: MaxSeq, To: -1}), ErrSeqRange},
		{"copy to a sequence above MaxSeqs, divided", split, ops(SeqOp{Kind: OpCopy, Dst: 4, To: -1}), ErrSeqRange},
		{"negative start", c, ops(SeqOp{Kind: OpRemove, From: -1, To: -1}), ErrPosRange},
		{"end before start", c, ops(SeqOp{Kind: OpRemove, From: 3, To: 2}), ErrPosRange},
		{"end below -1", c, ops(SeqOp{Kind: OpRemove, To: -2}), ErrPosRange},
		{"unknown operation", c, ops(SeqOp{Kind: 7}), ErrUnknownOp},
		// llama.cpp aborts on these two.
		{"copy of an end, divided", split, ops(SeqOp{Kind: OpCopy, Seq: 0, Dst: 1, From: 1, To: -1}), ErrPartialCopy},
		{"copy of a start, divided", split, ops(SeqOp{Kind: OpCopy, Seq: 0, Dst: 1, From: 0, To: 5}), ErrPartialCopy},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := test.c.DecodedTokens()
			err := test.c.Step(&test.s)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if len(test.s.Sampled) != 0 || test.c.DecodedTokens() != before {
				t.Errorf("sampled %v, decoded %d tokens", test.s.Sampled, test.c.DecodedTokens()-before)
			}
		})
	}
	// The refused operation is named.
	var opErr *OpError
	err := c.Step(&Step{Ops: []SeqOp{{Kind: OpRemove, To: -1}, {Kind: OpRemove, Seq: -5, To: -1}}})
	if !errors.As(err, &opErr) || opErr.Index != 1 || opErr.Op.Seq != -5 {
		t.Errorf("%v", err)
	}
	// And the contexts still work.
	mustStep(t, c, &Step{})
	greedy(t, c, 0, 0, []Token{1, 2, 3}, 1)
	greedy(t, split, 3, 0, []Token{1, 2, 3}, 1)
}

// A batch that llama.cpp itself refuses leaves the cache as it was.
func TestBatchWithAGapIsRefused(t *testing.T) {
	c := newContext(t, ContextOptions{})
	prompt := tokenize(t, story)
	var s Step
	s.add(0, 0, prompt...)
	mustStep(t, c, &s)
	s.Reset()
	last := s.add(0, Pos(len(prompt))+1, 5)
	s.Rows = append(s.Rows, Row{Batch: last, Sampler: newSampler(t, SamplerOptions{})})
	err := c.Step(&s)
	var decode *DecodeError
	if !errors.As(err, &decode) || decode.Code != DecodeInvalidBatch || s.Code != DecodeInvalidBatch || decode.Reason == "" {
		t.Fatalf("%v, code %d", err, s.Code)
	}
	if len(s.Sampled) != 0 {
		t.Errorf("sampled %v", s.Sampled)
	}
	if high, err := c.SeqPosMax(0); err != nil || high != Pos(len(prompt))-1 {
		t.Errorf("sequence ends at %d, %v", high, err)
	}
	if _, err := c.Logits(0); !errors.Is(err, ErrNoLogits) {
		t.Errorf("logits after a failed decode: %v", err)
	}
}

func TestFullCacheIsNoSlot(t *testing.T) {
	c := newContext(t, ContextOptions{Context: 256, Batch: 200, MaxSeqs: 2, Unified: true})
	fill := make([]Token, 200)
	for i := range fill {
		fill[i] = Token(100 + i)
	}
	var s Step
	s.add(0, 0, fill...)
	mustStep(t, c, &s)
	s.Reset()
	s.add(1, 0, fill...)
	if err := c.Step(&s); !errors.Is(err, ErrNoSlot) || s.Code != DecodeNoSlot {
		t.Fatalf("%v, code %d", err, s.Code)
	}
	// The cache is as before, and one victim makes room.
	if high, err := c.SeqPosMax(0); err != nil || high != 199 {
		t.Errorf("sequence 0 ends at %d, %v", high, err)
	}
	if high, err := c.SeqPosMax(1); err != nil || high != -1 {
		t.Errorf("sequence 1 ends at %d, %v", high, err)
	}
	s.Ops = append(s.Ops, SeqOp{Kind: OpRemove, Seq: 0, From: 0, To: -1})
	mustStep(t, c, &s)
}

func TestAbortCanBeRolledBack(t *testing.T) {
	prompt := tokenize(t, story)
	confirmed := Pos(len(prompt)) - 1
	more := make([]Token, 384)
	for i := range more {
		more[i] = Token(1000 + i)
	}
	c := newContext(t, ContextOptions{Context: 1024, Batch: 512, MicroBatch: 64, MaxSeqs: 2, Unified: true})
	want := greedy(t, c, 0, 0, prompt, 16)
	mustStep(t, c, &Step{Ops: []SeqOp{{Kind: OpRemove, From: confirmed, To: -1}}})

	// A long step for two sequences is aborted from another goroutine while it runs.
	var s Step
	s.add(0, confirmed, prompt[confirmed])
	last := s.add(1, 0, more...)
	s.Rows = append(s.Rows, Row{Batch: last, Sampler: newSampler(t, SamplerOptions{})})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for c.DecodedTokens() < uint64(len(prompt)+15+len(s.Tokens)) {
			time.Sleep(time.Millisecond) // a spinning goroutine would take a core from the step
		}
		time.Sleep(20 * time.Millisecond)
		c.Abort(true)
	}()
	err := c.Step(&s)
	<-done
	if !errors.Is(err, ErrAborted) || s.Code != DecodeAborted || len(s.Sampled) != 0 {
		t.Fatalf("%v, code %d, sampled %v: the machine may have been too fast", err, s.Code, s.Sampled)
	}
	// While it is on, nothing runs.
	again := Step{}
	again.add(1, 0, 1)
	again.Ops = []SeqOp{{Kind: OpRemove, Seq: 1, From: 0, To: -1}}
	if err := c.Step(&again); !errors.Is(err, ErrAborted) {
		t.Errorf("a step under abort: %v", err)
	}
	c.Abort(false)

	mustStep(t, c, &Step{Ops: []SeqOp{
		{Kind: OpRemove, Seq: 0, From: confirmed, To: -1},
		{Kind: OpRemove, Seq: 1, From: 0, To: -1},
	}})
	for seq, want := range map[SeqID]Pos{0: confirmed - 1, 1: -1} {
		if high, err := c.SeqPosMax(seq); err != nil || high != want {
			t.Errorf("sequence %d ends at %d, want %d, %v", seq, high, want, err)
		}
	}
	if used, err := c.UsedCells(); err != nil || used != int(confirmed) {
		t.Errorf("%d cells are used, want %d, %v", used, confirmed, err)
	}
	if got := greedy(t, c, 0, confirmed, prompt[confirmed:], 16); !slices.Equal(got, want) {
		t.Errorf("after the abort %q, before %q", pieces(t, got), pieces(t, want))
	}
}

// rowsStep is a step in which n sequences, which hold a prompt each, sample one token.
func rowsStep(t testing.TB, c *Context, n int) (*Step, func()) {
	t.Helper()
	prompt := tokenize(t, "The first words of")
	s := new(Step)
	s.add(0, 0, prompt...)
	mustStep(t, c, s)
	s.Reset()
	for seq := 1; seq < n; seq++ {
		s.Ops = append(s.Ops, SeqOp{Kind: OpCopy, Seq: 0, Dst: SeqID(seq), From: 0, To: -1})
	}
	mustStep(t, c, s)
	s.Reset()
	for seq := range n {
		last := s.add(SeqID(seq), Pos(len(prompt)), prompt[0])
		s.Rows = append(s.Rows, Row{Batch: last, Sampler: newSampler(t, SamplerOptions{Temperature: 0.8, TopK: 40, TopP: 0.95, RepeatPenalty: 1.1})})
		s.Ops = append(s.Ops, SeqOp{Kind: OpRemove, Seq: SeqID(seq), From: Pos(len(prompt)), To: -1})
	}
	return s, func() { mustStep(t, c, s) }
}

func TestCrossingsDoNotGrowWithRows(t *testing.T) {
	c := newContext(t, ContextOptions{MaxSeqs: 32, Unified: true})
	crossings := map[int]int64{}
	for _, n := range []int{1, 8, 32} {
		if err := c.ClearAll(); err != nil {
			t.Fatal(err)
		}
		_, run := rowsStep(t, c, n)
		run() // grows what has to grow
		before := runtime.NumCgoCall()
		run()
		crossings[n] = runtime.NumCgoCall() - before
	}
	t.Logf("crossings for 1, 8 and 32 rows: %d, %d, %d", crossings[1], crossings[8], crossings[32])
	for n, got := range crossings {
		if got < 1 || got > 2 {
			t.Errorf("a step with %d rows crosses %d times", n, got)
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	c := newContext(t, ContextOptions{MaxSeqs: 8, Unified: true})
	_, run := rowsStep(t, c, 8)
	run()
	if allocs := testing.AllocsPerRun(5, run); allocs != 0 {
		t.Errorf("a step allocates %g times", allocs)
	}
}

func TestLogits(t *testing.T) {
	c := newContext(t, ContextOptions{MaxSeqs: 2, MaxOutputs: 2})
	if _, err := c.Logits(0); !errors.Is(err, ErrNoLogits) {
		t.Errorf("before any step: %v", err)
	}
	prompt := tokenize(t, story)
	var s Step
	last := s.add(0, 0, prompt...)
	mustStep(t, c, &s)
	for index, want := range map[int]error{-1: ErrNoLogits, 0: ErrNoLogits, int(last): nil, int(last) + 1: ErrNoLogits} {
		if _, err := c.Logits(index); !errors.Is(err, want) {
			t.Errorf("row %d: %v, want %v", index, err, want)
		}
	}
	row, err := c.Logits(int(last))
	if err != nil || len(row) != testModel(t).Vocab().Size() {
		t.Fatalf("%d logits, %v", len(row), err)
	}
	// A step of operations alone keeps them.
	mustStep(t, c, &Step{Ops: []SeqOp{{Kind: OpRemove, Seq: 1, From: 0, To: -1}}})
	same, err := c.Logits(int(last))
	if err != nil || !slices.Equal(row, same) {
		t.Errorf("logits changed without a batch: %v", err)
	}
}

func TestDecodedTokensCountsWhatIsGiven(t *testing.T) {
	c := newContext(t, ContextOptions{MaxSeqs: 2, Unified: true})
	prompt := tokenize(t, story)
	greedy(t, c, 0, 0, prompt, 5)
	if got, want := c.DecodedTokens(), uint64(len(prompt)+4); got != want {
		t.Errorf("%d tokens, want %d", got, want)
	}
	mustStep(t, c, &Step{Ops: []SeqOp{{Kind: OpCopy, Seq: 0, Dst: 1, From: 0, To: -1}}})
	if got, want := c.DecodedTokens(), uint64(len(prompt)+4); got != want {
		t.Errorf("a copy counts as tokens: %d, want %d", got, want)
	}
}

// Rows behind a guess count as far as the guess is right: what was sampled is what one token at a
// time would have given, also with a sampler that draws and penalises.
func TestDraftRowsCountWhileTheGuessIsRight(t *testing.T) {
	prompt := tokenize(t, story)
	for name, o := range map[string]SamplerOptions{
		"greedy": {}, "drawn": {Temperature: 0.9, TopK: 40, TopP: 0.95, RepeatPenalty: 1.3, RepeatLastN: 64, Seed: 7},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContext(t, ContextOptions{MaxOutputs: 8})
			want := make([]Token, 0, 6)
			sampler := newSampler(t, o)
			var s Step
			feed, from := prompt, Pos(0)
			for len(want) < cap(want) {
				s.Reset()
				s.Rows = append(s.Rows, Row{Batch: s.add(0, from, feed...), Sampler: sampler})
				mustStep(t, c, &s)
				want = append(want, s.Sampled[0])
				from += Pos(len(feed))
				feed = s.Sampled[:1:1]
			}
			for right := range 4 {
				guess := slices.Clone(want[:4])
				for i := right; i < len(guess); i++ {
					guess[i] = want[i] + 1
				}
				sampler := newSampler(t, o)
				s.Reset()
				s.Ops = append(s.Ops, SeqOp{Kind: OpRemove, Seq: 0, From: 0, To: -1})
				last := s.add(0, 0, append(slices.Clone(prompt), guess...)...)
				for i := range last + 1 {
					if at := int(i) - len(prompt) + 1; at >= 0 {
						s.Outputs[i] = true
						s.Rows = append(s.Rows, Row{Batch: i, Sampler: sampler, Draft: at > 0})
					}
				}
				mustStep(t, c, &s)
				expect := []Token{-1, -1, -1, -1, -1}
				copy(expect, want[:right+1])
				if !slices.Equal(s.Sampled, expect) || slices.ContainsFunc(s.States, func(r RowState) bool { return r != RowDrawn }) {
					t.Fatalf("%d right guesses: sampled %v, states %v, want %v", right, s.Sampled, s.States, expect)
				}
				// The sampler has seen what counts, and only that.
				s.Reset()
				s.Ops = append(s.Ops, SeqOp{Kind: OpRemove, Seq: 0, From: Pos(len(prompt) + right), To: -1})
				s.Rows = append(s.Rows, Row{Batch: s.add(0, Pos(len(prompt)+right), want[right]), Sampler: sampler})
				mustStep(t, c, &s)
				if s.Sampled[0] != want[right+1] {
					t.Errorf("after %d right guesses: %d, want %d", right, s.Sampled[0], want[right+1])
				}
			}
		})
	}
	c := newContext(t, ContextOptions{})
	var s Step
	s.Rows = append(s.Rows, Row{Batch: s.add(0, 0, 1), Sampler: newSampler(t, SamplerOptions{}), Draft: true})
	if err := c.Step(&s); !errors.Is(err, ErrNoLogits) {
		t.Errorf("a guess with no row before it: %v", err)
	}
}
