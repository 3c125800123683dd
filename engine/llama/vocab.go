package llama

// #include "shim.h"
import "C"

import (
	"unsafe"
)

// Token is an id in a vocabulary; valid ones count from 0.
type Token = int32

// VocabType is the kind of a tokenizer, numbered as enum llama_vocab_type.
type VocabType int32

// Kinds of tokenizers.
const (
	VocabNone          VocabType = iota
	VocabSentencePiece           // byte-level pair encoding with byte fallback
	VocabBPE                     // byte-level pair encoding as GPT-2
	VocabWordPiece               // BERT
	VocabUnigram                 // T5
	VocabRWKV
	VocabPLaMo2
	VocabTest
)

func (t VocabType) String() string {
	names := [...]string{"none", "SentencePiece", "BPE", "WordPiece", "Unigram", "RWKV", "PLaMo-2", "test"}
	if t < 0 || int(t) >= len(names) {
		return "unknown"
	}
	return names[t]
}

// TokenAttr is a set of properties, numbered as enum llama_token_attr.
type TokenAttr int32

// Properties of a token.
const (
	AttrUnknown TokenAttr = 1 << iota
	AttrUnused
	AttrNormal
	AttrControl     // a mark for the model, not text
	AttrUserDefined // text that is one token wherever it occurs
	AttrByte
	AttrNormalized
	AttrLeftStrip
	AttrRightStrip
	AttrSingleWord
)

// Vocab is the vocabulary of a model. It may be used concurrently. What does not return an error
// was read when the model was loaded and stays valid after the model is closed.
type Vocab struct {
	model *Model

	kind                   VocabType
	addBOS, addEOS, addSEP bool
	special                [specialCount]Token

	attrs  []TokenAttr
	pieces []string
	eog    []Token
	isEOG  []bool
}

// Places in Vocab.special.
const (
	specialBOS = iota
	specialEOS
	specialEOT
	specialSEP
	specialNL
	specialPAD
	specialMask
	specialFIMPrefix
	specialFIMSuffix
	specialFIMMiddle
	specialFIMPad
	specialFIMRepo
	specialFIMFile
	specialCount
)

// read fills the vocabulary; all tables come in one crossing.
//
//	int32_t llama_token_to_piece(const struct llama_vocab * vocab, llama_token token, char * buf, int32_t length, int32_t lstrip, bool special);
//	enum llama_token_attr llama_vocab_get_attr(const struct llama_vocab * vocab, llama_token token);
//	bool llama_vocab_is_eog(const struct llama_vocab * vocab, llama_token token);
func (v *Vocab) read(m *Model, info *C.aigw_model_info) error {
	v.model = m
	v.kind = VocabType(info.vocab_type)
	v.addBOS, v.addEOS, v.addSEP = bool(info.add_bos), bool(info.add_eos), bool(info.add_sep)
	v.special = [specialCount]Token{
		specialBOS:       Token(info.bos),
		specialEOS:       Token(info.eos),
		specialEOT:       Token(info.eot),
		specialSEP:       Token(info.sep),
		specialNL:        Token(info.nl),
		specialPAD:       Token(info.pad),
		specialMask:      Token(info.mask),
		specialFIMPrefix: Token(info.fim_pre),
		specialFIMSuffix: Token(info.fim_suf),
		specialFIMMiddle: Token(info.fim_mid),
		specialFIMPad:    Token(info.fim_pad),
		specialFIMRepo:   Token(info.fim_rep),
		specialFIMFile:   Token(info.fim_sep),
	}
	if v.kind == VocabNone {
		// Asking for a token of such a file aborts. Its size is that of the output layer.
		v.attrs = make([]TokenAttr, info.vocab_size)
		v.pieces = make([]string, info.vocab_size)
		v.isEOG = make([]bool, info.vocab_size)
		return nil
	}
	var (
		t    C.aigw_vocab_table
		cerr C.aigw_error
	)
	if err := failure(C.aigw_vocab_read(m.h, &t, &cerr), &cerr); err != nil {
		return err
	}
	defer C.aigw_free(t.block)
	n := int(t.n)
	offset := unsafe.Slice((*uint64)(unsafe.Pointer(t.offset)), n+1)
	// One string holds all pieces: a vocabulary has up to 260,000.
	all := string(unsafe.Slice((*byte)(unsafe.Pointer(t.bytes)), offset[n]))
	v.pieces = make([]string, n)
	for i := range v.pieces {
		v.pieces[i] = all[offset[i]:offset[i+1]]
	}
	v.attrs = make([]TokenAttr, n)
	for i, a := range unsafe.Slice((*int32)(unsafe.Pointer(t.attr)), n) {
		v.attrs[i] = TokenAttr(a)
	}
	v.isEOG = make([]bool, n)
	for i, is := range unsafe.Slice((*uint8)(unsafe.Pointer(t.eog)), n) {
		if is != 0 {
			v.isEOG[i] = true
			v.eog = append(v.eog, Token(i))
		}
	}
	return nil
}

