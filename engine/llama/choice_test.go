package llama

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

const twoLines = `root ::= [a-z ]* "\n"{1,2} ( "Action: " ( "issue" | "epic" | "direct" ) "\n" | "Answer:" ) any*
any ::= [^<]
`

// preferring drives a greedy sampler with a model that finds texts likely in their order: each character further down the list
// costs by in the logits, where texts part. It returns what was drawn.
func preferring(t *testing.T, texts []string, by float32, choice []Weighted) string {
	t.Helper()
	v := testModel(t).Vocab()
	end, _ := v.EOS()
	s := newSampler(t, SamplerOptions{Grammar: mustGrammar(t, twoLines), Ends: []Token{end}, Choice: choice})
	text := ""
	for range 40 {
		logits := slices.Repeat([]float32{-100}, v.Size())
		open := false
		for i, want := range slices.Backward(texts) {
			if rest, ok := strings.CutPrefix(want, text); ok && rest != "" {
				logits[tokenize(t, rest)[0]] = 20 - by*float32(i)
				open = true
			}
		}
		if !open {
			return text
		}
		text += v.Pieces()[draw(t, s, logits)]
	}
	return text
}

// A text is chosen in another's place if its weight is larger by more than what the model prefers that one by.
func TestWeightsShiftAChoice(t *testing.T) {
	texts := []string{"why\nAction: issue\n", "why\nAction: epic\n", "why\nAction: direct\n", "why\nAnswer:"}
	weighing := func(issue, epic, direct, answer float32) []Weighted {
		return []Weighted{{"Action: issue\n", issue}, {"Action: epic\n", epic}, {"Action: direct\n", direct}, {"Answer:", answer}}
	}
	for _, test := range []struct {
		choice []Weighted
		want   int
	}{
		{nil, 0},
		{weighing(0, 0, 0, 0), 0},
		{weighing(5, 5, 5, 5), 0}, // only differences count
		{weighing(0, 2.9, 0, 0), 0},
		{weighing(0, 3.1, 0, 0), 1},
		{weighing(-3.1, 0, 0, 0), 1},
		{weighing(0, 3.1, 6.2, 0), 2},
		{weighing(0, 0, 5.9, 0), 0},
		{weighing(0, 0, 0, 8.9), 0},
		{weighing(0, 0, 0, 9.1), 3}, // decided where "A" goes on
		{weighing(0, 50, 0, 9.1), 1},
	} {
		if got := preferring(t, texts, 3, test.choice); got != texts[test.want] {
			t.Errorf("%v: %q, want %q", test.choice, got, texts[test.want])
		}
	}
	// An empty line between the two changes nothing, and neither does what looks like a choice elsewhere.
	later := []string{"why\n\nAction: issue\n", "why\n\nAction: epic\n"}
	if got := preferring(t, later, 3, weighing(0, 4, 0, 0)); got != later[1] {
		t.Errorf("behind an empty line: %q", got)
	}
	later = []string{"why\nAnswer:\nAction: issue\n", "why\nAnswer:\nAction: epic\n"}
	if got := preferring(t, later, 3, weighing(0, 4, 0, 0)); got != later[0] {
		t.Errorf("in the answer: %q", got)
	}
}

// What a weight does to logits is undone: the row is the caller's.
func TestWeightsLeaveTheRow(t *testing.T) {
	v := testModel(t).Vocab()
	end, _ := v.EOS()
	s := newSampler(t, SamplerOptions{Temperature: 1, TopK: 40, TopP: 0.9, RepeatPenalty: 1.2, Grammar: mustGrammar(t, twoLines), Ends: []Token{end},
		Choice: []Weighted{{"Action: issue\n", 0}, {"Action: epic\n", 1}, {"größer", 3}}})
	logits := make([]float32, v.Size())
	logits[tokenize(t, "\n")[0]] = 30
	for range 8 {
		if _, row, err := s.Draw(logits); err != nil || row != RowDrawn {
			t.Fatal(row, err)
		}
	}
	if logits[tokenize(t, "\n")[0]] != 30 || slices.Max(logits) != 30 || slices.Min(logits) != 0 {
		t.Error("the row was changed")
	}
}

func TestChoicesAreChecked(t *testing.T) {
	many := slices.Repeat([]Weighted{{"x", 1}}, maxChoices+1)
	for name, choice := range map[string][]Weighted{
		"empty": {{"", 1}}, "long": {{strings.Repeat("x", maxChoiceBytes+1), 1}}, "many": many,
		"NaN": {{"x", float32(math.NaN())}}, "infinite": {{"x", float32(math.Inf(-1))}},
	} {
		if _, err := NewSampler(sizedVocab(10), SamplerOptions{Choice: choice}); !errors.Is(err, ErrSamplerOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
