package testmodel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Kind is an architecture of which Tiny makes a model.
type Kind string

// Kinds of models, each for something that the real test model does not have.
const (
	Plain            Kind = "llama"
	SlidingWindow    Kind = "gemma2" // every other layer sees the last TinyWindow tokens
	LearnedPositions Kind = "gpt2"   // a table of TinyContext positions
	Recurrent        Kind = "mamba"  // a state instead of cells
	Encoder          Kind = "bert"   // no memory; one embedding for a text
	NoVocabulary     Kind = "llama without a vocabulary"
	Mixture          Kind = "llama of experts" // as Mixtral: of tinyExperts each token uses two
)

// Sizes of tiny models. Token b stands for byte b, and token TinyVocab-1 ends a text.
const (
	TinyVocab   = 257
	TinyContext = 256 // trained context
	TinyWindow  = 32
	TinyLayers  = 4
	TinyHeads   = 4

	tinyEmbedding   = 64
	tinyFeedForward = 128
	tinyExperts     = 8
)

// Tiny writes a model with random weights, the same at each call, and returns its path. What it
// says means nothing, but it says the same whenever it is computed right, in well under a
// millisecond for a token.
func Tiny(t testing.TB, kind Kind) string {
	t.Helper()
	w := &ggufWriter{random: rand.New(rand.NewPCG(1, 1))}
	w.model(kind)
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := os.WriteFile(path, w.bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ggufWriter collects a file in GGUF format version 3 (ggml/docs/gguf.md of llama.cpp).
type ggufWriter struct {
	random           *rand.Rand
	meta, infos      bytes.Buffer
	data             bytes.Buffer
	entries, tensors uint64
}

// Value types of GGUF.
const (
	ggufUint32  = 4
	ggufInt32   = 5
	ggufFloat32 = 6
	ggufBool    = 7
	ggufString  = 8
	ggufArray   = 9
)

func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			put(b, uint64(len(v)))
			b.WriteString(v)
		default:
			_ = binary.Write(b, binary.LittleEndian, v) // a bytes.Buffer takes everything
		}
	}
}

func (w *ggufWriter) set(key string, value any) {
	w.entries++
	put(&w.meta, key)
	switch v := value.(type) {
	case int:
		put(&w.meta, uint32(ggufUint32), uint32(v))
	case float64:
		put(&w.meta, uint32(ggufFloat32), float32(v))
	case bool:
		put(&w.meta, uint32(ggufBool), v)
	case string:
		put(&w.meta, uint32(ggufString), v)
	case []string:
		put(&w.meta, uint32(ggufArray), uint32(ggufString), uint64(len(v)))
		for _, s := range v {
			put(&w.meta, s)
		}
	case []int32:
		put(&w.meta, uint32(ggufArray), uint32(ggufInt32), uint64(len(v)), v)
	default:
		panic(fmt.Sprintf("no GGUF type for %T", value))
	}
}

// tensor adds 32-bit numbers around mean; the first dimension is that of a row.
func (w *ggufWriter) tensor(name string, mean, deviation float64, dims ...int) {
	w.tensors++
	put(&w.infos, name, uint32(len(dims)))
	n := 1
	for _, d := range dims {
		put(&w.infos, uint64(d))
		n *= d
	}
	put(&w.infos, uint32(0), uint64(w.data.Len())) // GGML_TYPE_F32, offset
	for range n {
		put(&w.data, math.Float32bits(float32(mean+deviation*w.random.NormFloat64())))
	}
	align(&w.data)
}

// weight is a matrix that keeps the size of what it is applied to.
func (w *ggufWriter) weight(name string, in, out int) {
	w.tensor(name+".weight", 0, 1/math.Sqrt(float64(in)), in, out)
}

// experts is such a matrix for each of them.
func (w *ggufWriter) experts(name string, in, out int) {
	w.tensor(name+".weight", 0, 1/math.Sqrt(float64(in)), in, out, tinyExperts)
}

