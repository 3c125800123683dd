package models_test

import (
	"testing"

	"aigw/engine/llama"
	"aigw/models"
	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

// TestTinyModelsRun decodes with files from gguftest: llama.cpp loads what Check accepts.
func TestTinyModelsRun(t *testing.T) {
	if err := llama.Init(llama.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	split := gguftest.Model(gguftest.SentencePiece("▁", "a", "b", "▁a"), gguftest.Network{Seed: 3})
	for name, path := range map[string]string{
		"sentencepiece": gguftest.Model(gguftest.SentencePiece("▁", "a", "b", "▁a"), gguftest.Network{}).WriteFile(t, t.TempDir(), "m.gguf"),
		"byte-level": gguftest.Model(gguftest.ByteLevelBPE("qwen2", []string{"<|endoftext|>"}, "a b", "Ġ a"), gguftest.Network{Layers: 3, Embedding: 64, Heads: 8, HeadsKV: 2, Seed: 7}).
			WriteFile(t, t.TempDir(), "m.gguf"),
		"a real vocabulary": gguftest.Model(gguftest.Mistral(t, 3), gguftest.Network{Embedding: 16, Heads: 2}).WriteFile(t, t.TempDir(), "m.gguf"),
		"another alignment": aligned(64).WriteFile(t, t.TempDir(), "m.gguf"),
		"the page size":     aligned(4096).WriteFile(t, t.TempDir(), "m.gguf"),
		"version 2":         old().WriteFile(t, t.TempDir(), "m.gguf"),
		"a split set":       split.WriteSplit(t, t.TempDir(), "m", 3)[0],
	} {
		t.Run(name, func(t *testing.T) {
			file, err := gguf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := models.Check(file); err != nil {
				t.Fatal(err)
			}
			first, second := decode(t, path), decode(t, path)
			if len(first) != 4 {
				t.Fatalf("decoded %v", first)
			}
			for i := range first {
				if first[i] != second[i] {
					t.Errorf("decoded %v, then %v", first, second)
				}
			}
		})
	}
}

func aligned(alignment uint32) *gguftest.Builder {
	b := gguftest.Model(gguftest.SentencePiece("▁", "a", "b", "▁a"), gguftest.Network{})
	b.Alignment = alignment
	return b
}

func old() *gguftest.Builder {
	b := aligned(0)
	b.Version = 2
	return b
}

// decode loads a file and continues a text greedily by four tokens.
func decode(t *testing.T, path string) []llama.Token {
	t.Helper()
	m, err := llama.LoadModel(path, llama.ModelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := m.NewContext(llama.ContextOptions{Context: 256, Batch: 64, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sampler, err := llama.NewSampler(m.Vocab(), llama.SamplerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Close()
	tokens, err := m.Vocab().Tokenize("ab a", false, false)
	if err != nil || len(tokens) == 0 {
		t.Fatalf("tokenized to %v, %v", tokens, err)
	}
	var out []llama.Token
	for at := 0; len(out) < 4; {
		s := llama.Step{Tokens: tokens, Rows: []llama.Row{{Batch: int32(len(tokens) - 1), Sampler: sampler}}}
		for i := range tokens {
			s.Pos = append(s.Pos, llama.Pos(at+i))
			s.Seqs = append(s.Seqs, 0)
			s.Outputs = append(s.Outputs, i == len(tokens)-1)
		}
		if err := c.Step(&s); err != nil {
			t.Fatal(err)
		}
		at += len(tokens)
		out = append(out, s.Sampled[0])
		tokens = []llama.Token{s.Sampled[0]}
	}
	return out
}
