package llama

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUsableVariants(t *testing.T) {
	v := func(name string, score int, fault string) Variant {
		return Variant{Name: name, Score: score, Fault: fault, File: filepath.Join("/lib", name)}
	}
	untried := func(name string) Variant {
		u := v(name, 0, "no process to try it in: exec format error")
		u.untried = true
		return u
	}
	for name, c := range map[string]struct {
		variants []Variant
		files    []string
		problem  string
	}{
		"best first, without those that fail": {
			variants: []Variant{v("sapphirerapids", 0, "SIGILL"), v("zen4", 900, ""), v("haswell", 100, ""), v("cooperlake", 0, "")},
			files:    []string{"/lib/zen4", "/lib/haswell"},
		},
		"no process can be started": {
			variants: []Variant{untried("armv8.6_1"), untried("armv8.0_1"), untried("armv8.2_1")},
			files:    []string{"/lib/armv8.0_1"},
		},
		"some cannot be tried": {
			variants: []Variant{untried("armv8.2_1"), untried("armv8.0_1"), v("armv8.6_1", 30, "")},
			files:    []string{"/lib/armv8.6_1"},
		},
		"no process, and none for every CPU": {
			variants: []Variant{untried("haswell"), untried("zen4")},
			problem:  "exec format error",
		},
		"all fail":            {variants: []Variant{v("x64", 1, "the product is wrong"), v("zen4", 0, "SIGILL")}, problem: "the product is wrong"},
		"all for another CPU": {variants: []Variant{v("zen4", 0, ""), v("haswell", 0, "")}, problem: "without a variant that every CPU runs"},
		"a plain one that fails is not taken for untried": {variants: []Variant{v("x64", 0, "SIGILL"), untried("zen4")}, problem: "SIGILL"},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := usable(c.variants, "/lib", slog.New(slog.DiscardHandler))
			if !slices.Equal(files, c.files) {
				t.Errorf("usable: %v, want %v", files, c.files)
			}
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("usable: %v, want an error with %q", err, c.problem)
			}
		})
	}
}

// What was found out about CPU variants is kept where it is asked for again; of many answers the oldest go, and nothing else does.
func TestMemoryOfVariantsIsBounded(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "libggml-cpu-x64.so")
	found := []Variant{{Name: "x64", Score: 1, File: lib}}
	long := time.Now().Add(-time.Hour)
	put := func(name string, age int) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("[]"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, long.Add(-time.Duration(age)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	put("libggml-cpu-x64.so", 1000)
	put("calibration.json", 1000)
	for i := range mostMemories + 3 {
		put(fmt.Sprintf("cpu-variants-%02d.json", i), i)
	}
	m := memory(filepath.Join(dir, "cpu-variants-new.json"))
	m.write(found)
	if got, ok := m.read(); !ok || !slices.Equal(got, found) {
		t.Errorf("read %v %v", got, ok)
	}
	var names []string
	for i := range mostMemories - 1 {
		names = append(names, fmt.Sprintf("cpu-variants-%02d.json", i))
	}
	names = append(names, "cpu-variants-new.json", "calibration.json", "libggml-cpu-x64.so")
	slices.Sort(names)
	var left []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if !slices.Equal(left, names) {
		t.Errorf("left: %v, want %v", left, names)
	}
}
