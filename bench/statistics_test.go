package main

import (
	"math"
	"testing"
)

func near(a, b float64) bool {
	return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) || a == b
}

// Expected quartiles are those of numpy.quantile(x, [0.25, 0.5, 0.75]).
func TestQuantile(t *testing.T) {
	tests := []struct {
		name                 string
		of                   samples
		lower, median, upper float64
	}{
		{"none", nil, math.NaN(), math.NaN(), math.NaN()},
		{"one", samples{7}, 7, 7, 7},
		{"two", samples{4, 2}, 2.5, 3, 3.5},
		{"odd", samples{9, 1, 5, 3, 7}, 3, 5, 7},
		{"even", samples{6, 1, 4, 2, 5, 3}, 2.25, 3.5, 4.75},
		{"equal", samples{2, 2, 2, 2}, 2, 2, 2},
		{"outlier", samples{10, 11, 12, 13, 1000}, 11, 12, 13},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := append(samples(nil), test.of...)
			got := [3]float64{test.of.quantile(0.25), test.of.median(), test.of.quantile(0.75)}
			want := [3]float64{test.lower, test.median, test.upper}
			for i := range got {
				if !near(got[i], want[i]) {
					t.Errorf("quartiles %v, want %v", got, want)
					break
				}
			}
			for i := range before {
				if test.of[i] != before[i] {
					t.Fatalf("samples were reordered to %v; the noise check needs their order", test.of)
				}
			}
		})
	}
}

func TestNoise(t *testing.T) {
	tests := []struct {
		name  string
		of    samples
		want  float64
		known bool
	}{
		{"too few", samples{1, 1, 1, 1, 1}, math.NaN(), false},
		{"steady", samples{100, 100, 100, 100, 100, 100}, 0, true},
		{"even repetitions slower", samples{110, 100, 110, 100, 110, 100}, 0.1, true},
		{"odd repetitions slower", samples{100, 110, 100, 110, 100, 110}, 0.1, true},
		{"one outlier is no noise", samples{100, 100, 100, 5, 100, 100}, 0, true},
		{"slowing down", samples{120, 115, 110, 105, 100, 95}, 110.0/105 - 1, true},
		{"odd number", samples{100, 102, 100, 102, 100, 102, 100}, 0.02, true},
		{"nothing measured", samples{0, 1, 0, 1, 0, 1}, math.Inf(1), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, known := test.of.noise()
			if known != test.known || !near(got, test.want) {
				t.Errorf("noise %v, %v; want %v, %v", got, known, test.want, test.known)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	steady := func(v float64) samples { return samples{v, v, v, v, v, v} }
	uneasy := samples{100, 106, 100, 106, 100, 106}
	tests := []struct {
		name string
		of   comparison
		want string
	}{
		{"no target", comparison{figure{}, steady(1), steady(2)}, ""},
		{"reached", comparison{figure{target: 0.97}, steady(97), steady(100)}, "pass"},
		{"just missed", comparison{figure{target: 0.97}, steady(96.9), steady(100)}, "miss"},
		{"less is better, reached", comparison{figure{target: 0.5, better: less}, steady(1), steady(2)}, "pass"},
		{"less is better, missed", comparison{figure{target: 0.5, better: less}, steady(1.1), steady(2)}, "miss"},
		{"we are noisy", comparison{figure{target: 0.97}, uneasy, steady(100)}, "no verdict (noise 6.0 %)"},
		{"they are noisy", comparison{figure{target: 0.97}, steady(200), uneasy}, "no verdict (noise 6.0 %)"},
		{"five repetitions", comparison{figure{target: 0.97}, steady(1)[:5], steady(1)[:5]}, "no verdict (noise unknown below 6 repetitions)"},
		{"nothing", comparison{figure{target: 0.97}, nil, nil}, "no verdict (noise unknown below 6 repetitions)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.of.verdict(); got != test.want {
				t.Errorf("verdict %q, want %q (ratio %v)", got, test.want, test.of.ratio())
			}
		})
	}
}
