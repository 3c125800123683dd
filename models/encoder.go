package models

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// encoder turns text of users into tokens for one model. It never returns a control token:
// text that looks like one is encoded as the text it is. It may be used concurrently.
type encoder struct {
	tok Tokenizer
	// control are the tokens that text must not become, by the text that could become them.
	// llama.cpp parses pieces typed USER_DEFINED out of plain text, and its SentencePiece
	// merges reach control pieces that are spelled by smaller ones.
	control map[Token]string
	// isControl is control by token: every token of every prompt is looked up.
	isControl []bool
	// shield is what the tokenizer makes of shieldText, if it puts a dummy space before a text.
	shield []Token
}

// shieldText stands before a text that must be tokenized without dummy space: nothing merges
// across it, so its tokens can be dropped again. Meta's and Mistral's own code does the same
// (llama/tokenizer.py of codellama, tokenize_no_dummy_prefix).
const shieldText = "☺"

// newEncoder makes an encoder. dummySpace says that the tokenizer puts a space before a text
// (SentencePiece with add_space_prefix).
func newEncoder(tok Tokenizer, control map[Token]string, dummySpace bool) (*encoder, error) {
	e := &encoder{tok: tok, control: control}
	for t := range control {
		if n := int(t) + 1; n > len(e.isControl) {
			e.isControl = append(e.isControl, make([]bool, n-len(e.isControl))...)
		}
		e.isControl[t] = true
	}
	if dummySpace {
		ids, err := tok.Tokenize(shieldText)
		if err != nil {
			return nil, err
		}
		e.shield = ids
	}
	return e, nil
}

// text encodes a text that stands for itself, with the tokenizer's dummy space if it has one.
// No text gives no tokens.
func (e *encoder) text(s string) ([]Token, error) {
	if s == "" {
		return nil, nil
	}
	s = valid(s)
	ids, err := e.tok.Tokenize(s)
	if err != nil {
		return nil, err
	}
	if at := e.firstControl(ids); at >= 0 {
		return e.pieces(s, ids, e.text)
	}
	return ids, nil
}

// bare encodes a text that continues another one: without dummy space.
func (e *encoder) bare(s string) ([]Token, error) {
	if len(e.shield) == 0 || s == "" {
		return e.text(s)
	}
	s = valid(s)
	ids, err := e.tok.Tokenize(shieldText + s)
	if err != nil {
		return nil, err
	}
	if len(ids) < len(e.shield) || !slices.Equal(ids[:len(e.shield)], e.shield) {
		return nil, fmt.Errorf("this vocabulary merges %q with the text after it: it has no way to encode a text without a space before it", shieldText)
	}
	ids = ids[len(e.shield):]
	if at := e.firstControl(ids); at >= 0 {
		return e.pieces(s, ids, e.bare)
	}
	return ids, nil
}

// begin puts ids behind start. A prompt has at least one token: where there is neither, it is a
// line end, which says as little as possible.
func (e *encoder) begin(start, ids []Token) ([]Token, error) {
	if len(start)+len(ids) == 0 {
		return e.text("\n")
	}
	return slices.Concat(start, ids), nil
}

// mark appends a marker and the text behind it to out.
func (e *encoder) mark(out []Token, marker Token, s string) ([]Token, error) {
	ids, err := e.text(s)
	return append(append(out, marker), ids...), err
}

// count returns how many tokens a short text needs; about its bytes if it cannot be encoded.
func (e *encoder) count(s string) int {
	ids, err := e.text(s)
	if err != nil {
		return len(s)
	}
	return len(ids)
}

// firstControl returns the index of the first control token, or -1.
func (e *encoder) firstControl(ids []Token) int {
	return slices.IndexFunc(ids, func(t Token) bool { return t >= 0 && int(t) < len(e.isControl) && e.isControl[t] })
}

// pieces encodes a text whose tokens contain control tokens: it is cut behind the first
// character of every place that spells one of them, all at once so that a text full of them costs no
// more than its length, and the parts are encoded one by one, the first with encodeFirst and the
// others bare.
func (e *encoder) pieces(s string, ids []Token, encodeFirst func(string) ([]Token, error)) ([]Token, error) {
	cuts := e.lookAlikes(s, ids)
	if len(cuts) == 0 {
		return nil, fmt.Errorf("a text becomes control token %d of this vocabulary and cannot be kept from it", ids[e.firstControl(ids)])
	}
	out, err := encodeFirst(s[:cuts[0]])
	if err != nil {
		return nil, err
	}
	for i, from := range cuts {
		to := len(s)
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		part, err := e.bare(s[from:to])
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// lookAlikes returns where s is to be cut, in order: behind the first character of each place that
// spells one of the control tokens in ids.
func (e *encoder) lookAlikes(s string, ids []Token) []int {
	var cuts []int
	seen := map[Token]bool{}
	for _, t := range ids {
		spelled, ok := e.control[t]
		if !ok || seen[t] {
			continue
		}
		seen[t] = true
		_, first := utf8.DecodeRuneInString(spelled)
		for at := 0; ; at += first {
			i := strings.Index(s[at:], spelled)
			if i < 0 {
				break
			}
			at += i
			if at+first < len(s) {
				cuts = append(cuts, at+first)
			}
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// PlainText encodes a text as the codecs of a recognised model encode what users write: no BOS, no
// marker, and nothing in it becomes a control token. The tokenizer must be that of the file, loaded
// with r.Overrides.
func PlainText(r Recognition, tok Tokenizer, text string) ([]Token, error) {
	if err := r.Err(r.file); err != nil {
		return nil, err
	}
	enc, err := newEncoder(tok, r.control, r.Tokenizer.DummySpace)
	if err != nil {
		return nil, err
	}
	return enc.text(text)
}

// valid replaces bytes that are not UTF-8 by U+FFFD: tokenizers disagree on what they are.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
