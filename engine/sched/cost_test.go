package sched

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// realCost is 10 ms a step, 2 ms a token, 0.1 us a token and cell that it passes by, 1 us one that it looks at.
func realCost(l load) time.Duration {
	return 10*time.Millisecond + time.Duration(l.tokens)*2*time.Millisecond +
		time.Duration(l.tokens*l.cells-l.attended)*100 + time.Duration(l.attended)*1000
}

// Hours of steps that are all alike must not spoil what is known of others.
func TestTheCostModelSurvivesMonotony(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	noise := func(d time.Duration) time.Duration { return time.Duration(float64(d) * (0.95 + 0.1*random.Float64())) }
	var c cost
	for i := range 100 {
		l := load{tokens: 1 + i%60*8, cells: 100 * (i % 60)}
		l.attended = l.tokens * l.cells / (1 + i%7)
		c.observe(l, noise(realCost(l)))
	}
	for hour := range 5 {
		for i := range 100_000 {
			l := load{3 + i%2, 1000, 2000 + i%50}
			c.observe(l, noise(realCost(l)))
		}
		for _, v := range c.theta {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("hour %d: %v", hour, c.theta)
			}
		}
		got, want := c.predict(load{4, 1000, 2000}), realCost(load{4, 1000, 2000})
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("hour %d: 4 tokens are expected to take %s, they take %s", hour, got, want)
		}
		// Of prompts something is remembered, and a few slices bring back the rest.
		for range 20 {
			c.observe(load{128, 60_000, 2000}, noise(realCost(load{128, 60_000, 2000})))
		}
		got, want = c.predict(load{100, 50_000, 2000}), realCost(load{100, 50_000, 2000})
		if got < want*8/10 || got > want*12/10 {
			t.Errorf("hour %d: 100 tokens are expected to take %s, they take %s", hour, got, want)
		}
	}
}

// Where attention skips what is masked, a cell that nobody of a step owns costs next to nothing: what is kept for later must not be
// taken to slow it down, nor a long text of one's own be taken for cheap.
func TestTheCostModelTellsCellsApart(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	var c cost
	for range 400 {
		l := load{tokens: 1 + random.IntN(200), cells: 500 + random.IntN(6000)}
		l.attended = l.tokens * random.IntN(l.cells)
		c.observe(l, time.Duration(float64(realCost(l))*(0.95+0.1*random.Float64())))
	}
	if got := c.passing() * 1e9; got < 50 || got > 150 {
		t.Errorf("passing by a cell takes %.0f ns, want 100", got)
	}
	for _, l := range []load{{64, 64 * 3000, 3000}, {64, 64 * 10, 6000}, {8, 8 * 5000, 6000}} {
		if got, want := c.predict(l), realCost(l); got < want*8/10 || got > want*12/10 {
			t.Errorf("%+v is expected to take %s, it takes %s", l, got, want)
		}
	}
}

// What steps cannot tell apart is shared out so that nothing takes less than no time, and what they have taken stays right.
func TestTheCostModelStaysPositive(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	var c cost
	for range 300 { // one person: all cells are his own but for a few
		l := load{tokens: 1 + random.IntN(64), cells: 100 + random.IntN(3000)}
		l.attended = l.tokens * (l.cells - random.IntN(20))
		c.observe(l, time.Duration(float64(realCost(l))*(0.8+0.4*random.Float64())))
		for i, v := range c.theta {
			if v < 0 {
				t.Fatalf("parameter %d is %g", i, v)
			}
		}
	}
	l := load{32, 32 * 2000, 2010}
	if got, want := c.predict(l), realCost(l); got < want*8/10 || got > want*12/10 {
		t.Errorf("%+v is expected to take %s, it takes %s", l, got, want)
	}
}

// Steps that should keep a limit are planned shorter where some of them take longer than predicted, and one of twenty may.
func TestStepsKeepTheirLimitWhereTheyScatter(t *testing.T) {
	for _, test := range []struct {
		name        string
		slow        int // one of so many steps
		by          float64
		least, most time.Duration
	}{
		{"steps as predicted", 1 << 30, 1, 100 * time.Millisecond, 100 * time.Millisecond},
		{"one of ten half as long again", 10, 1.4, 68 * time.Millisecond, 74 * time.Millisecond},
		{"one of a hundred half as long again", 100, 1.4, 94 * time.Millisecond, 100 * time.Millisecond},
		{"one of five ten times as long", 5, 10, 66 * time.Millisecond, 67 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c cost
			for i := range 2000 {
				took := 90 * time.Millisecond
				if i%test.slow == test.slow-1 {
					took = time.Duration(float64(took) * test.by)
				}
				c.compare(90*time.Millisecond, took)
			}
			if got := c.within(100 * time.Millisecond); got < test.least || got > test.most {
				t.Errorf("a step may be predicted to take %s, want %s to %s", got, test.least, test.most)
			}
		})
	}
}
