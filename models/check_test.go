package models

import (
	"errors"
	"math"
	"strings"
	"testing"

	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

func spm() *gguftest.Vocabulary { return gguftest.SentencePiece("▁", "a", "b", "▁a", "ab") }

func bpe() *gguftest.Vocabulary {
	return gguftest.ByteLevelBPE("qwen2", []string{"<|endoftext|>"}, "a b", "Ġ a")
}

func TestCheckAccepts(t *testing.T) {
	for name, b := range map[string]*gguftest.Builder{
		"sentencepiece": gguftest.Model(spm(), gguftest.Network{}),
		"bpe":           gguftest.Model(bpe(), gguftest.Network{}),
		"experts": gguftest.Model(spm(), gguftest.Network{}).
			Set("llama.expert_count", uint32(8)).Set("llama.expert_used_count", uint32(2)),
		"experts by layer": gguftest.Model(spm(), gguftest.Network{}).
			Set("llama.expert_count", uint32(8)).Set("llama.expert_used_count", []uint32{2, 1}),
		"dense hunyuan": gguftest.Model(bpe(), gguftest.Network{Architecture: "hunyuan-dense"}).
			Set("hunyuan-dense.expert_count", uint32(1)).Set("hunyuan-dense.expert_used_count", uint32(1)),
		"one empty piece": gguftest.Model(withPiece(""), gguftest.Network{}),
	} {
		if err := Check(b.File(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func withPiece(text string) *gguftest.Vocabulary {
	v := spm()
	v.Add(text, gguftest.Normal, -9)
	return v
}

func change(v *gguftest.Vocabulary, how func(*gguftest.Vocabulary)) *gguftest.Vocabulary {
	how(v)
	return v
}

func TestCheckRefuses(t *testing.T) {
	model := func(v *gguftest.Vocabulary) *gguftest.Builder { return gguftest.Model(v, gguftest.Network{}) }
	for _, tt := range []struct {
		name string
		b    *gguftest.Builder
		want string
	}{
		{"adapter", model(spm()).Set("general.type", "adapter"), `general.type is "adapter": this is a LoRA adapter`},
		{"projector", model(spm()).Set("general.type", "mmproj"), "image part"},
		{"imatrix", model(spm()).Set("general.type", "imatrix"), "table for quantising"},
		{"no architecture", model(spm()).Remove("general.architecture"), "general.architecture is missing"},
		{"architecture is a number", model(spm()).Set("general.architecture", uint32(1)), "general.architecture is missing"},
		{"unknown architecture", model(spm()).Set("general.architecture", "llama9"), `is "llama9", which is unknown; the model is newer than this engine`},
		{"encoder", model(spm()).Set("general.architecture", "nomic-bert"), "an encoder"},
		{"encoder-decoder", model(spm()).Set("general.architecture", "t5"), "an encoder-decoder"},
		{"diffusion", model(spm()).Set("general.architecture", "llada"), "a diffusion model"},
		{"not causal", model(spm()).Set("llama.attention.causal", false), "llama.attention.causal is false"},

		{"no tokenizer", model(spm()).Remove("tokenizer.ggml.model"), "the file has no vocabulary"},
		{"no vocabulary", model(spm()).Set("tokenizer.ggml.model", "no_vocab"), `tokenizer.ggml.model is "no_vocab"`},
		{"unknown tokenizer", model(spm()).Set("tokenizer.ggml.model", "telepathy"), `tokenizer.ggml.model is "telepathy", which is unknown`},
		{"no tokens", model(spm()).Remove("tokenizer.ggml.tokens"), "tokenizer.ggml.tokens is missing"},
		{"tokens are numbers", model(spm()).Set("tokenizer.ggml.tokens", []int32{1}), "tokenizer.ggml.tokens is missing or no list of texts"},
		{"no pieces", model(spm()).Set("tokenizer.ggml.tokens", []string{}), "tokenizer.ggml.tokens is missing or no list of texts"},
		{"too many pieces", model(spm()).Set("tokenizer.ggml.tokens", make([]string, maxPieces+1)), "tokenizer.ggml.tokens has 1048577 pieces, the limit is 1048576"},
		{"types short", model(spm()).Set("tokenizer.ggml.token_type", []int32{1, 1}), "tokenizer.ggml.token_type has 2 entries for the 264 pieces"},
		{"types are floats", model(spm()).Set("tokenizer.ggml.token_type", []float32{1}), "is a list of f32"},
		{"types are a number", model(spm()).Set("tokenizer.ggml.token_type", uint32(3)), "tokenizer.ggml.token_type is no list"},
		{"duplicate", model(withPiece("ab")), `has a duplicate token: "ab" has the ids 263 and 264`},
		{"duplicate behind a zero byte", model(withPiece("ab\x00c")), `has a duplicate token: "ab" has the ids 263 and 264`},
		{"duplicate of an empty piece", model(change(withPiece(""), func(v *gguftest.Vocabulary) { v.Add("[EMPTY_264]", 1, 0) })), `"[EMPTY_264]" has the ids 264 and 265`},

		{"no scores", model(spm()).Remove("tokenizer.ggml.scores"), "tokenizer.ggml.scores is missing"},
		{"scores short", model(spm()).Set("tokenizer.ggml.scores", []float32{1, 2, 3}), "tokenizer.ggml.scores has 3 entries for the 264 pieces of tokenizer.ggml.tokens"},
		{"scores are texts", model(spm()).Set("tokenizer.ggml.scores", []string{"a"}), "is a list of string"},
		{"score is no number", model(change(spm(), func(v *gguftest.Vocabulary) { v.Scores[260] = float32(math.NaN()) })), `has no number for piece 260 ("a")`},
		{"scores all equal", model(change(spm().Fill(1000), func(v *gguftest.Vocabulary) { v.Scores = make([]float32, 1000) })), "tokenizer.ggml.scores are all 0"},

		{"no merges", model(bpe()).Remove("tokenizer.ggml.merges"), "tokenizer.ggml.merges is missing"},
		{"merges are numbers", model(bpe()).Set("tokenizer.ggml.merges", []int32{1}), "tokenizer.ggml.merges is a list of i32"},
		{"unknown pre-tokenizer", model(bpe()).Set("tokenizer.ggml.pre", "qwen9"), `tokenizer.ggml.pre is "qwen9", which is unknown; the model is newer than this engine`},

		{"vocabulary only", spm().Apply((&gguftest.Builder{}).Set("general.architecture", "llama")), "holds a vocabulary, but no weights"},
		{"no layers", model(spm()).Set("llama.block_count", uint32(0)), "llama.block_count is 0, it must be a positive number"},
		{"no layer count", model(spm()).Remove("llama.block_count"), "llama.block_count is missing"},
		{"too many layers", model(spm()).Set("llama.block_count", uint32(513)), "llama.block_count is 513, llama.cpp takes up to 512"},
		{"no context", model(spm()).Remove("llama.context_length"), "llama.context_length is missing"},
		{"extra layers", model(spm()).Set("llama.nextn_predict_layers", uint32(3)), "llama.nextn_predict_layers is 3, the model has 2 layers"},
		{"too many experts", model(spm()).Set("llama.expert_count", uint32(2000)), "llama.expert_count is 2000"},
		{"no expert used", model(spm()).Set("llama.expert_count", uint32(8)), "llama.expert_used_count is 0 of 8 experts"},
		{"more experts used", model(spm()).Set("llama.expert_count", uint32(8)).Set("llama.expert_used_count", []int32{2, 9}), "llama.expert_used_count is 9 of 8 experts"},
		{"experts for other layers", model(spm()).Set("llama.expert_count", uint32(8)).Set("llama.expert_used_count", []int32{2}), "llama.expert_used_count has 1 entries for 2 layers"},
		{"experts one by one", model(spm()).Set("llama.expert_count", uint32(8)).Set("llama.expert_used_count", uint32(2)).Tensor("blk.0.ffn_gate.0.weight", gguf.F32, nil, 8, 8), "blk.0.ffn_gate.0.weight is one expert by itself"},
		{"expert groups", model(spm()).Set("llama.expert_count", uint32(8)).Set("llama.expert_used_count", uint32(2)).Set("llama.expert_group_count", uint32(3)), "is 3 groups, of which 0 are used, for 8 experts"},
		{"rope scaling", model(spm()).Set("llama.rope.scaling.type", "rubber"), `llama.rope.scaling.type is "rubber"`},
		{"rows", model(spm()).Set("tokenizer.ggml.tokens", spm().Pieces[:263]), "token_embd.weight has 264 rows for the 263 pieces"},
		{"width", model(spm()).Set("llama.embedding_length", uint32(64)), "token_embd.weight has rows of 32 numbers, llama.embedding_length is 64"},
		{"no embedding", spm().Apply((&gguftest.Builder{}).Set("general.architecture", "llama")).
			Set("llama.block_count", uint32(1)).Set("llama.context_length", uint32(1)).Set("llama.embedding_length", uint32(1)).
			Tensor("output.weight", gguf.F32, nil, 1), "token_embd.weight is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(tt.b.File(t))
			var r *Refusal
			if !errors.As(err, &r) {
				t.Fatalf("error %v, want a *Refusal", err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "built: ") || !strings.Contains(text, tt.want) || strings.Contains(text, "\n") || r.Do == "" {
				t.Errorf("error %q, want %q and what to do", text, tt.want)
			}
		})
	}
}

// TestCheckVocabularyAlone accepts files without weights, as llama.cpp's tests have them.
func TestCheckVocabularyAlone(t *testing.T) {
	for _, path := range vocabularies(t) {
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckVocabulary(f); err != nil {
			t.Error(err)
		}
		if err := Check(f); err == nil {
			t.Errorf("%s has no weights and was accepted", path)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
