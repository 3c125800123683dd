package sched

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// realCost is 10 ms a step, 2 ms a token, 0.1 us a token and cell.
func realCost(tokens, cells int) time.Duration {
	return 10*time.Millisecond + time.Duration(tokens)*(2*time.Millisecond+time.Duration(cells)*100)
}

// Hours of steps that are all alike must not spoil what is known of others.
func TestTheCostModelSurvivesMonotony(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	noise := func(d time.Duration) time.Duration { return time.Duration(float64(d) * (0.95 + 0.1*random.Float64())) }
	var c cost
	for i := range 100 {
		tokens, cells := 1+i%60*8, 100*(i%60)
		c.observe(tokens, cells, noise(realCost(tokens, cells)))
	}
	for hour := range 5 {
		for i := range 100_000 {
			tokens, cells := 3+i%2, 2000+i%50
			c.observe(tokens, cells, noise(realCost(tokens, cells)))
		}
		for _, v := range c.theta {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("hour %d: %v", hour, c.theta)
			}
		}
		got, want := c.predict(4, 2000), realCost(4, 2000)
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("hour %d: 4 tokens are expected to take %s, they take %s", hour, got, want)
		}
		// Of prompts something is remembered, and a few slices bring back the rest.
		for range 20 {
			c.observe(128, 2000, noise(realCost(128, 2000)))
		}
		got, want = c.predict(100, 2000), realCost(100, 2000)
		if got < want*8/10 || got > want*12/10 {
			t.Errorf("hour %d: 100 tokens are expected to take %s, they take %s", hour, got, want)
		}
	}
}
