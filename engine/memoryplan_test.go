package engine

import (
	"log/slog"
	"path/filepath"
	"testing"

	"aigw/engine/llama"
	"aigw/internal/testmodel"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// The plan is what loading then takes: llama.cpp's own count afterwards, within 5 %, for plain and
// sliding-window models, with and without repacked weights, and for other settings.
func TestMemoryPlanIsWhatLoadingTakes(t *testing.T) {
	repacked := filepath.Join(t.TempDir(), "q4_0.gguf")
	if err := llama.Init(llama.InitOptions{Logger: quiet()}); err != nil {
		t.Fatal(err)
	}
	if err := llama.Quantize(testmodel.Path(t), repacked, llama.FileQ4_0, 2); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"real":           {Model: testmodel.Path(t)},
		"repacked":       {Model: repacked, Context: 2048},
		"small":          {Model: testmodel.Path(t), Context: 1024, Parallel: 1, Batch: 64},
		"8-bit cache":    {Model: testmodel.Path(t), CacheTypeK: "q8_0", CacheTypeV: "q8_0"},
		"no flash":       {Model: testmodel.Path(t), FlashAttention: "off"},
		"sliding window": {Model: testmodel.Tiny(t, testmodel.SlidingWindow)},
		"recurrent":      {Model: testmodel.Tiny(t, testmodel.Recurrent)},
	} {
		t.Run(name, func(t *testing.T) {
			o.Logger, o.Threads = quiet(), 1
			p, err := PlanMemory(o)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Load(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			got := e.Plan()
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				what         string
				plan, loaded uint64
			}{
				{"weights", p.Weights + p.Repacked, got.WeightBytes},
				{"cache", p.Cache, got.CacheBytes},
				{"compute", p.Compute, got.ComputeBytes},
			} {
				if diff := float64(c.plan) - float64(c.loaded); diff > 0.05*float64(c.loaded) || diff < -0.05*float64(c.loaded) {
					t.Errorf("%s: planned %d, loaded %d", c.what, c.plan, c.loaded)
				}
			}
			if name == "repacked" && llamaRepacks() && p.Repacked == 0 {
				t.Error("this CPU repacks Q4_0, and the plan does not know")
			}
			if p.Needed() > p.Total() || p.Outputs == 0 || p.Vocabulary == 0 {
				t.Errorf("%+v", p)
			}
		})
	}
}

// llamaRepacks reports whether ggml has a faster order of 4-bit weights for this CPU.
func llamaRepacks() bool {
	for _, f := range llama.Info().CPUFeatures {
		if f == "AVX2" {
			return true
		}
	}
	return false
}

// A context made to plan does nothing else: its buffers are empty.
func TestPlannedModelDoesNotCompute(t *testing.T) {
	if err := llama.Init(llama.InitOptions{Logger: quiet()}); err != nil {
		t.Fatal(err)
	}
	m, err := llama.LoadModel(testmodel.Tiny(t, testmodel.Plain), llama.ModelOptions{PlanOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := m.NewContext(llama.ContextOptions{Context: 256})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for what, err := range map[string]error{
		"step":  c.Step(&llama.Step{Tokens: []llama.Token{1}, Pos: []llama.Pos{0}, Seqs: []llama.SeqID{0}, Outputs: []bool{true}}),
		"clear": c.ClearAll(),
	} {
		if err == nil {
			t.Errorf("%s was done without weights", what)
		}
	}
}
