package sched

import (
	"slices"
	"testing"
	"time"
)

func TestADraftIsWhatFollowedTheLongestMatch(t *testing.T) {
	for _, c := range []struct {
		name   string
		tokens []int32
		n      int
		want   []int32
		match  int
	}{
		{"nothing before", []int32{1}, 3, nil, 0},
		{"one token says too little", []int32{5, 9, 5}, 3, nil, 1},
		{"what followed", []int32{1, 2, 3, 4, 5, 9, 1, 2}, 3, []int32{3, 4, 5}, 2},
		{"the longest match", []int32{7, 1, 2, 3, 8, 1, 2, 4, 7, 1, 2}, 1, []int32{3}, 3},
		{"the last of equals", []int32{1, 2, 3, 1, 2, 4, 1, 2}, 2, []int32{4, 1}, 2},
		{"a loop goes on", []int32{4, 1, 2, 1, 2}, 5, []int32{1, 2, 1, 2, 1}, 2},
		{"one token over and over", []int32{6, 6, 6, 6}, 4, []int32{6, 6, 6, 6}, 3},
		{"nothing wanted", []int32{1, 2, 1, 2}, 0, nil, 2},
	} {
		got, match := draft(nil, c.tokens, c.n)
		if !slices.Equal(got, c.want) || match != c.match {
			t.Errorf("%s: %v after a match of %d, want %v, %d", c.name, got, match, c.want, c.match)
		}
	}
	// Behind what is there already, for an n-th request.
	if got, _ := draft([]int32{7, 7}, []int32{1, 2, 1, 2, 1, 2}, 3); !slices.Equal(got, []int32{7, 7, 1, 2, 1}) {
		t.Errorf("appended %v", got)
	}
	far := append([]int32{1, 2, 3}, make([]int32, lookBack)...)
	if got, match := draft(nil, append(far, 1, 2), 1); match != 0 {
		t.Errorf("found %v beyond %d tokens", got, lookBack)
	}
}

// alone has one person's 2,000 tokens decoded on a machine where a step takes 12 ms and each guess
// adds some, and returns what that took.
func alone(t *testing.T, says predictor, draft int, guess time.Duration) *world {
	t.Helper()
	w := newWorld(Config{Cells: 4096, Rows: 4, BatchTokens: 64, SliceTokens: 8, Queue: 4, Reuse: true, DraftTokens: draft})
	w.m.says, w.guess = says, guess
	w.ask(t, []int32{1, 2, 0, 1, 1, 2}, 2000, 0)
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
	return w
}

// Guesses that rarely come true cost next to nothing, whatever a guess adds; on text that repeats
// itself as many are made as pay.
func TestAsManyGuessesAsPay(t *testing.T) {
	for _, c := range []struct {
		name  string
		says  predictor
		guess time.Duration
		least float64 // times as fast as without
	}{
		{"random, free", byHistory, 0, 1.3},
		{"random, cheap", byHistory, time.Millisecond, 1.1},
		{"random, dear", byHistory, 8 * time.Millisecond, 0.97},
		{"in circles, free", inCircles, 0, 7},
		{"in circles, cheap", inCircles, time.Millisecond, 4.5},
		{"in circles, dear", inCircles, 8 * time.Millisecond, 1.2},
		{"in circles, dearer than a step", inCircles, 13 * time.Millisecond, 0.97},
	} {
		plain, drafts := alone(t, c.says, 0, c.guess), alone(t, c.says, 8, c.guess)
		gain := float64(plain.busy) / float64(drafts.busy)
		t.Logf("%s: %.2f times as fast, %d of %d guesses came true", c.name, gain, drafts.guessedRight, drafts.guessed)
		if gain < c.least {
			t.Errorf("%s: %.2f times as fast as without guesses, want %.2f", c.name, gain, c.least)
		}
		if drafts.guessed == 0 {
			t.Errorf("%s: nothing was guessed", c.name)
		}
	}
}

// A draft model is asked for as many guesses as its time and their worth allow, and for none where they cost more.
func TestADraftModelIsAskedForWhatPays(t *testing.T) {
	for _, c := range []struct {
		name        string
		rate        float64
		asking      float64 // seconds a guess
		quiet, want int
	}{
		{"free and nearly always right", 0.95, 0, 0, 8},
		{"cheap and mostly right", 0.7, 0.001, 0, 3},
		{"as slow as the model", 0.9, 0.012, 0, 0},
		{"nearly always wrong", 0.05, 0.001, 0, 0},
		{"tried again after a while", 0.05, 0.001, retry, retryTokens},
	} {
		sp := newSpeculation(8)
		sp.plain.seconds, sp.slope, sp.asking, sp.quiet = 0.012, 0.001, c.asking, c.quiet
		sp.rates[modelMatch] = c.rate
		if got := sp.worthAsking(1, 8); got < c.want-1 || got > c.want+1 || (got == 0) != (c.want == 0) {
			t.Errorf("%s: %d guesses, want about %d", c.name, got, c.want)
		}
	}
}

// What was offered for another text is not used, and what was taken is learnt from.
func TestOffersAreForTheTextAsItIs(t *testing.T) {
	w := newWorld(Config{Cells: 512, Rows: 2, BatchTokens: 64, SliceTokens: 8, Queue: 4, Reuse: true, DraftTokens: 4, DraftAlways: true})
	w.m.says, w.guess = byHistory, time.Millisecond
	w.offers = true
	w.ask(t, []int32{2, 0, 1}, 100, 0)
	if err := w.drain(); err != nil {
		t.Fatal(err)
	}
	if rate := w.s.spec.rates[modelMatch]; rate == modelRate {
		t.Error("nothing was learnt of the guesses")
	}
	w.s.Offer(99, 3, []int32{1}) // nobody
}
