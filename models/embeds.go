package models

import "aigw/models/gguf"

// Embeds reports whether a file is a model that computes embeddings: an encoder, or a model that says how the
// numbers of its tokens become those of a text.
func Embeds(f *gguf.File) bool {
	arch, _ := f.Architecture()
	if notGenerative[arch] == embeds {
		return true
	}
	pooling, ok := f.Uint(arch + ".pooling_type") // enum llama_pooling_type of include/llama.h; 0 is none
	return ok && pooling > 0
}

// CheckEmbeds does what Check does for a model that computes embeddings.
func CheckEmbeds(f *gguf.File) error {
	arch, _ := f.Architecture()
	if !Embeds(f) || !architectures[arch] {
		return named(f, refusef("general.architecture", "give a model made for embeddings, or name this one with --model", "is %q: it computes no embeddings", Clip(arch)))
	}
	for _, check := range []func(*gguf.File) error{checkVocabulary, checkNetwork} {
		if err := check(f); err != nil {
			return named(f, err)
		}
	}
	return nil
}
