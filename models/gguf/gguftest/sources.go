package gguftest

import (
	"os"
	"path/filepath"
	"testing"
)

// Repository returns the root of this repository: the folder above the test that has go.mod.
func Repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("gguftest: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("gguftest: no go.mod above the working directory")
		}
		dir = parent
	}
}

// LlamaSources returns the folder of the pinned llama.cpp sources, which are fetched if need
// be. Tests compare this program's tables with them and take real vocabularies from them.
func LlamaSources(t testing.TB) string {
	t.Helper()
	return script(t, &llamaFolder, "third_party", "llama.cpp", "fetch.sh")
}
