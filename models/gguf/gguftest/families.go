package gguftest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The vocabularies of real model families, put together at test time: nothing binary is kept in
// this repository. They come from llama.cpp's own test data, from mistral-common and from the
// small model of the tests. Where no real vocabulary is at hand, a stand-in has the family's
// special pieces at their real ids and real pieces of another family for text.

// LlamaVocabulary returns one of the vocabularies in llama.cpp's models folder, by name.
func LlamaVocabulary(t testing.TB, name string) *Vocabulary {
	t.Helper()
	return FromFile(t, filepath.Join(LlamaSources(t), "models", "ggml-vocab-"+name+".gguf"))
}

// Llama2 is the vocabulary of Llama 2, and of the Code Llamas without fill-in pieces.
func Llama2(t testing.TB) *Vocabulary {
	t.Helper()
	return LlamaVocabulary(t, "llama-spm").Set("tokenizer.ggml.add_bos_token", true)
}

// CodeLlama is the vocabulary of Code Llama 7b and 13b: that of Llama 2 with the sixteen pieces
// that its authors added. Their scores are not published; here they merge before all others, so
// that the text " <PRE>" becomes the marker, as it does with the real ones.
func CodeLlama(t testing.TB) *Vocabulary {
	t.Helper()
	v := Llama2(t)
	for _, text := range []string{"▁<SU", "▁<SUF", "▁<PRE", "▁<M", "▁<MID", "▁<E", "▁<EOT"} {
		v.Add(text, Normal, 0)
	}
	for _, text := range []string{"▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"} {
		v.Add(text, Control, 0)
	}
	for n := 2; n <= 6; n++ {
		v.Add("▁"+strings.Repeat("<EOT>", n), Normal, 0)
	}
	return v
}

// Mistral is a SentencePiece vocabulary of Mistral AI: version 1 (7B v0.1, v0.2, Mixtral 8x7B),
// 2, or 3 (7B v0.3, Mixtral 8x22B, Codestral).
func Mistral(t testing.TB, version int) *Vocabulary {
	t.Helper()
	folder := script(t, &mistralFolder, "models", "testdata", "fetch-tokenizers.sh")
	data, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("v%d.model", version)))
	if err != nil {
		t.Fatalf("gguftest: %v", err)
	}
	return FromSentencePiece(t, data).
		Set("tokenizer.ggml.bos_token_id", uint32(1)).
		Set("tokenizer.ggml.eos_token_id", uint32(2)).
		Set("tokenizer.ggml.unknown_token_id", uint32(0)).
		Set("tokenizer.ggml.add_bos_token", true)
}

// DeepSeekCoder is the vocabulary of DeepSeek Coder, base and instruct.
func DeepSeekCoder(t testing.TB) *Vocabulary {
	t.Helper()
	return LlamaVocabulary(t, "deepseek-coder")
}

// StarCoder2 is the vocabulary of StarCoder2.
func StarCoder2(t testing.TB) *Vocabulary {
	t.Helper()
	return LlamaVocabulary(t, "starcoder")
}

// Llama3 is the vocabulary of Llama 3.
func Llama3(t testing.TB) *Vocabulary {
	t.Helper()
	return LlamaVocabulary(t, "llama-bpe")
}

// QwenCoder is the vocabulary of Qwen2.5-Coder: that of Qwen2 with the pieces that were added
// behind <|im_end|>.
func QwenCoder(t testing.TB) *Vocabulary {
	t.Helper()
	v := LlamaVocabulary(t, "qwen2")
	for i, text := range []string{
		"<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>",
		"<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>",
		"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
	} {
		typ := Control
		if strings.Contains(text, "tool_call") {
			typ = UserDefined
		}
		v.Replace(151646+i, text, typ)
	}
	return v.Set("tokenizer.ggml.add_bos_token", false)
}

// SmolLM2 is the vocabulary of the small model of the tests.
func SmolLM2(t testing.TB) *Vocabulary {
	t.Helper()
	return FromFile(t, script(t, &smolModel, "third_party", "smollm2", "fetch.sh"))
}

// Gemma is a stand-in for the vocabulary of Gemma 1 and 2: the special pieces, runs of line ends
// and spaces, HTML tags and byte pieces at their real ids, then the pieces of Llama 2 for text.
// Turns begin with piece 106; in Gemma 3 with piece 105.
func Gemma(t testing.TB, turn int) *Vocabulary {
	t.Helper()
	llama := Llama2(t)
	v := &Vocabulary{Model: "llama", Pre: "default", Scores: []float32{}}
	for _, text := range []string{"<pad>", "<eos>", "<bos>"} {
		v.Add(text, Control, 0)
	}
	v.Add("<unk>", Unknown, 0)
	for _, text := range []string{"<mask>", "<2mass>", "[@BOS@]"} {
		v.Add(text, UserDefined, 0)
	}
	for len(v.Pieces) < 108 {
		v.Add(fmt.Sprintf("<unused%d>", len(v.Pieces)-7), Control, 0)
	}
	v.Replace(turn, "<start_of_turn>", Control)
	v.Replace(turn+1, "<end_of_turn>", Control)
	for n := 1; n <= 31; n++ {
		v.Add(strings.Repeat("\n", n), UserDefined, 0)
	}
	for n := 2; n <= 31; n++ {
		v.Add(strings.Repeat(" ", n), UserDefined, 0) // converters write user-defined pieces with real spaces
	}
	for len(v.Pieces) < 217 {
		v.Add(fmt.Sprintf("<tag%d>", len(v.Pieces)), UserDefined, 0)
	}
	v.Replace(213, "</s>", UserDefined)
	for i := range 256 {
		v.Add(fmt.Sprintf("<0x%02X>", i), Byte, 0)
	}
	have := map[string]bool{}
	for _, p := range v.Pieces {
		have[strings.ReplaceAll(p, " ", "▁")] = true
	}
	for i, p := range llama.Pieces {
		if llama.Types[i] == Normal && !have[p] {
			v.Add(p, Normal, llama.Scores[i])
		}
	}
	return v.
		Set("tokenizer.ggml.bos_token_id", uint32(2)).
		Set("tokenizer.ggml.eos_token_id", uint32(1)).
		Set("tokenizer.ggml.unknown_token_id", uint32(3)).
		Set("tokenizer.ggml.add_bos_token", true).
		Set("tokenizer.ggml.add_space_prefix", false)
}

// CodeGemma is Gemma with the fill-in pieces at their real ids.
func CodeGemma(t testing.TB) *Vocabulary {
	t.Helper()
	v := Gemma(t, 106)
	for i, text := range []string{"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|file_separator|>"} {
		v.Replace(67+i, text, Control)
	}
	return v
}

var (
	scripts       sync.Mutex
	llamaFolder   string
	mistralFolder string
	smolModel     string
)

// script runs a script of this repository once and returns what it prints.
func script(t testing.TB, result *string, path ...string) string {
	t.Helper()
	scripts.Lock()
	defer scripts.Unlock()
	if *result == "" {
		name := filepath.Join(append([]string{Repository(t)}, path...)...)
		cmd := exec.Command(name)
		cmd.Stderr = os.Stderr
		cmd.Env = append(os.Environ(), "MODEL=") // a model of the user's own is not the one of the tests
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gguftest: %s: %v", name, err)
		}
		*result = strings.TrimSpace(string(out))
	}
	return *result
}
