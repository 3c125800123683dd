package models

import (
	"strings"

	"aigw/models/gguf"
)

// Metadata keys of the tokenizer; the names are those of src/llama-arch.cpp.
const (
	keyTokenizer   = "tokenizer.ggml.model"
	keyPre         = "tokenizer.ggml.pre"
	keyTokens      = "tokenizer.ggml.tokens"
	keyScores      = "tokenizer.ggml.scores"
	keyTokenTypes  = "tokenizer.ggml.token_type"
	keyMerges      = "tokenizer.ggml.merges"
	keyBOS         = "tokenizer.ggml.bos_token_id"
	keyEOS         = "tokenizer.ggml.eos_token_id"
	keyEOT         = "tokenizer.ggml.eot_token_id"
	keyAddBOS      = "tokenizer.ggml.add_bos_token"
	keySpacePrefix = "tokenizer.ggml.add_space_prefix"
	keyTemplate    = "tokenizer.chat_template"
)

// pieceType is how a piece may be used: enum llama_token_type of include/llama.h.
type pieceType int32

const (
	pieceNormal      pieceType = 1
	pieceUnknown     pieceType = 2
	pieceControl     pieceType = 3
	pieceUserDefined pieceType = 4 // parsed out of plain text even with special parsing off
	pieceUnused      pieceType = 5
	pieceByte        pieceType = 6
)

// The tokenizers whose text rules this package knows: values of tokenizer.ggml.model.
const (
	sentencePiece = "llama" // merges by score, dummy space, byte pieces
	byteLevelBPE  = "gpt2"  // merges by rank after a regular expression, bytes as letters
)

// maxPieces bounds a vocabulary, and with it the memory that checking one takes (about 100 MB).
// The largest published ones have 262,144 pieces.
const maxPieces = 1 << 20

// vocabulary is what the tokenizer is made of, read from the header.
type vocabulary struct {
	kind   string // tokenizer.ggml.model
	pre    string // tokenizer.ggml.pre
	hasPre bool
	pieces *gguf.Strings
	types  []int32 // as long as pieces or longer; empty: all pieces are normal
}

// readVocabulary reads pieces and types.
func readVocabulary(f *gguf.File) (*vocabulary, error) {
	v := &vocabulary{}
	v.kind, _ = f.Text(keyTokenizer)
	v.pre, v.hasPre = f.Text(keyPre)
	if v.kind == "" || v.kind == "no_vocab" || v.kind == "none" {
		return nil, refusef(keyTokenizer, "give a file with a vocabulary: this one can only be used by programs that bring their own",
			"is %q: the file has no vocabulary", v.kind)
	}
	tokens, ok := f.Array(keyTokens)
	if !ok || tokens.Type != gguf.StringValue || tokens.Len == 0 {
		return nil, refusef(keyTokens, doConvertAgain, "is missing or no list of texts: the file has no vocabulary")
	}
	if tokens.Len > maxPieces {
		return nil, refusef(keyTokens, doUpdate, "has %d pieces, the limit is %d", tokens.Len, maxPieces)
	}
	var err error
	if v.pieces, err = tokens.Strings(); err != nil {
		return nil, err
	}
	if types, ok := f.Array(keyTokenTypes); ok {
		if types.Type != gguf.Int32Value {
			return nil, refusef(keyTokenTypes, doConvertAgain, "is a list of %s, it must be one of i32", types.Type)
		}
		if v.types, err = types.Int32s(); err != nil {
			return nil, err
		}
		if len(v.types) < v.size() {
			return nil, refusef(keyTokenTypes, doConvertAgain, "has %d entries for the %d pieces of %s", len(v.types), v.size(), keyTokens)
		}
	} else if _, present := f.Value(keyTokenTypes); present {
		return nil, refusef(keyTokenTypes, doConvertAgain, "is no list")
	}
	return v, nil
}

// size is the number of pieces.
func (v *vocabulary) size() int { return v.pieces.Len() }

// piece returns the text of a piece as llama.cpp sees it: it reads a C string, so a zero byte
// ends it.
func (v *vocabulary) piece(t Token) string {
	if t < 0 || int(t) >= v.size() {
		return ""
	}
	text := v.pieces.At(int(t))
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	return text
}

func (v *vocabulary) typeOf(t Token) pieceType {
	if len(v.types) == 0 {
		return pieceNormal
	}
	return pieceType(v.types[t])
}

// find looks many pieces up by text in one pass; absent ones are missing in the result.
func (v *vocabulary) find(texts ...string) map[string]Token {
	wanted := make(map[string]bool, len(texts))
	for _, t := range texts {
		wanted[t] = true
	}
	found := make(map[string]Token, len(texts))
	for i := range v.size() {
		if text := v.pieces.At(i); wanted[text] {
			if _, twice := found[text]; !twice {
				found[text] = Token(i)
			}
		}
	}
	return found
}
