package models

import (
	"slices"
	"strings"
)

// collectStops resolves what ends a generation: the family's pieces and the EOS of the file.
// llama.cpp's own list is wrong for several families (model-families.md, section 2.1).
func (d *detective) collectStops() {
	known := families[d.r.Family]
	for _, text := range known.stops {
		if id := d.mark(text); id != noToken {
			d.r.stops = append(d.r.stops, id)
		}
	}
	if id := d.mark("<|im_end|>"); d.r.Chat == ChatChatML && id != noToken {
		d.r.stops = append(d.r.stops, id)
	}
	if d.r.Family == Codestral && d.r.FIM {
		d.r.stops = append(d.r.stops, d.r.marks.prefix, 12, d.r.marks.suffix) // 12 is [MIDDLE]
	}
	if id, ok := d.id(keyEOS); ok && int(id) < d.v.size() {
		d.r.stops = append(d.r.stops, id)
	}
	slices.Sort(d.r.stops)
	d.r.stops = slices.Compact(d.r.stops)
	d.r.end = d.mark("</s>")
	d.r.chatIDs = map[string]Token{}
	for _, text := range chatMarks[d.r.Chat] {
		if id := d.mark(text); id != noToken {
			d.r.chatIDs[text] = id
		}
	}
}

// collectControl notes the tokens that a user's text must not become, by how they are spelled.
func (d *detective) collectControl() {
	d.r.control = map[Token]string{}
	add := func(id Token) {
		text := d.v.piece(id)
		if d.v.kind == sentencePiece {
			text = strings.TrimLeft(strings.ReplaceAll(text, "▁", " "), " ")
		}
		if text != "" {
			d.r.control[id] = text
		}
	}
	count := 0
	for _, t := range d.v.types {
		if pieceType(t) == pieceControl {
			count++
		}
	}
	// A file that calls most of its pieces control pieces has types that mean nothing.
	if count < d.v.size()/4 {
		for i := range d.v.size() {
			if d.v.typeOf(Token(i)) == pieceControl {
				add(Token(i))
			}
		}
	}
	for _, id := range slices.Concat(d.r.stops, d.familyMarks(), d.templateMarks()) {
		add(id)
	}
	if d.r.bos != noToken {
		add(d.r.bos)
	}
}

// templateMarks returns the user-defined pieces that the file's chat template writes: a template
// marks turns with them, so that a user must not. llama.cpp takes them out of any text.
func (d *detective) templateMarks() []Token {
	if d.r.Template == "" {
		return nil
	}
	var out []Token
	for i := range Token(d.v.size()) {
		if d.v.typeOf(i) != pieceUserDefined {
			continue
		}
		text := d.v.piece(i)
		if n := len(text); n > 2 && strings.ContainsRune("<[", rune(text[0])) && strings.ContainsRune(">]", rune(text[n-1])) &&
			strings.Contains(d.r.Template, text) {
			out = append(out, i)
		}
	}
	return out
}

// familyMarks returns all marker tokens of the family, those of its chat format included.
func (d *detective) familyMarks() []Token {
	var out []Token
	m := d.r.marks
	for _, id := range []Token{m.prefix, m.suffix, m.middle, m.file, m.repo} {
		if id != noToken {
			out = append(out, id)
		}
	}
	for _, text := range chatMarks[d.r.Chat] {
		if id := d.mark(text); id != noToken {
			out = append(out, id)
		}
	}
	if d.r.Family == DeepSeekCoder {
		for _, text := range []string{"<pad>", "<|User|>", "<|Assistant|>", "<|EOT|>"} {
			if id := d.mark(text); id != noToken {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
