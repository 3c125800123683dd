package llama

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// What patches/attention.patch promises: a token's logits depend on its own text alone, whether it is computed by itself or beside
// others, in which slices the text before it was, what lies between its cells, and by how many threads. Without the patch they differ
// in their last digits, and so does now and then what a person is answered while others ask.
func TestAttentionIsTheSameInEveryBatch(t *testing.T) {
	text := tokenize(t, strings.Repeat("func add(a, b int) int { return a + b }\n// add returns the sum of two numbers, which may be negative.\n", 26))[:701]
	other := tokenize(t, strings.Repeat("Somebody else asks for something else, at length and at the same time. ", 20))
	last := len(text) - 1

	alone := newContext(t, ContextOptions{Context: 2048, Batch: 1024, MaxSeqs: 4, Unified: true, FlashAttention: FlashOn, Threads: 2})
	lastLogits(t, alone, 0, 0, text[:last])
	want := slices.Clone(lastLogits(t, alone, 0, Pos(last), text[last:]))
	if err := alone.SetThreads(1); err != nil {
		t.Fatal(err)
	}
	cut := SeqOp{Kind: OpRemove, Seq: 0, From: Pos(last), To: -1}
	same(t, "one thread", lastLogits(t, alone, 0, Pos(last), text[last:], cut), want)
	whole := SeqOp{Kind: OpRemove, Seq: 0, To: -1}
	same(t, "one batch", lastLogits(t, alone, 0, 0, text, whole), want)

	beside := newContext(t, ContextOptions{Context: 2048, Batch: 1024, MaxSeqs: 4, Unified: true, FlashAttention: FlashOn, Threads: 2})
	at, theirs := 0, 0
	var step Step
	for _, slice := range []int{37, 300, 1, 64, 250, last - 652, 1} { // a few of theirs between ours each time
		step.Reset()
		step.add(1, Pos(theirs), other[theirs:theirs+30]...)
		row := step.add(0, Pos(at), text[at:at+slice]...)
		step.add(2, Pos(theirs), other[theirs+1:theirs+8]...)
		step.add(3, Pos(theirs), other[theirs+2:theirs+3]...)
		mustStep(t, beside, &step)
		at, theirs = at+slice, theirs+30
		if at == len(text) {
			got, err := beside.Logits(int(row))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "beside others", got, want)
		}
		for seq := SeqID(2); seq < 4; seq++ {
			mustStep(t, beside, &Step{Ops: []SeqOp{{Kind: OpRemove, Seq: seq, To: -1}}})
		}
	}
	if at != len(text) {
		t.Fatalf("%d of %d tokens were computed", at, len(text))
	}
}

// What patches/cells.patch promises: a text has its cells in its own order, also where others have left some free in front of it.
// Attention adds up in the order of cells.
func TestCellsHaveTheOrderOfTheText(t *testing.T) {
	text := tokenize(t, strings.Repeat("What does this say? It says that a limit is a limit, and that all values are in it.\n", 20))[:301]
	o := ContextOptions{Context: 1024, Batch: 512, MaxSeqs: 4, Unified: true, FlashAttention: FlashOn, Threads: 2}
	want := slices.Clone(lastLogits(t, newContext(t, o), 0, 0, text))

	c := newContext(t, o)
	lastLogits(t, c, 1, 0, text[:200])
	lastLogits(t, c, 0, 0, text[:150])
	leave := SeqOp{Kind: OpRemove, Seq: 1, To: -1}
	for at := 150; at < len(text); {
		end := min(at+25, len(text))
		got := lastLogits(t, c, 0, Pos(at), text[at:end], leave)
		if at = end; at == len(text) {
			same(t, "behind cells that somebody has left", got, want)
		}
	}
	// At the end of the cache nothing is free behind a text, and what is free in front of it is taken.
	lastLogits(t, c, 2, 0, text[:300])
	lastLogits(t, c, 3, 0, text[:300])
	lastLogits(t, c, 3, 300, text[:100]) // 1001 of 1024 cells
}

// same compares logits: bit by bit with AVX2 and AVX-512, where that was seen to hold. Compilers may join a product and a sum in one
// place and not in another, and products of weights take other ways for several tokens on some processors; then the last digits differ.
func same(t *testing.T, how string, got, want []float32) {
	t.Helper()
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i]-want[i])))
	}
	cpu, _ := os.ReadFile("/proc/cpuinfo") // not there: not Linux, and not seen
	switch exact := strings.Contains(string(cpu), " avx2 "); {
	case exact && worst > 0:
		t.Errorf("%s: logits differ by up to %g", how, worst)
	case argmax(got) != argmax(want):
		t.Errorf("%s: another token is the best one, and logits differ by up to %g", how, worst)
	}
}
