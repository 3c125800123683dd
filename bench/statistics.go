package main

import (
	"fmt"
	"math"
	"slices"
)

// Two peers are compared by the median of their repetitions. Whether the machine was quiet enough
// for that is asked of the same samples: a peer's odd repetitions against its even ones is A
// against A, taken over the whole run, so drift and neighbours show in it.

const (
	// maxNoise is the largest difference of A against A with which a verdict is given
	// (issue 3, section 6: more than 5 % is no verdict).
	maxNoise = 0.05
	// minHalf is the fewest repetitions in each half of A against A: a median of two is their
	// mean, which one outlier moves at will.
	minHalf = 3
)

// samples are the values of one figure of one peer, in the order of the repetitions.
type samples []float64

// quantile is the value below which the share q of the samples lies, interpolated linearly
// between the two nearest (Hyndman and Fan's type 7, what R and NumPy do by default). It is NaN
// without samples.
func (s samples) quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

func (s samples) median() float64 { return s.quantile(0.5) }

// noise is the relative difference between the medians of the odd and the even repetitions. It is
// not known with fewer than minHalf of either.
func (s samples) noise() (difference float64, known bool) {
	if len(s) < 2*minHalf {
		return math.NaN(), false
	}
	var halves [2]samples
	for i, v := range s {
		halves[i%2] = append(halves[i%2], v)
	}
	a, b := halves[0].median(), halves[1].median()
	low, high := min(a, b), max(a, b)
	if low <= 0 {
		return math.Inf(1), true // no speed and no time is 0: something was not measured
	}
	return high/low - 1, true
}

// figure is one number that is compared, such as decode speed at a depth.
type figure struct {
	name   string
	unit   string
	better direction
	// target is what the ratio ours/theirs has to reach, 0 where the issues set none. It is a
	// lower bound where more is better and an upper bound where less is.
	target float64
}

// direction says which way a figure is better.
type direction int

const (
	more direction = iota // a speed
	less                  // a time
)

// comparison holds a figure of both sides over all repetitions.
type comparison struct {
	figure
	ours, theirs samples
}

// ratio is ours/theirs, by medians.
func (c comparison) ratio() float64 { return c.ours.median() / c.theirs.median() }

// noise is the larger of both sides' noise.
func (c comparison) noise() (difference float64, known bool) {
	ours, known := c.ours.noise()
	if !known {
		return ours, false
	}
	theirs, known := c.theirs.noise()
	if !known {
		return theirs, false
	}
	return max(ours, theirs), true
}

// verdict says whether the target was reached, as far as the machine lets that be said. It is
// empty without a target.
func (c comparison) verdict() string {
	if c.target == 0 {
		return ""
	}
	noise, known := c.noise()
	switch {
	case !known:
		return fmt.Sprintf("no verdict (noise unknown below %d repetitions)", 2*minHalf)
	case noise > maxNoise:
		return fmt.Sprintf("no verdict (noise %.1f %%)", 100*noise)
	case c.reached():
		return "pass"
	}
	return "miss"
}

func (c comparison) reached() bool {
	if c.better == less {
		return c.ratio() <= c.target
	}
	return c.ratio() >= c.target
}
