package llama

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
