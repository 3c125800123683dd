package models

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aigw/models/gguf/gguftest"
)

// TestTablesAgreeWithLlamaCpp compares the lists of this package with the pinned sources, so
// that a new release with new names fails here.
func TestTablesAgreeWithLlamaCpp(t *testing.T) {
	for _, tt := range []struct {
		name, file, from, to, pattern string
		table                         map[string]bool
	}{
		{"pre-tokenizers", "llama-vocab.cpp", "// for now, only BPE models have pre-tokenizers", "unknown pre-tokenizer type",
			`tokenizer_pre == "([^"]+)"`, preTokenizers},
		{"architectures", "llama-arch.cpp", "LLM_ARCH_NAMES = {", "LLM_KV_NAMES", `\{\s*LLM_ARCH_\w+,\s*"([^"(]+)"`, architectures},
	} {
		data, err := os.ReadFile(filepath.Join(gguftest.LlamaSources(t), "src", tt.file))
		if err != nil {
			t.Fatal(err)
		}
		_, source, found := strings.Cut(string(data), tt.from)
		source, _, closed := strings.Cut(source, tt.to)
		if !found || !closed {
			t.Fatalf("%s: %s does not look as it did", tt.name, tt.file)
		}
		known := map[string]bool{}
		for _, m := range regexp.MustCompile(tt.pattern).FindAllStringSubmatch(source, -1) {
			known[m[1]] = true
		}
		if !maps.Equal(known, tt.table) {
			t.Errorf("%s: llama.cpp knows %v, this package %v", tt.name,
				slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(tt.table)))
		}
	}
	for name := range notGenerative {
		if !architectures[name] {
			t.Errorf("%q is no architecture", name)
		}
	}
}

// TestLimitsAgreeWithLlamaCpp reads the limits that check_network.go repeats.
func TestLimitsAgreeWithLlamaCpp(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(gguftest.LlamaSources(t), "src", "llama-hparams.h"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"#define LLAMA_MAX_LAYERS  512\n", "#define LLAMA_MAX_EXPERTS 1024 "} {
		if !strings.Contains(string(data), want) {
			t.Errorf("llama-hparams.h no longer has %q", want)
		}
	}
}
