package engine

import (
	"errors"
	"testing"
)

// fakePlan needs 1000 for weights, 100 for the rest, and one byte for two tokens of context.
func fakePlan(o Options) (*MemoryPlan, error) {
	cache := uint64(o.Context) / 2
	if o.CacheTypeK == "q8_0" {
		cache = cache * 17 / 32
	}
	return &MemoryPlan{Weights: 1000, Compute: 100, Cache: cache, Context: o.Context}, nil
}

func TestFindFit(t *testing.T) {
	for name, tt := range map[string]struct {
		o     Options
		limit uint64
		want  Fit
	}{
		"8-bit cache":                    {Options{Context: 8192}, 1100 + 4096*17/32, Fit{Settings{8192, "q8_0"}, 1100 + 4096*17/32, 0}},
		"half the context":               {Options{Context: 8192}, 1100 + 2048, Fit{Settings{4096, ""}, 1100 + 2048, 0}},
		"both":                           {Options{Context: 8192}, 1100 + 2048*17/32, Fit{Settings{4096, "q8_0"}, 1100 + 2048*17/32, 0}},
		"quarter":                        {Options{Context: 8192}, 1100 + 1024, Fit{Settings{2048, ""}, 1100 + 1024, 0}},
		"flash attention is off":         {Options{Context: 8192, FlashAttention: "off"}, 1100 + 2048*17/32, Fit{Settings{2048, ""}, 1100 + 1024, 0}},
		"other weights":                  {Options{Context: 8192}, 1000, Fit{Settings{}, 1100 + 1024*17/32, 1000 - 100 - 1024*17/32}},
		"no weights at all":              {Options{Context: 8192}, 50, Fit{Settings{}, 1100 + 1024*17/32, 0}},
		"a context that is small enough": {Options{Context: 2048, CacheTypeK: "q8_0", CacheTypeV: "q8_0"}, 1, Fit{Settings{}, 1100 + 1024*17/32, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			now, _ := fakePlan(tt.o)
			got, err := findFit(tt.o, tt.limit, now, fakePlan)
			if err != nil || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestMostLayers(t *testing.T) {
	for limit := range 34 {
		calls := 0
		got, err := MostLayers(33, func(n int) (bool, error) { calls++; return n <= limit, nil })
		if err != nil || got != min(limit, 33) || calls > 6 {
			t.Errorf("limit %d: %d layers, %v, after %d plans", limit, got, err, calls)
		}
	}
	broken := errors.New("broken")
	if _, err := MostLayers(33, func(int) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
