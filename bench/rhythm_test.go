package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

// Both sides and every run are typed at alike, and repetitions differ.
func TestRhythmRepeats(t *testing.T) {
	word := " limits"
	one, again, other := newRhythm(7).burst(word), newRhythm(7).burst(word), newRhythm(8).burst(word)
	if !slices.Equal(one, again) {
		t.Errorf("the same seed gave %v and %v", one, again)
	}
	if slices.Equal(one, other) {
		t.Errorf("another seed gave the same pauses, %v", other)
	}
	if len(one) != len(word)-1 {
		t.Errorf("%d pauses between %d keys", len(one), len(word))
	}
	if got := newRhythm(1).burst("äöü"); len(got) != 2 {
		t.Errorf("%d pauses between three keys of two bytes each", len(got))
	}
	if got := newRhythm(1).burst(""); len(got) != 0 {
		t.Errorf("%d pauses without a key", len(got))
	}
}

// The pauses have the mean and the deviation that were measured with people, are log-normal, and lie on both sides of a debounce.
func TestRhythmIsThatOfPeople(t *testing.T) {
	const n = 200_000
	keys := newRhythm(1)
	var ms, logs samples
	short := 0
	for range n {
		pause := keys.next()
		if pause < keyLeast || pause > keyMost {
			t.Fatalf("a pause of %s", pause)
		}
		if pause <= typingDebounce {
			short++
		}
		ms = append(ms, float64(pause)/float64(time.Millisecond))
		logs = append(logs, math.Log(float64(pause)))
	}
	mean, deviation, _ := momentsOf(ms)
	if math.Abs(mean-239) > 2 || math.Abs(deviation-112) > 2 {
		t.Errorf("mean %.1f ms, deviation %.1f ms; want 239 and 112", mean, deviation)
	}
	_, _, skewed := momentsOf(ms)
	_, _, straight := momentsOf(logs)
	if skewed < 1 || math.Abs(straight) > 0.05 {
		t.Errorf("skewness %.2f, of the logarithms %.2f; want more than 1 and about 0", skewed, straight)
	}
	if share := float64(short) / n; math.Abs(share-0.205) > 0.01 {
		t.Errorf("%.3f of the pauses are shorter than %s, want 0.205", share, typingDebounce)
	}
}

func momentsOf(s samples) (mean, deviation, skewness float64) {
	n := float64(len(s))
	for _, v := range s {
		mean += v / n
	}
	var second, third float64
	for _, v := range s {
		second += (v - mean) * (v - mean) / n
		third += (v - mean) * (v - mean) * (v - mean) / n
	}
	deviation = math.Sqrt(second)
	return mean, deviation, third / (deviation * deviation * deviation)
}
