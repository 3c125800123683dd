package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"aigw/engine"
)

func TestSummariesFit(t *testing.T) {
	long := "q8_0 keys: 123 ms a suggestion; f16 keys, no flash attention: 140 ms a suggestion; half the threads: too slow to be measured; and so on"
	for name, text := range map[string]string{
		"short":   folded("  people  ", "8 at once"),
		"long":    folded("  chosen  ", long),
		"a word":  folded("", strings.Repeat("x", 200)),
		"no head": folded("", "name: "+long),
	} {
		for line := range strings.Lines(text) {
			if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > summaryColumns {
				t.Errorf("%s: %d columns: %q", name, n, line)
			}
		}
		if strings.Join(strings.Fields(text), "") == "" {
			t.Errorf("%s: nothing is left", name)
		}
	}
	if got, want := folded("  people  ", "8 at once"), "  people  8 at once\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	lines := strings.Split(folded("  chosen  ", long), "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[1], "          ") || lines[1][10] == ' ' {
		t.Errorf("%q", lines)
	}
}

// The table of memory fits for any name and for terabytes.
func TestTheTableOfMemoryFits(t *testing.T) {
	const much = 999_999 << 20
	plan := &engine.MemoryPlan{Weights: 22 << 30, Repacked: 22 << 30, Cache: much, Compute: 9999 << 20, Outputs: 999 << 20, Vocabulary: 99 << 20,
		GPUs: []engine.GPUPlan{{Name: "NVIDIA H200 with a long name", Weights: 22 << 30, Cache: much / 2, Compute: 9999 << 20, Free: 143_000 << 20}}}
	var out bytes.Buffer
	if err := printMemory(&out, []string{"codestral-22b-v0.1.Q4_K_M-and-something", "b"}, []*engine.MemoryPlan{plan, plan}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > summaryColumns {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if !strings.Contains(out.String(), "codestral-") || !strings.Contains(out.String(), "at least") {
		t.Error(out.String())
	}
}
