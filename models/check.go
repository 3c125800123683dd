package models

import (
	"errors"
	"fmt"
	"math"

	"aigw/models/gguf"
)

// Check refuses a file that llama.cpp v0.5.0 would end the process on, would load and then use
// wrongly without a word, or would refuse less clearly; and files that are no models that write
// text. It reads the header only: what it does not see is left to a test load in a child
// process. The error is a *Refusal.
func Check(f *gguf.File) error {
	for _, check := range []func(*gguf.File) error{checkPurpose, checkVocabulary, checkNetwork} {
		if err := check(f); err != nil {
			return named(f, err)
		}
	}
	return nil
}

// CheckVocabulary does what Check does for the tokenizer alone: a file without weights passes,
// and can be loaded to tokenize.
func CheckVocabulary(f *gguf.File) error { return named(f, checkVocabulary(f)) }

// named puts the path of the file into a refusal.
func named(f *gguf.File, err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		r.File = f.Path
	}
	return err
}

// checkPurpose refuses what is no model, or no model that writes text from left to right.
func checkPurpose(f *gguf.File) error {
	if kind, ok := f.Text("general.type"); ok {
		switch kind {
		case "adapter":
			return refusef("general.type", "give the base model instead", "is %q: this is a LoRA adapter, not a model", kind)
		case "mmproj":
			return refusef("general.type", "give the language model instead", "is %q: this is the image part of a model", kind)
		case "imatrix":
			return refusef("general.type", "give the model instead", "is %q: this is a table for quantising", kind)
		}
	}
	const key = "general.architecture"
	arch, ok := f.Architecture()
	switch {
	case !ok || arch == "":
		return refusef(key, doConvertAgain, "is missing: the file does not say what model it is")
	case notGenerative[arch] != "":
		return refusef(key, "give a model that writes text", "is %q: %s", arch, notGenerative[arch])
	case !architectures[arch]:
		return refusef(key, doUpdate, "is %q, which is unknown", Clip(arch))
	}
	if causal, ok := f.Bool(arch + ".attention.causal"); ok && !causal {
		return refusef(arch+".attention.causal", "give a model that writes text", "is false: %s", embeds)
	}
	return nil
}

func checkVocabulary(f *gguf.File) error {
	v, err := readVocabulary(f)
	if err != nil {
		return err
	}
	if err := v.checkDuplicates(); err != nil {
		return err
	}
	switch v.kind {
	case sentencePiece:
		return v.checkScores(f)
	case byteLevelBPE, "gemma4", "hybriddna", "whitespace":
		return v.checkMerges(f)
	case "bert", "t5", "rwkv", "plamo2":
		return nil
	}
	return refusef(keyTokenizer, doUpdate, "is %q, which is unknown", Clip(v.kind))
}

// checkDuplicates finds two pieces with one text, on which llama_vocab::impl::load ends the
// process. As there, an empty piece i counts as [EMPTY_i].
func (v *vocabulary) checkDuplicates() error {
	seen := make(map[string]Token, v.size())
	for i := range Token(v.size()) {
		text := v.piece(i)
		if text == "" {
			text = fmt.Sprintf("[EMPTY_%d]", i)
		}
		if first, twice := seen[text]; twice {
			return refusef(keyTokens, doConvertAgain, "has a duplicate token: %q has the ids %d and %d", Clip(text), first, i)
		}
		seen[text] = i
	}
	return nil
}

// checkScores refuses a SentencePiece vocabulary without usable scores: its merges would be done
// in any order, so that every text is split wrongly without a word.
func (v *vocabulary) checkScores(f *gguf.File) error {
	array, ok := f.Array(keyScores)
	switch {
	case !ok:
		return refusef(keyScores, doConvertAgain, "is missing: a SentencePiece vocabulary cannot split text without scores")
	case array.Type != gguf.Float32Value && array.Type != gguf.Int32Value:
		return refusef(keyScores, doConvertAgain, "is a list of %s, it must be one of f32", array.Type)
	case array.Len < v.size():
		return refusef(keyScores, doConvertAgain, "has %d entries for the %d pieces of %s", array.Len, v.size(), keyTokens)
	}
	scores, err := array.Float32s()
	if err != nil {
		return err
	}
	lowest, highest := math.Inf(1), math.Inf(-1)
	for i, s := range scores[:v.size()] {
		score := float64(s)
		if math.IsNaN(score) {
			return refusef(keyScores, doConvertAgain, "has no number for piece %d (%q)", i, Clip(v.piece(Token(i))))
		}
		if v.typeOf(Token(i)) == pieceNormal {
			lowest, highest = min(lowest, score), max(highest, score)
		}
	}
	if lowest == highest && v.size() > 512 {
		return refusef(keyScores, doConvertAgain, "are all %g: a SentencePiece vocabulary cannot split text without scores", lowest)
	}
	return nil
}

// checkMerges refuses a BPE vocabulary without merges or with a pre-tokenizer that llama.cpp
// does not know. A missing pre-tokenizer is repaired where the family is certain: see Recognise.
func (v *vocabulary) checkMerges(f *gguf.File) error {
	if v.kind != "gemma4" && v.pre != "" && !preTokenizers[v.pre] {
		return refusef(keyPre, doUpdate, "is %q, which is unknown", Clip(v.pre))
	}
	array, ok := f.Array(keyMerges)
	switch {
	case !ok && v.pre == "kimi-k2": // its tokenizer has none
		return nil
	case !ok:
		return refusef(keyMerges, doConvertAgain, "is missing: a BPE vocabulary cannot split text without merges")
	case array.Type != gguf.StringValue:
		return refusef(keyMerges, doConvertAgain, "is a list of %s, it must be one of texts", array.Type)
	case array.Len == 0 && v.size() > 512:
		return refusef(keyMerges, doConvertAgain, "is empty: a BPE vocabulary cannot split text without merges")
	}
	return nil
}

// Clip shortens a text of outside origin for a message.
func Clip(s string) string { return gguf.Clip(s) }
