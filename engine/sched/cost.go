package sched

import (
	"cmp"
	"time"
)

// cost predicts how long a step takes from what it has to do:
//
//	seconds = a + b*tokens + c*passed + d*attended
//
// a is what every step costs (the weights are read once) and b is a token's share. d is what
// attention takes for a cell that a token looks at, and c for one that it passes by, because
// another sequence owns it: as much where attention multiplies all cells and masks afterwards,
// next to nothing where it skips what is masked. The four are fitted while running, by recursive
// least squares that forgets: a machine becomes faster and slower with its neighbours.
type cost struct {
	theta  [4]float64
	p      [4][4]float64 // how unsure the fit is
	seen   int
	excess float64 // how many times as long as predicted 19 of 20 long steps take at most
}

// load is what a step has to do.
type load struct {
	tokens   int
	attended int // cells that its tokens look at, those of all tokens added up
	cells    int // in use, by anybody
}

const (
	// forgetting weighs a step one hundred steps ago a third as much as the last one.
	forgetting = 0.99
	// unsure is where the fit begins: as good as no knowledge.
	unsure = 1e4
	// settled bounds doubt once the fit is believed: enough that a few slices teach a new cost.
	settled = 20
	// learned is how many steps it takes before the fit is believed.
	learned = 8

	// excessFirst is taken for the excess before it was seen, excessRate is how far one step moves it, and excessMost its bound:
	// a machine that takes half as long again for every twentieth step has a trouble that shorter steps do not cure.
	excessFirst, excessMost = 1.25, 1.5
	excessRate              = 0.04
)

// The scales of tokens and cells bring all features to about 1, so that the fit is well conditioned.
const (
	tokenScale = 64
	cellScale  = 64 * 4096
)

func (l load) features() [4]float64 {
	passed := max(l.tokens*l.cells-l.attended, 0)
	return [4]float64{1, float64(l.tokens) / tokenScale, float64(passed) / cellScale, float64(l.attended) / cellScale}
}

// observe learns from a step that was computed.
func (c *cost) observe(l load, took time.Duration) {
	if c.seen == 0 {
		for i := range c.p {
			c.p[i][i] = unsure
		}
	}
	y := took.Seconds()
	if c.believed() {
		// A step that was held up from outside says little: count it as twice what was expected.
		y = min(y, 2*c.predict(l).Seconds()+1e-3)
	}
	c.seen++
	x := l.features()
	var px [4]float64
	den := forgetting
	for i := range px {
		for j := range x {
			px[i] += c.p[i][j] * x[j]
		}
		den += x[i] * px[i]
	}
	miss := y
	for i := range x {
		miss -= c.theta[i] * x[i]
	}
	doubt := 0.0
	for i := range c.theta {
		c.theta[i] += px[i] / den * miss
		for j := range x {
			c.p[i][j] = (c.p[i][j] - px[i]*px[j]/den) / forgetting
		}
		doubt = max(doubt, c.p[i][i])
	}
	// Steps that are all alike say nothing about some directions, in which forgetting would let
	// doubt grow until rounding errors decide. The whole matrix shrinks: a part of it alone would
	// not be a covariance any more.
	if c.believed() && doubt > settled {
		for i := range c.p {
			for j := range c.p {
				c.p[i][j] *= settled / doubt
			}
		}
	}
	for i := range c.p { // rounding makes it lopsided
		for j := range i {
			c.p[i][j] = (c.p[i][j] + c.p[j][i]) / 2
			c.p[j][i] = c.p[i][j]
		}
	}
	c.nonnegative()
}

// nonnegative moves the fit to the best one in which nothing takes less than no time: what one
// parameter gives up the others take over, as far as steps could not tell them apart.
func (c *cost) nonnegative() {
	for range c.theta {
		least := 0
		for i, v := range c.theta {
			if v < c.theta[least] {
				least = i
			}
		}
		v, doubt := c.theta[least], c.p[least][least]
		if v >= 0 || doubt <= 0 {
			break
		}
		for i := range c.theta {
			c.theta[i] -= v * c.p[i][least] / doubt
		}
		c.theta[least] = 0
	}
	for i := range c.theta { // what one correction took below zero again
		c.theta[i] = max(c.theta[i], 0)
	}
}

// compare learns how far a step that should keep a limit went beyond what was predicted: the quantile rises by 19 parts where
// one took longer and falls by one part where it did not, and so stays where one of twenty takes longer.
func (c *cost) compare(predicted, took time.Duration) {
	const rare = 0.05
	c.excess = c.excessive()
	if took.Seconds() > c.excess*predicted.Seconds() {
		c.excess += (1 - rare) * excessRate
	} else {
		c.excess -= rare * excessRate
	}
	c.excess = min(max(c.excess, 1), excessMost)
}

func (c *cost) excessive() float64 { return cmp.Or(c.excess, excessFirst) }

// within is what a step may be predicted to take, so that 19 of 20 stay within a limit.
func (c *cost) within(limit time.Duration) time.Duration {
	return time.Duration(float64(limit) / c.excessive())
}

func (c *cost) believed() bool { return c.seen >= learned }

func (c *cost) predict(l load) time.Duration {
	seconds := 0.0
	for i, x := range l.features() {
		seconds += c.theta[i] * x
	}
	return time.Duration(seconds * float64(time.Second))
}

// passing is how many seconds a token takes for a cell that it passes by.
func (c *cost) passing() float64 { return c.theta[2] / cellScale }

// most is the largest number of tokens, from low to high, whose step is expected to stay within
// budget; low if none is. of says what a step of so many tokens has to do.
func (c *cost) most(budget time.Duration, low, high int, of func(tokens int) load) int {
	for low < high {
		mid := (low + high + 1) / 2
		if c.predict(of(mid)) <= budget {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// patience is how many tokens may be computed, by anybody, while a cell that nobody uses is kept.
// Attention passes by it c seconds for each of them, and computing its token again would take b:
// after b/c tokens it has cost as much as it can ever save. Giving it up then is never worse than
// twice the best that somebody who knew the future could do (the ski rental rule). Where few come
// back to what was kept, patience shrinks by their share.
func (c *cost) patience(returns float64) int {
	const (
		unknown = 1 << 16
		least   = 1 << 10
	)
	b, passing := c.theta[1]/tokenScale, c.passing()
	n := float64(unknown)
	if c.believed() && b > 0 && passing > 0 {
		n = min(b/passing, unknown)
	}
	return int(max(n*returns, least))
}