// Type is the kind of the tokenizer.
func (v *Vocab) Type() VocabType { return v.kind }

// Size is the number of tokens, and of values in a row of logits.
func (v *Vocab) Size() int { return len(v.attrs) }

func (v *Vocab) specialToken(i int) (Token, bool) {
	t := v.special[i]
	return t, t >= 0 && int(t) < v.Size()
}

// BOS, EOS, EOT, SEP, NL, PAD and Mask are special tokens, where the vocabulary has them: start and
// end of a text, end of a turn, separator, line end, padding, mask.
//
//	llama_token llama_vocab_bos(const struct llama_vocab * vocab);
func (v *Vocab) BOS() (Token, bool)  { return v.specialToken(specialBOS) }
func (v *Vocab) EOS() (Token, bool)  { return v.specialToken(specialEOS) }
func (v *Vocab) EOT() (Token, bool)  { return v.specialToken(specialEOT) }
func (v *Vocab) SEP() (Token, bool)  { return v.specialToken(specialSEP) }
func (v *Vocab) NL() (Token, bool)   { return v.specialToken(specialNL) }
func (v *Vocab) PAD() (Token, bool)  { return v.specialToken(specialPAD) }
func (v *Vocab) Mask() (Token, bool) { return v.specialToken(specialMask) }

// FIMPrefix and the others are the marks of fill-in-the-middle that the file declares or that
// llama.cpp recognises by name. Families that it does not know have theirs all the same.
//
//	llama_token llama_vocab_fim_pre(const struct llama_vocab * vocab);
func (v *Vocab) FIMPrefix() (Token, bool) { return v.specialToken(specialFIMPrefix) }
func (v *Vocab) FIMSuffix() (Token, bool) { return v.specialToken(specialFIMSuffix) }
func (v *Vocab) FIMMiddle() (Token, bool) { return v.specialToken(specialFIMMiddle) }
func (v *Vocab) FIMPad() (Token, bool)    { return v.specialToken(specialFIMPad) }
func (v *Vocab) FIMRepo() (Token, bool)   { return v.specialToken(specialFIMRepo) }
func (v *Vocab) FIMFile() (Token, bool)   { return v.specialToken(specialFIMFile) }

// AddBOS, AddEOS and AddSEP tell what Tokenize adds when addSpecial is set.
//
//	bool llama_vocab_get_add_bos(const struct llama_vocab * vocab);
func (v *Vocab) AddBOS() bool { return v.addBOS }
func (v *Vocab) AddEOS() bool { return v.addEOS }
func (v *Vocab) AddSEP() bool { return v.addSEP }

// valid tells whether t is a token of this vocabulary.
func (v *Vocab) valid(t Token) bool { return t >= 0 && int(t) < len(v.attrs) }

// IsEOG tells whether t ends a generation; false for an id that is none.
func (v *Vocab) IsEOG(t Token) bool { return v.valid(t) && v.isEOG[t] }

// EOGTokens are the ids that end a generation, in ascending order. It is not to be changed.
func (v *Vocab) EOGTokens() []Token { return v.eog }

// Attr returns the properties of t; none for an id that is none.
func (v *Vocab) Attr(t Token) TokenAttr {
	if !v.valid(t) {
		return 0
	}
	return v.attrs[t]
}

// ChatTemplate returns the Jinja template of the model's file that is used where no other is named.
func (v *Vocab) ChatTemplate() (string, bool) {
	if v.model == nil {
		return "", false
	}
	return v.model.ChatTemplate("")
}

// Pieces returns the bytes that each token stands for in a text, special tokens spelled out. A
// piece need not be whole UTF-8. It is not to be changed.
func (v *Vocab) Pieces() []string { return v.pieces }

// Text returns a token as the file writes it, for example with "▁" or "Ġ" for a space; empty for
// an id that is none and after the model is closed.
//
//	const char * llama_vocab_get_text(const struct llama_vocab * vocab, llama_token token);
func (v *Vocab) Text(t Token) string {
	if v.kind == VocabNone || !v.valid(t) || !v.model.acquire() {
		return ""
	}
	defer v.model.release()
	return C.GoString(C.aigw_vocab_text(v.model.h, C.int32_t(t)))
}
