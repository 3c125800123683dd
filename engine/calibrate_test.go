package engine

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

// A setting that is fast with an empty cache may lose with a full one.
func TestTheObjectiveCountsFullCaches(t *testing.T) {
	ms := time.Millisecond
	empty := costs{prompt: 100 * ms, one: 10 * ms, several: 40 * ms}
	flat := objective(empty, empty, 1000, 8000)
	if want := 100*ms + calibrationOutput*25*ms; flat != want {
		t.Errorf("%s where cells cost nothing, want %s", flat, want)
	}
	steep := objective(empty, costs{prompt: 110 * ms, one: 12 * ms, several: 48 * ms}, 1000, 8000)
	// On average 43.75 % of 8000 cells are in use, 3.5 times the depth that was measured.
	if want := flat + 35*ms + calibrationOutput*(7*ms+28*ms)/2; steep != want {
		t.Errorf("%s where cells cost something, want %s", steep, want)
	}
	if got := objective(costs{prompt: 100 * ms}, costs{prompt: 90 * ms}, 10, 8000); got != 100*ms {
		t.Errorf("%s, where a disturbed measurement would have time run backwards", got)
	}
}

func TestTheFastestSettingIsChosenIfItIsWorthIt(t *testing.T) {
	a, b, c := setting{"on", "f16", 4}, setting{"off", "f16", 4}, setting{"on", "f16", 2}
	for name, tt := range map[string]struct {
		results []result
		want    setting
	}{
		"default is best":     {[]result{{a, 100, ""}, {b, 120, ""}}, a},
		"nearly equal":        {[]result{{a, 100, ""}, {b, 97, ""}}, a},
		"another":             {[]result{{a, 100, ""}, {b, 80, ""}, {c, 90, ""}}, b},
		"the last":            {[]result{{a, 100, ""}, {b, 80, ""}, {c, 79, ""}}, c},
		"default is refused":  {[]result{{a, 0, "no"}, {b, 80, ""}}, b},
		"another is refused":  {[]result{{a, 100, ""}, {b, 0, "no"}}, a},
		"everything refused":  {[]result{{a, 0, "no"}, {b, 0, "no"}}, a},
		"others not measured": {[]result{{a, 100, ""}}, a},
	} {
		if got := choose(tt.results); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Settings are measured once for a model and machine; what the operator pinned is not touched.
func TestCalibration(t *testing.T) {
	dir := t.TempDir()
	model := testmodel.Tiny(t, testmodel.Plain)
	load := func(o Options) *Calibration {
		t.Helper()
		o.Model, o.Context, o.Logger, o.calibrationTime = model, 512, slog.New(slog.DiscardHandler), time.Hour
		o.Parallel, o.Threads = 2, testThreads
		e, err := Load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if _, err := e.Generate(t.Context(), Request{Prompt: windowPrompts()[0], MaxTokens: 2}, discard); err != nil {
			t.Fatal(err)
		}
		p := e.Plan()
		if c := p.Calibration; c != nil && (p.FlashAttention != c.Chosen.FlashAttention || p.CacheTypeK != c.Chosen.CacheTypeK || p.Threads != c.Chosen.Threads) {
			t.Errorf("runs with flash attention %s, keys in %s, %d threads; chosen was %v", p.FlashAttention, p.CacheTypeK, p.Threads, c.Chosen)
		}
		return p.Calibration
	}
	first := load(Options{CalibrationDir: dir})
	if first == nil || len(first.Results) < 2 || first.Results[0].Suggestion <= 0 || first.Machine == "" || first.Build == "" {
		t.Fatalf("%+v", first)
	}
	if again := load(Options{CalibrationDir: dir}); !again.When.Equal(first.When) || again.String() != first.String() {
		t.Errorf("measured again: %v", again)
	}
	// What is not a possible result is measured again.
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	for _, damage := range []string{"", "{", `{"chosen":{"flash_attention":"maybe","cache_type_k":"f16","threads":1}}`} {
		if err := os.WriteFile(files[0], []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if c := load(Options{CalibrationDir: dir}); c == nil || len(c.Results) < 2 {
			t.Errorf("damaged by %q: %+v", damage, c)
		}
	}
	keys := load(Options{CalibrationDir: dir, CacheTypeK: "auto", FlashAttention: "off"})
	if keys == nil || keys.file == first.file || keys.Results[1].CacheTypeK != "q8_0" || keys.Results[1].FlashAttention != "off" {
		t.Errorf("keys left open: %+v", keys)
	}
	if c := load(Options{CalibrationDir: dir, FlashAttention: "off", Threads: 1}); c != nil {
		t.Errorf("everything pinned, and yet measured: %v", c)
	}
	if c := load(Options{CacheTypeK: "auto"}); c != nil {
		t.Errorf("measured without a place to keep it: %v", c)
	}
	unwritable := filepath.Join(files[0], "below a file")
	if c := load(Options{CalibrationDir: unwritable}); c == nil {
		t.Error("a folder that cannot be written keeps the settings from being measured")
	}
}
