package models

import "strings"

// newDeepSeekCoder lays out DeepSeek Coder, base and instruct (README of the model, code
// insertion); V2 has the same markers.
//
//	<｜begin▁of▁sentence｜> <｜fim▁begin｜> prefix <｜fim▁hole｜> suffix <｜fim▁end｜>
//
// Other files stand before the prefix, each after a comment line with its path, the file at hand
// last (README, repository level code completion).
//
// GitLab's definition decodes with temperature 0.
func newDeepSeekCoder(r Recognition, enc *encoder) arrangement {
	m := r.marks
	return &fillIn{enc: enc, bos: r.start(), withFiles: pathComments, headed: true,
		lead: []Token{m.prefix}, gap: []Token{m.suffix}, end: []Token{m.middle}}
}

func pathComments(code Code) string {
	var b strings.Builder
	for _, f := range code.Context {
		b.WriteString("#" + valid(f.Name) + "\n" + f.Text + "\n")
	}
	b.WriteString("#" + valid(code.FileName) + "\n" + code.Prefix)
	return b.String()
}
