package sched

import "time"

// cost predicts how long a step takes from what it has to do:
//
//	seconds = a + b*tokens + c*tokens*cells
//
// a is what every step costs (the weights are read once), b is a token's share, and c is what
// attention adds for each cell in use. The three are fitted while running, by recursive least
// squares that forgets: a machine becomes faster and slower with its neighbours.
type cost struct {
	theta [3]float64
	p     [3][3]float64 // how unsure the fit is
	seen  int
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
)

// features scales all three to about 1, so that the fit is well conditioned.
func features(tokens, cells int) [3]float64 {
	n := float64(tokens) / 64
	return [3]float64{1, n, n * float64(cells) / 4096}
}

// observe learns from a step that was computed.
func (c *cost) observe(tokens, cells int, took time.Duration) {
	if c.seen == 0 {
		for i := range c.p {
			c.p[i][i] = unsure
		}
	}
	y := took.Seconds()
	if c.believed() {
		// A step that was held up from outside says little: count it as twice what was expected.
		y = min(y, 2*c.predict(tokens, cells).Seconds()+1e-3)
	}
	c.seen++
	x := features(tokens, cells)
	var px [3]float64
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
}

func (c *cost) believed() bool { return c.seen >= learned }

func (c *cost) predict(tokens, cells int) time.Duration {
	seconds := 0.0
	for i, x := range features(tokens, cells) {
		seconds += max(c.theta[i], 0) * x // nothing takes less than no time
	}
	return time.Duration(seconds * float64(time.Second))
}

// most is the largest number of tokens, from low to high, whose step is expected to stay within
// budget; low if none is.
func (c *cost) most(budget time.Duration, low, high, cells int) int {
	for low < high {
		mid := (low + high + 1) / 2
		if c.predict(mid, cells) <= budget {
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
	b, ca := c.theta[1]/64, c.theta[2]/64/4096
	n := float64(unknown)
	if c.believed() && b > 0 && ca > 0 {
		n = min(b/ca, unknown)
	}
	return int(max(n*returns, least))
}
