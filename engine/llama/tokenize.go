package llama

// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"sync"
	"unsafe"
)

// MaxTextBytes is the longest text that Tokenize takes. It is many times the longest prompt. One
// unbroken line of this length makes some pre-tokenizers touch 2 GiB of stack (shim_vocab.cpp).
const MaxTextBytes = 4 << 20

var (
	tokenScratch scratch[int32]
	textScratch  scratch[byte]
)

// Tokenize turns text into tokens. addSpecial adds the tokens that the vocabulary wants around a
// text, such as BOS; parseSpecial takes the spelling of a special token in the text for that
// token, which must never be done with text from outside. It may be called concurrently.
//
//	int32_t llama_tokenize(const struct llama_vocab * vocab, const char * text, int32_t text_len,
//	    llama_token * tokens, int32_t n_tokens_max, bool add_special, bool parse_special);
func (v *Vocab) Tokenize(text string, addSpecial, parseSpecial bool) ([]Token, error) {
	if v.kind == VocabNone {
		return nil, fmt.Errorf("tokenize: %w", ErrNoVocab)
	}
	if len(text) > MaxTextBytes {
		return nil, fmt.Errorf("tokenize: %w: %d bytes, at most %d", ErrTextTooLong, len(text), MaxTextBytes)
	}
	if addSpecial {
		if err := v.checkSpecial(); err != nil {
			return nil, fmt.Errorf("tokenize: %w", err)
		}
	}
	if !v.model.acquire() {
		return nil, fmt.Errorf("tokenize: %w", ErrClosed)
	}
	defer v.model.release()

	// A byte is at most a token, but for what is added around and in front.
	want := len(text) + 16
	for {
		buf := tokenScratch.get(want)
		var (
			n    C.int32_t
			cerr C.aigw_error
		)
		code := C.aigw_tokenize(v.model.h,
			(*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.int32_t(len(text)),
			C.bool(addSpecial), C.bool(parseSpecial),
			(*C.int32_t)(unsafe.SliceData(*buf)), C.int32_t(len(*buf)), &n, &cerr)
		switch {
		case code != C.AIGW_OK:
			tokenScratch.put(buf)
			return nil, fmt.Errorf("tokenize %d bytes: %s", len(text), reason(&cerr))
		case n == math.MinInt32:
			tokenScratch.put(buf)
			return nil, fmt.Errorf("tokenize: %w: more than %d tokens", ErrTextTooLong, math.MaxInt32)
		case n >= 0:
			tokens := make([]Token, n)
			copy(tokens, *buf)
			tokenScratch.put(buf)
			return tokens, nil
		}
		tokenScratch.put(buf)
		want = int(-n)
	}
}

// checkSpecial finds the vocabularies for which llama.cpp would abort when asked to add special
// tokens: those that ask for one that they do not have.
func (v *Vocab) checkSpecial() error {
	missing := func(name string, i int) error {
		if _, ok := v.specialToken(i); ok {
			return nil
		}
		return fmt.Errorf("%w: no %s; set tokenizer.ggml.add_%s_token to false or name the token", ErrNoSpecial, name, name)
	}
	switch v.kind {
	case VocabSentencePiece, VocabBPE, VocabUnigram:
		if v.addBOS {
			if err := missing("bos", specialBOS); err != nil {
				return err
			}
		}
		if v.addEOS {
			return missing("eos", specialEOS)
		}
	case VocabWordPiece:
		if err := missing("bos", specialBOS); err != nil {
			return err
		}
		return missing("sep", specialSEP)
	}
	return nil
}

// Detokenize turns tokens into text. removeSpecial drops a BOS in front and an EOS at the end where
// the vocabulary adds them; unparseSpecial spells special tokens out instead of dropping them. It
// may be called concurrently. The result need not be whole UTF-8.
//
//	int32_t llama_detokenize(const struct llama_vocab * vocab, const llama_token * tokens, int32_t n_tokens,
//	    char * text, int32_t text_len_max, bool remove_special, bool unparse_special);
func (v *Vocab) Detokenize(tokens []Token, removeSpecial, unparseSpecial bool) (string, error) {
	if v.kind == VocabNone {
		return "", fmt.Errorf("detokenize: %w", ErrNoVocab)
	}
	want := 16
	for _, t := range tokens {
		if !v.valid(t) {
			return "", fmt.Errorf("detokenize: %w: %d of %d", ErrTokenRange, t, v.Size())
		}
		want += len(v.pieces[t])
	}
	if want > math.MaxInt32 || len(tokens) > math.MaxInt32 {
		return "", fmt.Errorf("detokenize: %w", ErrTextTooLong)
	}
	if !v.model.acquire() {
		return "", fmt.Errorf("detokenize: %w", ErrClosed)
	}
	defer v.model.release()
	for {
		buf := textScratch.get(want)
		var (
			n    C.int32_t
			cerr C.aigw_error
		)
		code := C.aigw_detokenize(v.model.h, (*C.int32_t)(unsafe.SliceData(tokens)), C.int32_t(len(tokens)),
			C.bool(removeSpecial), C.bool(unparseSpecial),
			(*C.char)(unsafe.Pointer(unsafe.SliceData(*buf))), C.int32_t(len(*buf)), &n, &cerr)
		if code != C.AIGW_OK {
			textScratch.put(buf)
			return "", fmt.Errorf("detokenize %d tokens: %s", len(tokens), reason(&cerr))
		}
		if n >= 0 {
			text := string((*buf)[:n])
			textScratch.put(buf)
			return text, nil
		}
		textScratch.put(buf)
		want = int(-n)
	}
}

// scratch lends buffers for text and tokens on their way through C.
type scratch[T any] struct{ pool sync.Pool }

func (s *scratch[T]) get(n int) *[]T {
	p, _ := s.pool.Get().(*[]T)
	if p == nil {
		p = new([]T)
	}
	if cap(*p) < n {
		*p = make([]T, n)
	}
	*p = (*p)[:n]
	return p
}

func (s *scratch[T]) put(p *[]T) { s.pool.Put(p) }
