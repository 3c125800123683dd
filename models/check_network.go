package models

import (
	"aigw/models/gguf"
)

// Limits of src/llama-hparams.h.
const (
	maxLayers  = 512
	maxExperts = 1024
)

// checkNetwork checks the numbers that describe the network as far as llama.cpp asserts them
// (llama_model_base::load_hparams), and that the weights fit the vocabulary.
func checkNetwork(f *gguf.File) error {
	if len(f.Tensors) == 0 {
		return refusef("", "give the file with the weights", "holds a vocabulary, but no weights")
	}
	n := network{f: f}
	n.arch, _ = f.Architecture()
	for _, check := range []func() error{n.checkLayers, n.checkExperts, n.checkRope, n.checkEmbedding} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// network reads the keys that describe a network; they begin with the architecture's name.
type network struct {
	f    *gguf.File
	arch string
}

func (n network) key(name string) string { return n.arch + "." + name }

// number returns a whole number, or absent if the key is not there or an array.
func (n network) number(name string, absent uint64) uint64 {
	if v, ok := n.f.Uint(n.key(name)); ok {
		return v
	}
	return absent
}

func (n network) checkLayers() error {
	for _, name := range []string{"block_count", "context_length", "embedding_length"} {
		v, ok := n.f.Value(n.key(name))
		if number, whole := v.Uint(); !ok || !whole || number == 0 || number > 1<<31-1 {
			found := "is missing"
			if ok {
				found = "is " + v.String() + ", it must be a positive number"
			}
			return &Refusal{Key: n.key(name), Found: found, Do: doConvertAgain}
		}
	}
	layers := n.number("block_count", 0)
	if layers > maxLayers {
		return refusef(n.key("block_count"), doUpdate, "is %d, llama.cpp takes up to %d", layers, maxLayers)
	}
	if extra := n.number("nextn_predict_layers", 0); extra > layers {
		return refusef(n.key("nextn_predict_layers"), doConvertAgain, "is %d, the model has %d layers", extra, layers)
	}
	return nil
}

// checkExperts repeats the assertions on mixtures of experts.
func (n network) checkExperts() error {
	experts := n.number("expert_count", 0)
	if experts > maxExperts {
		return refusef(n.key("expert_count"), doUpdate, "is %d, llama.cpp takes up to %d", experts, maxExperts)
	}
	used, err := n.expertsUsed()
	if err != nil {
		return err
	}
	if used > experts && !n.singleExpert(experts) || experts > 0 && used == 0 {
		return refusef(n.key("expert_used_count"), doConvertAgain, "is %d of %d experts", used, experts)
	}
	// Conversions up to April 2024, of Mixtral 8x7B above all. llama.cpp v0.5.0 would only miss a tensor of another name.
	if name := "blk.0.ffn_gate.0.weight"; experts > 0 {
		if _, old := n.f.Tensor(name); old {
			return refusef(name, doConvertAgain, "is one expert by itself, as llama.cpp wrote mixtures until April 2024 and no longer reads them")
		}
	}
	groups, chosen := n.number("expert_group_count", 0), n.number("expert_group_used_count", 0)
	if groups > 0 && groups >= experts || groups > 1 && (experts%groups != 0 || chosen == 0 || chosen >= groups) {
		return refusef(n.key("expert_group_count"), doConvertAgain, "is %d groups, of which %d are used, for %d experts", groups, chosen, experts)
	}
	return nil
}

// singleExpert: the dense Hunyuan models say that they have one expert; llama.cpp takes that for
// none and ignores how many of them are used.
func (n network) singleExpert(experts uint64) bool {
	return (n.arch == "hunyuan_vl" || n.arch == "hunyuan-dense") && experts <= 1
}

// expertsUsed returns the number of experts that a token uses, the highest of all layers.
func (n network) expertsUsed() (uint64, error) {
	key := n.key("expert_used_count")
	array, ok := n.f.Array(key)
	if !ok {
		return n.number("expert_used_count", 0), nil
	}
	if want := n.number("block_count", 0); uint64(array.Len) != want {
		return 0, refusef(key, doConvertAgain, "has %d entries for %d layers", array.Len, want)
	}
	counts, err := array.Int32s()
	if err != nil {
		return 0, refusef(key, doConvertAgain, "is %s, which are no numbers", array.Type)
	}
	most := int32(0)
	for _, c := range counts {
		most = max(most, c)
	}
	return uint64(most), nil
}

func (n network) checkRope() error {
	key := n.key("rope.scaling.type")
	switch kind, ok := n.f.Text(key); {
	case !ok, kind == "none", kind == "linear", kind == "yarn", kind == "longrope":
		return nil
	default:
		return refusef(key, doUpdate, "is %q, which is unknown", Clip(kind))
	}
}

// checkEmbedding compares the rows of the embedding with the vocabulary.
func (n network) checkEmbedding() error {
	const name = "token_embd.weight"
	tensor, ok := n.f.Tensor(name)
	if !ok {
		return refusef(name, doConvertAgain, "is missing: the file lacks weights")
	}
	tokens, _ := n.f.Array(keyTokens) // checkVocabulary has seen it
	if tensor.Shape[1] != int64(tokens.Len) {
		return refusef(name, doConvertAgain, "has %d rows for the %d pieces of %s", tensor.Shape[1], tokens.Len, keyTokens)
	}
	if width := n.number("embedding_length", 0); tensor.Shape[0] != int64(width) {
		return refusef(name, doConvertAgain, "has rows of %d numbers, %s is %d", tensor.Shape[0], n.key("embedding_length"), width)
	}
	return nil
}
