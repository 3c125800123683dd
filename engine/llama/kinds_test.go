package llama

import (
	"errors"
	"slices"
	"testing"

	"aigw/internal/testmodel"
)

func tinyModel(t testing.TB, kind testmodel.Kind) *Model {
	t.Helper()
	m, err := LoadModel(testmodel.Tiny(t, kind), ModelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// bytesOf are the tokens of a text in a tiny model.
func bytesOf(text string) []Token {
	var tokens []Token
	for i := range len(text) {
		tokens = append(tokens, Token(text[i]))
	}
	return tokens
}

// lastLogits feeds tokens and returns the logits behind the last.
func lastLogits(t testing.TB, c *Context, seq SeqID, from Pos, tokens []Token, ops ...SeqOp) []float32 {
	t.Helper()
	s := Step{Ops: ops}
	last := s.add(seq, from, tokens...)
	mustStep(t, c, &s)
	row, err := c.Logits(int(last))
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestTinyModels(t *testing.T) {
	for _, test := range []struct {
		kind                        testmodel.Kind
		window                      int
		recurrent, learned, isVocab bool
		contextError                error
	}{
		{kind: testmodel.Plain, isVocab: true},
		{kind: testmodel.SlidingWindow, isVocab: true, window: testmodel.TinyWindow},
		{kind: testmodel.LearnedPositions, isVocab: true, learned: true},
		{kind: testmodel.Recurrent, isVocab: true, recurrent: true},
		{kind: testmodel.Encoder, isVocab: true, contextError: ErrNotGenerative, learned: true},
		{kind: testmodel.Mixture, isVocab: true},
		{kind: testmodel.NoVocabulary, contextError: ErrNoVocab},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			m := tinyModel(t, test.kind)
			if m.SlidingWindow() != test.window || m.IsRecurrent() != test.recurrent || m.info.learnedPositions != test.learned {
				t.Errorf("window %d, recurrent %v, learned positions %v", m.SlidingWindow(), m.IsRecurrent(), m.info.learnedPositions)
			}
			if m.Vocab().Size() != testmodel.TinyVocab || (m.Vocab().Type() != VocabNone) != test.isVocab {
				t.Errorf("vocabulary of %d tokens, %s", m.Vocab().Size(), m.Vocab().Type())
			}
			c, err := m.NewContext(ContextOptions{Context: 256, Threads: 1})
			if err == nil {
				c.Close()
			}
			if !errors.Is(err, test.contextError) {
				t.Errorf("context: %v, want %v", err, test.contextError)
			}
			if !test.isVocab {
				if _, err := m.Vocab().Tokenize("x", false, false); !errors.Is(err, ErrNoVocab) {
					t.Errorf("tokenize: %v", err)
				}
				if m.Vocab().Attr(0) != 0 || m.Vocab().Text(0) != "" || m.Vocab().IsEOG(0) {
					t.Error("a token has properties without a vocabulary")
				}
				return
			}
			tokens, err := m.Vocab().Tokenize("any text\n", false, false)
			if err != nil || !slices.Equal(tokens, bytesOf("any text\n")) {
				t.Errorf("tokens %v, %v", tokens, err)
			}
		})
	}
}

// ggml aborts on a row behind the end of a table.
func TestLearnedPositionsEnd(t *testing.T) {
	m := tinyModel(t, testmodel.LearnedPositions)
	c := newContextOf(t, m, ContextOptions{Context: 2 * testmodel.TinyContext, Batch: testmodel.TinyContext})
	text := make([]Token, testmodel.TinyContext-1)
	var s Step
	s.add(0, 0, text...)
	mustStep(t, c, &s)
	s.Reset()
	s.add(0, testmodel.TinyContext-1, 1)
	mustStep(t, c, &s)
	s.Reset()
	s.add(0, testmodel.TinyContext, 1)
	if err := c.Step(&s); !errors.Is(err, ErrPosRange) {
		t.Errorf("position %d: %v", testmodel.TinyContext, err)
	}
}

// A recurrent state can be dropped as a whole only.
func TestRecurrentStateCannotBeCut(t *testing.T) {
	m := tinyModel(t, testmodel.Recurrent)
	c := newContextOf(t, m, ContextOptions{MaxSeqs: 2, Unified: true})
	text := bytesOf("a text of some length")
	want := lastLogits(t, c, 0, 0, text)

	s := Step{Ops: []SeqOp{
		{Kind: OpCopy, Seq: 0, Dst: 1, From: 0, To: -1},
		{Kind: OpRemove, Seq: 0, From: 5, To: -1},
		{Kind: OpRemove, Seq: 1, From: 0, To: -1},
	}}
	s.add(0, 5, text[5:]...)
	before := c.DecodedTokens()
	err := c.Step(&s)
	var op *OpError
	if !errors.As(err, &op) || op.Index != 1 || !errors.Is(err, ErrPartialRemove) {
		t.Fatalf("cutting a state: %v", err)
	}
	if c.DecodedTokens() != before {
		t.Error("the batch was decoded all the same")
	}
	// The operation before was done, the one behind not.
	if high, err := c.SeqPosMax(1); err != nil || high != Pos(len(text))-1 {
		t.Errorf("sequence 1 ends at %d, %v", high, err)
	}
	got := lastLogits(t, c, 0, 0, text, SeqOp{Kind: OpRemove, Seq: 0, From: 0, To: -1})
	if !slices.Equal(got, want) {
		t.Error("from an empty state the same text gives other logits")
	}
	// There is a state for each of MaxSeqs ids and no more, also if the context is unified.
	if err := c.Step(&Step{Ops: []SeqOp{{Kind: OpRemove, Seq: 2, To: -1}}}); !errors.Is(err, ErrSeqRange) {
		t.Errorf("sequence 2 of 2: %v", err)
	}
	if _, err := c.UsedCells(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("cells of a recurrent state: %v", err)
	}
}

// Where layers see a window only, what lies behind it is forgotten and SeqPosMin tells so.
func TestSlidingWindowForgets(t *testing.T) {
	m := tinyModel(t, testmodel.SlidingWindow)
	text := bytesOf("The window is short and this text is much longer than it, so that its beginning is forgotten by half of the layers. " +
		"What is left suffices to go on.")
	feed := func(c *Context, batch int) []float32 {
		t.Helper()
		var row []float32
		for i := 0; i < len(text); i += batch {
			row = lastLogits(t, c, 0, Pos(i), text[i:min(i+batch, len(text))])
		}
		return row
	}
	small := newContextOf(t, m, ContextOptions{Context: 512, Batch: 16, MaxSeqs: 2, Unified: true})
	full := newContextOf(t, m, ContextOptions{Context: 512, Batch: 16, MaxSeqs: 2, Unified: true, SWAFull: true})
	a, b := feed(small, 16), feed(full, 16)
	if argmax(a) != argmax(b) {
		t.Errorf("small and full window cache disagree: %d and %d", argmax(a), argmax(b))
	}
	low, high, err := full.SeqRange(0)
	if err != nil || low != 0 || high != Pos(len(text))-1 {
		t.Errorf("full: positions %d to %d, %v", low, high, err)
	}
	// Fill the small cache until cells of the first text are taken again.
	for i := len(text); i < 480; i += 16 {
		lastLogits(t, small, 0, Pos(i), slices.Repeat([]Token{'x'}, 16))
	}
	low, _, err = small.SeqRange(0)
	if err != nil || low <= 0 {
		t.Errorf("small: the first position is still %d, %v", low, err)
	}
	if used, err := small.UsedCells(); err != nil || used < 480 {
		t.Errorf("the layers that see everything use %d cells, %v", used, err)
	}
	// A saved sequence has both pools.
	data, err := full.SaveSeq(0, onHeap)
	if err != nil {
		t.Fatal(err)
	}
	want := lastLogits(t, full, 0, Pos(len(text)), []Token{'y'})
	if err := full.RestoreSeq(1, data); err != nil {
		t.Fatal(err)
	}
	if got := lastLogits(t, full, 1, Pos(len(text)), []Token{'y'}); argmax(got) != argmax(want) {
		t.Errorf("restored: %d, want %d", argmax(got), argmax(want))
	}
}

func TestEncoderGivesOneEmbedding(t *testing.T) {
	m := tinyModel(t, testmodel.Encoder)
	c := newContextOf(t, m, ContextOptions{Context: 512, Batch: 128, MaxSeqs: 2, Unified: true, Embeddings: true})
	embed := func(texts ...string) [][]float32 {
		t.Helper()
		var s Step
		for seq, text := range texts {
			s.add(SeqID(seq), 0, bytesOf(text)...)
		}
		mustStep(t, c, &s)
		var all [][]float32
		for seq := range texts {
			v, err := c.Embedding(int32(seq))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
		return all
	}
	alone := embed("one text")[0]
	both := embed("one text", "and another, longer one")
	if len(alone) != m.Embedding() || norm(alone) == 0 || slices.Equal(both[0], both[1]) {
		t.Errorf("%d numbers, norm %g", len(alone), norm(alone))
	}
	for i := range alone {
		if d := alone[i] - both[0][i]; d > 1e-4 || d < -1e-4 {
			t.Fatalf("company changes number %d by %g", i, d)
		}
	}
	if _, err := c.Embedding(2); err == nil {
		t.Error("an embedding of a text that was not given")
	}
	long := Step{}
	long.add(0, 0, make([]Token, 129)...)
	if err := c.Step(&long); !errors.Is(err, ErrBatchTooLong) {
		t.Errorf("a text of 129 tokens in batches of 128: %v", err)
	}
	far := Step{}
	far.add(0, testmodel.TinyContext, 1)
	if err := c.Step(&far); !errors.Is(err, ErrPosRange) {
		t.Errorf("position %d: %v", testmodel.TinyContext, err)
	}
}
