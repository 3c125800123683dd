package models

import (
	"cmp"
	"fmt"
	"strings"
)

// decideFillIn finds out whether and how the model fills in the middle.
func (d *detective) decideFillIn() {
	known := families[d.r.Family]
	d.r.marks = marks{d.mark(known.marks.prefix), d.mark(known.marks.suffix), d.mark(known.marks.middle), d.mark(known.marks.file), d.mark(known.marks.repo)}
	_, python := anyName(d.names, "python")
	switch {
	case d.noFIM != "" || known.layout == "":
	case d.r.Family == CodeGemma && d.r.Role == Instruct:
		d.noFIM = "CodeGemma 7b-it was not trained to fill in the middle; use CodeGemma 2b or 7b for completion"
	case d.r.Family == CodeLlama && python:
		d.noFIM = "this Code Llama has no fill-in-the-middle training (34b and Python variants do not); use 7b or 13b"
	case d.missingMark(d.r.Family) == "":
		d.r.FIM = true
	case d.r.Family == Codestral && d.earlyCodestral():
		d.r.FIM = true
		d.r.marks.prefix, d.r.marks.suffix = 11, 13
		d.defect(Repaired, keyTokens, "11 and 13 are used as [PREFIX] and [SUFFIX]",
			"has %s and %s, as the first conversions of Codestral", d.v.piece(11), d.v.piece(13))
	default:
		d.noFIM = fmt.Sprintf("piece %s is missing: no fill-in-the-middle; convert the model again", d.missingMark(d.r.Family))
	}
	if !d.r.FIM {
		d.r.NoFIM = d.noFIM
		if claims, piece := d.claimsFIM(); claims && d.noFIM == "" {
			d.r.NoFIM = fmt.Sprintf("the metadata claim fill-in-the-middle, but piece %d is %q: no fill-in-the-middle", piece, Clip(d.v.piece(piece)))
		}
		d.note("no fill-in-the-middle: %s", cmp.Or(d.r.NoFIM, "the family has none"))
		return
	}
	d.r.Layout = known.layout
	d.note("fill-in-the-middle (%s): prefix %d, suffix %d, middle %d", known.layout, d.r.marks.prefix, d.r.marks.suffix, d.r.marks.middle)
}

// mark returns the token of a marker, or noToken.
func (d *detective) mark(text string) Token {
	if id, ok := d.found[text]; ok && text != "" {
		return id
	}
	return noToken
}

// earlyCodestral recognises the first conversions of Codestral, whose markers still had the
// names of reserve.
func (d *detective) earlyCodestral() bool {
	return d.v.kind == sentencePiece && d.v.size() >= 32768 &&
		strings.HasPrefix(d.v.piece(11), "[control_") && strings.HasPrefix(d.v.piece(13), "[control_")
}

// fillInKeys are the metadata keys that name fill-in tokens; the last three are deprecated.
var fillInKeys = []struct{ key, part string }{
	{"tokenizer.ggml.fim_pre_token_id", "prefix"},
	{"tokenizer.ggml.fim_suf_token_id", "suffix"},
	{"tokenizer.ggml.fim_mid_token_id", "middle"},
	{"tokenizer.ggml.prefix_token_id", "prefix"},
	{"tokenizer.ggml.suffix_token_id", "suffix"},
	{"tokenizer.ggml.middle_token_id", "middle"},
}

// claimsFIM reports whether the metadata name fill-in tokens, and one of them.
func (d *detective) claimsFIM() (bool, Token) {
	for _, k := range fillInKeys {
		if id, ok := d.id(k.key); ok {
			return true, id
		}
	}
	return false, noToken
}

// missingMark returns a piece that fill-in-the-middle of a family needs and that is not there.
func (d *detective) missingMark(family Family) string {
	m := families[family].marks
	for _, text := range []string{m.prefix, m.suffix, m.middle} {
		if _, ok := d.found[text]; text != "" && !ok {
			return text
		}
	}
	return ""
}
