package gguftest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"aigw/models/gguf"
)

// Piece types: enum llama_token_type of include/llama.h.
const (
	Normal      int32 = 1
	Unknown     int32 = 2
	Control     int32 = 3
	UserDefined int32 = 4
	Unused      int32 = 5
	Byte        int32 = 6
)

// Vocabulary is what a file says of its tokenizer.
type Vocabulary struct {
	Model  string // tokenizer.ggml.model
	Pre    string // tokenizer.ggml.pre; empty leaves it out
	Pieces []string
	Scores []float32 // nil leaves them out
	Types  []int32
	Merges []string // nil leaves them out
	Extra  map[string]any
}

// Apply writes the vocabulary into b.
func (v *Vocabulary) Apply(b *Builder) *Builder {
	b.Set("tokenizer.ggml.model", v.Model).Set("tokenizer.ggml.tokens", v.Pieces)
	if v.Pre != "" {
		b.Set("tokenizer.ggml.pre", v.Pre)
	}
	if v.Scores != nil {
		b.Set("tokenizer.ggml.scores", v.Scores)
	}
	if v.Types != nil {
		b.Set("tokenizer.ggml.token_type", v.Types)
	}
	if v.Merges != nil {
		b.Set("tokenizer.ggml.merges", v.Merges)
	}
	for _, key := range slices.Sorted(maps.Keys(v.Extra)) {
		b.Set(key, v.Extra[key])
	}
	return b
}

// Add appends a piece and returns its id.
func (v *Vocabulary) Add(text string, typ int32, score float32) int32 {
	id := int32(len(v.Pieces))
	v.Pieces = append(v.Pieces, text)
	v.Types = append(v.Types, typ)
	if v.Scores != nil {
		v.Scores = append(v.Scores, score)
	}
	return id
}

// Replace gives piece id another text and type.
func (v *Vocabulary) Replace(id int, text string, typ int32) {
	v.Pieces[id], v.Types[id] = text, typ
}

// Set adds a metadata entry.
func (v *Vocabulary) Set(key string, value any) *Vocabulary {
	if v.Extra == nil {
		v.Extra = map[string]any{}
	}
	v.Extra[key] = value
	return v
}

// Fill appends normal pieces that no text contains until there are n.
func (v *Vocabulary) Fill(n int) *Vocabulary {
	for len(v.Pieces) < n {
		v.Add(fmt.Sprintf("\uE000%d", len(v.Pieces)), Normal, -1e6)
	}
	return v
}

// SentencePiece returns a vocabulary of the Llama kind: <unk> 0, <s> 1, </s> 2, the 256 byte
// pieces, then the given ones, earlier ones merging first. A piece of several characters needs
// pieces for its halves to be reached.
func SentencePiece(pieces ...string) *Vocabulary {
	v := &Vocabulary{Model: "llama", Pre: "default", Scores: []float32{}}
	v.Add("<unk>", Unknown, 0)
	v.Add("<s>", Control, 0)
	v.Add("</s>", Control, 0)
	for i := range 256 {
		v.Add(fmt.Sprintf("<0x%02X>", i), Byte, 0)
	}
	for i, p := range pieces {
		v.Add(p, Normal, -float32(i)-1)
	}
	return v
}

// ByteLevelBPE returns a vocabulary of the GPT-2 kind: the control pieces, one letter for each
// byte, then one piece for each merge ("a b" makes "ab").
func ByteLevelBPE(pre string, control []string, merges ...string) *Vocabulary {
	v := &Vocabulary{Model: "gpt2", Pre: pre, Merges: append([]string{}, merges...)}
	for _, c := range control {
		v.Add(c, Control, 0)
	}
	for i := range 256 {
		v.Add(string(byteLetter(byte(i))), Normal, 0)
	}
	for _, m := range merges {
		v.Add(strings.Replace(m, " ", "", 1), Normal, 0)
	}
	return v
}

// byteLetter is the letter that stands for a byte in byte-level vocabularies: printable ones
// stand for themselves, the others follow from U+0100 on (bytes_to_unicode of GPT-2).
func byteLetter(b byte) rune {
	printable := func(b int) bool {
		return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae
	}
	if printable(int(b)) {
		return rune(b)
	}
	next := rune(0x100)
	for i := range int(b) {
		if !printable(i) {
			next++
		}
	}
	return next
}

