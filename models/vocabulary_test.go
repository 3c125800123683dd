package models

import (
	"path/filepath"
	"testing"

	"aigw/models/gguf/gguftest"
)

// vocabularies returns the real vocabularies that llama.cpp carries for its own tests.
func vocabularies(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(gguftest.LlamaSources(t), "models", "ggml-vocab-*.gguf"))
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d vocabularies found, %v", len(paths), err)
	}
	return paths
}

func TestVocabularyFind(t *testing.T) {
	f := gguftest.Model(spm(), gguftest.Network{}).File(t)
	v, err := readVocabulary(f)
	if err != nil {
		t.Fatal(err)
	}
	got := v.find("<s>", "ab", "absent")
	if len(got) != 2 || got["<s>"] != 1 || got["ab"] != 263 {
		t.Errorf("found %v", got)
	}
	if v.piece(263) != "ab" || v.piece(-1) != "" || v.piece(264) != "" {
		t.Error("piece by id")
	}
	if v.typeOf(1) != pieceControl || v.typeOf(263) != pieceNormal {
		t.Error("type by id")
	}
}
