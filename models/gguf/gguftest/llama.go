package gguftest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"aigw/models/gguf"
)

// Network is the shape of a small model of architecture llama. The zero value is a model of two
// layers that runs in microseconds.
type Network struct {
	Layers, Embedding, Heads, HeadsKV, FeedForward, Context int

	// Architecture replaces "llama". Only the tensors of llama are written, so that llama.cpp
	// runs no other; the reader does not mind.
	Architecture string
	// Seed chooses the weights.
	Seed uint64
	// Hole leaves all weights zero and off the disk: for files of real size that are never run.
	Hole bool
}

func (n Network) withDefaults() Network {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&n.Layers, 2)
	set(&n.Embedding, 32)
	set(&n.Heads, 4)
	set(&n.HeadsKV, n.Heads)
	set(&n.FeedForward, 2*n.Embedding)
	set(&n.Context, 2048)
	if n.Architecture == "" {
		n.Architecture = "llama"
	}
	return n
}

// Model returns a file with vocabulary v and a network of shape n with random weights. Its
// output follows from its seed; it says nothing sensible.
func Model(v *Vocabulary, n Network) *Builder {
	n = n.withDefaults()
	b := &Builder{}
	arch := n.Architecture
	b.Set("general.architecture", arch).
		Set("general.type", "model").
		Set(arch+".context_length", uint32(n.Context)).
		Set(arch+".embedding_length", uint32(n.Embedding)).
		Set(arch+".block_count", uint32(n.Layers)).
		Set(arch+".feed_forward_length", uint32(n.FeedForward)).
		Set(arch+".attention.head_count", uint32(n.Heads)).
		Set(arch+".attention.head_count_kv", uint32(n.HeadsKV)).
		Set(arch+".attention.layer_norm_rms_epsilon", float32(1e-5)).
		Set(arch+".rope.dimension_count", uint32(n.Embedding/n.Heads)).
		Set(arch+".vocab_size", uint32(len(v.Pieces)))
	v.Apply(b)

	w := weights{b: b, hole: n.Hole, rand: rand.New(rand.NewPCG(n.Seed, 1))}
	embedding, kv := int64(n.Embedding), int64(n.Embedding/n.Heads*n.HeadsKV)
	w.matrix("token_embd.weight", embedding, int64(len(v.Pieces)))
	w.ones("output_norm.weight", embedding)
	w.matrix("output.weight", embedding, int64(len(v.Pieces)))
	for i := range n.Layers {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s.weight", i, s) }
		w.ones(name("attn_norm"), embedding)
		w.matrix(name("attn_q"), embedding, embedding)
		w.matrix(name("attn_k"), embedding, kv)
		w.matrix(name("attn_v"), embedding, kv)
		w.matrix(name("attn_output"), embedding, embedding)
		w.ones(name("ffn_norm"), embedding)
		w.matrix(name("ffn_gate"), embedding, int64(n.FeedForward))
		w.matrix(name("ffn_up"), embedding, int64(n.FeedForward))
		w.matrix(name("ffn_down"), int64(n.FeedForward), embedding)
	}
	return b
}

type weights struct {
	b    *Builder
	hole bool
	rand *rand.Rand
}

// matrix adds normally distributed weights of variance 1/columns, so that activations keep
// their size from layer to layer.
func (w weights) matrix(name string, columns, rows int64) {
	if w.hole {
		w.b.Tensor(name, gguf.F16, nil, columns, rows)
		return
	}
	values := make([]float32, columns*rows)
	scale := 1 / math.Sqrt(float64(columns))
	for i := range values {
		values[i] = float32(w.rand.NormFloat64() * scale)
	}
	w.b.Tensor(name, gguf.F32, Floats(values), columns, rows)
}

func (w weights) ones(name string, n int64) {
	if w.hole {
		w.b.Tensor(name, gguf.F32, nil, n)
		return
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = 1
	}
	w.b.Tensor(name, gguf.F32, Floats(values), n)
}