// FromFile takes the vocabulary of another file.
func FromFile(t testing.TB, path string) *Vocabulary {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatalf("gguftest: %v", err)
	}
	defer f.Close()
	v := &Vocabulary{}
	for _, key := range f.Keys() {
		if !strings.HasPrefix(key, "tokenizer.") {
			continue
		}
		value, _ := f.Value(key)
		switch key {
		case "tokenizer.ggml.model":
			v.Model, _ = value.Text()
		case "tokenizer.ggml.pre":
			v.Pre, _ = value.Text()
		case "tokenizer.ggml.tokens":
			v.Pieces = stringsOf(t, value)
		case "tokenizer.ggml.merges":
			v.Merges = stringsOf(t, value)
		case "tokenizer.ggml.scores":
			v.Scores = numbersOf(t, value, (*gguf.Array).Float32s)
		case "tokenizer.ggml.token_type":
			v.Types = numbersOf(t, value, (*gguf.Array).Int32s)
		default:
			if scalar, ok := goValue(value); ok {
				v.Set(key, scalar)
			}
		}
	}
	return v
}

func stringsOf(t testing.TB, value gguf.Value) []string {
	t.Helper()
	a, ok := value.Array()
	if !ok {
		t.Fatalf("gguftest: %s is no array", value)
	}
	s, err := a.Strings()
	if err != nil {
		t.Fatalf("gguftest: %v", err)
	}
	out := make([]string, s.Len())
	for i := range out {
		out[i] = s.At(i)
	}
	return out
}

func numbersOf[T any](t testing.TB, value gguf.Value, read func(*gguf.Array) ([]T, error)) []T {
	t.Helper()
	a, ok := value.Array()
	if !ok {
		t.Fatalf("gguftest: %s is no array", value)
	}
	out, err := read(a)
	if err != nil {
		t.Fatalf("gguftest: %v", err)
	}
	return out
}

// goValue returns the scalar types that tokenizer keys have.
func goValue(v gguf.Value) (any, bool) {
	switch v.Type {
	case gguf.Uint32Value:
		n, _ := v.Uint()
		return uint32(n), true
	case gguf.BoolValue:
		b, _ := v.Bool()
		return b, true
	case gguf.StringValue:
		s, _ := v.Text()
		return s, true
	}
	return nil, false
}

// FromSentencePiece takes the vocabulary of a SentencePiece model file: a protocol buffer whose
// field 1, repeated, has the text (1), the score (2) and the type (3) of a piece
// (sentencepiece_model.proto).
func FromSentencePiece(t testing.TB, data []byte) *Vocabulary {
	t.Helper()
	v := &Vocabulary{Model: "llama", Pre: "default", Scores: []float32{}}
	eachField(t, data, func(field int, _ uint64, body []byte) {
		if field != 1 {
			return
		}
		var text string
		var score float32
		typ := Normal
		eachField(t, body, func(field int, number uint64, body []byte) {
			switch field {
			case 1:
				text = string(body)
			case 2:
				score = math.Float32frombits(uint32(number))
			case 3:
				typ = int32(number) // numbered as in GGUF
			}
		})
		v.Add(text, typ, score)
	})
	if len(v.Pieces) == 0 {
		t.Fatal("gguftest: no SentencePiece model")
	}
	return v
}

// eachField walks the fields of a protocol buffer message.
func eachField(t testing.TB, data []byte, each func(field int, number uint64, body []byte)) {
	t.Helper()
	varint := func() uint64 {
		n, size := binary.Uvarint(data)
		if size <= 0 {
			t.Fatal("gguftest: broken protocol buffer")
		}
		data = data[size:]
		return n
	}
	take := func(n uint64) []byte {
		if n > uint64(len(data)) {
			t.Fatal("gguftest: broken protocol buffer")
		}
		body := data[:n]
		data = data[n:]
		return body
	}
	for len(data) > 0 {
		tag := varint()
		field := int(tag >> 3)
		switch tag & 7 {
		case 0:
			each(field, varint(), nil)
		case 1:
			each(field, binary.LittleEndian.Uint64(take(8)), nil)
		case 2:
			each(field, 0, take(varint()))
		case 5:
			each(field, uint64(binary.LittleEndian.Uint32(take(4))), nil)
		default:
			t.Fatal("gguftest: broken protocol buffer")
		}
	}
}