func (w *ggufWriter) norm(name string)             { w.tensor(name+".weight", 1, 0.1, tinyEmbedding) }
func (w *ggufWriter) bias(name string, n int)      { w.tensor(name+".bias", 0, 0.1, n) }
func (w *ggufWriter) normAndBias(name string)      { w.norm(name); w.bias(name, tinyEmbedding) }
func (w *ggufWriter) linear(name string, i, o int) { w.weight(name, i, o); w.bias(name, o) }

// align pads to the alignment of tensors, 32 bytes.
func align(b *bytes.Buffer) {
	for b.Len()%32 != 0 {
		b.WriteByte(0)
	}
}

func (w *ggufWriter) bytes() []byte {
	var file bytes.Buffer
	file.WriteString("GGUF")
	put(&file, uint32(3), w.tensors, w.entries)
	file.Write(w.meta.Bytes())
	file.Write(w.infos.Bytes())
	align(&file)
	file.Write(w.data.Bytes())
	return file.Bytes()
}

func (w *ggufWriter) model(kind Kind) {
	arch := string(kind)
	if kind == NoVocabulary || kind == Mixture {
		arch = string(Plain)
	}
	w.set("general.architecture", arch)
	w.set("general.name", "tiny "+arch)
	w.set(arch+".context_length", TinyContext)
	w.set(arch+".embedding_length", tinyEmbedding)
	w.set(arch+".block_count", TinyLayers)
	w.set(arch+".feed_forward_length", tinyFeedForward)
	w.set(arch+".attention.head_count", TinyHeads)
	w.set(arch+".attention.head_count_kv", TinyHeads)
	w.set(arch+".attention.layer_norm_rms_epsilon", 1e-5)
	w.set(arch+".attention.layer_norm_epsilon", 1e-5)
	if kind == NoVocabulary {
		w.set("tokenizer.ggml.model", "no_vocab")
		w.set(arch+".vocab_size", TinyVocab)
	} else {
		w.vocabulary()
	}

	w.tensor("token_embd.weight", 0, 1, tinyEmbedding, TinyVocab)
	switch kind {
	case Plain, NoVocabulary, SlidingWindow, Mixture:
		w.llama(kind)
	case LearnedPositions:
		w.gpt2()
	case Recurrent:
		w.mamba()
	case Encoder:
		w.bert()
	}
}

// vocabulary is one token for each byte, in the alphabet of GPT-2, and one to end a text.
func (w *ggufWriter) vocabulary() {
	tokens := make([]string, 0, TinyVocab)
	types := make([]int32, 0, TinyVocab)
	other := rune(256)
	for b := range 256 {
		r := rune(b)
		if b <= ' ' || b > '~' && b < '¡' || r == '\u00ad' {
			r, other = other, other+1
		}
		tokens = append(tokens, string(r))
		types = append(types, 1) // normal
	}
	tokens = append(tokens, "<|endoftext|>")
	types = append(types, 3) // control
	w.set("tokenizer.ggml.model", "gpt2")
	w.set("tokenizer.ggml.pre", "gpt-2")
	w.set("tokenizer.ggml.tokens", tokens)
	w.set("tokenizer.ggml.token_type", types)
	w.set("tokenizer.ggml.merges", []string{})
	w.set("tokenizer.ggml.bos_token_id", TinyVocab-1)
	w.set("tokenizer.ggml.eos_token_id", TinyVocab-1)
	w.set("tokenizer.ggml.add_bos_token", false)
}

func (w *ggufWriter) llama(kind Kind) {
	window := kind == SlidingWindow
	if kind == Mixture {
		w.set(string(Plain)+".expert_count", tinyExperts)
		w.set(string(Plain)+".expert_used_count", 2)
	}
	if window {
		w.set(string(SlidingWindow)+".attention.sliding_window", TinyWindow)
		w.set(string(SlidingWindow)+".attention.key_length", tinyEmbedding/TinyHeads)
		w.set(string(SlidingWindow)+".attention.value_length", tinyEmbedding/TinyHeads)
	}
	w.norm("output_norm")
	for i := range TinyLayers {
		l := fmt.Sprintf("blk.%d.", i)
		w.norm(l + "attn_norm")
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			w.weight(l+name, tinyEmbedding, tinyEmbedding)
		}
		w.norm(l + "ffn_norm")
		if kind == Mixture {
			w.weight(l+"ffn_gate_inp", tinyEmbedding, tinyExperts)
			w.experts(l+"ffn_gate_exps", tinyEmbedding, tinyFeedForward)
			w.experts(l+"ffn_up_exps", tinyEmbedding, tinyFeedForward)
			w.experts(l+"ffn_down_exps", tinyFeedForward, tinyEmbedding)
			continue
		}
		w.weight(l+"ffn_gate", tinyEmbedding, tinyFeedForward)
		w.weight(l+"ffn_up", tinyEmbedding, tinyFeedForward)
		w.weight(l+"ffn_down", tinyFeedForward, tinyEmbedding)
		if window {
			w.norm(l + "post_attention_norm")
			w.norm(l + "post_ffw_norm")
		}
	}
}

func (w *ggufWriter) gpt2() {
	w.tensor("position_embd.weight", 0, 1, tinyEmbedding, TinyContext)
	w.normAndBias("output_norm")
	for i := range TinyLayers {
		l := fmt.Sprintf("blk.%d.", i)
		w.normAndBias(l + "attn_norm")
		w.linear(l+"attn_qkv", tinyEmbedding, 3*tinyEmbedding)
		w.linear(l+"attn_output", tinyEmbedding, tinyEmbedding)
		w.normAndBias(l + "ffn_norm")
		w.linear(l+"ffn_up", tinyEmbedding, tinyFeedForward)
		w.linear(l+"ffn_down", tinyFeedForward, tinyEmbedding)
	}
}

func (w *ggufWriter) mamba() {
	const conv, inner, state, rank = 4, 2 * tinyEmbedding, 16, 4
	for key, value := range map[string]int{"conv_kernel": conv, "inner_size": inner, "state_size": state, "time_step_rank": rank} {
		w.set(string(Recurrent)+".ssm."+key, value)
	}
	w.norm("output_norm")
	for i := range TinyLayers {
		l := fmt.Sprintf("blk.%d.", i)
		w.norm(l + "attn_norm")
		w.weight(l+"ssm_in", tinyEmbedding, 2*inner)
		w.linear(l+"ssm_conv1d", conv, inner)
		w.weight(l+"ssm_x", inner, rank+2*state)
		w.linear(l+"ssm_dt", rank, inner)
		w.tensor(l+"ssm_a", -1, 0.1, state, inner)
		w.tensor(l+"ssm_d", 1, 0.1, inner)
		w.weight(l+"ssm_out", inner, tinyEmbedding)
	}
}

func (w *ggufWriter) bert() {
	w.set(string(Encoder)+".attention.causal", false)
	w.set(string(Encoder)+".pooling_type", 1) // mean
	w.set("tokenizer.ggml.token_type_count", 2)
	w.tensor("token_types.weight", 0, 1, tinyEmbedding, 2)
	w.tensor("position_embd.weight", 0, 1, tinyEmbedding, TinyContext)
	w.normAndBias("token_embd_norm")
	for i := range TinyLayers {
		l := fmt.Sprintf("blk.%d.", i)
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			w.linear(l+name, tinyEmbedding, tinyEmbedding)
		}
		w.normAndBias(l + "attn_output_norm")
		w.linear(l+"ffn_up", tinyEmbedding, tinyFeedForward)
		w.linear(l+"ffn_down", tinyFeedForward, tinyEmbedding)
		w.normAndBias(l + "layer_output_norm")
	}
}
