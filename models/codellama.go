package models

// newCodeLlama lays out Code Llama 7b and 13b, base and instruct: infilling_prompt_tokens of
// meta-llama/codellama.
//
//	psm: <s> ▁<PRE> prefix ▁<SUF> suffix ▁<MID>
//	spm: <s> ▁<PRE> ▁<SUF> suffix ▁<MID> prefix
//
// Both were trained. The prefix has the tokenizer's dummy space, the suffix has none. The
// markers carry their leading ▁ themselves: no space is written.
//
// Meta's example of infilling decodes with temperature 0; GitLab's 0.95 would make a suggestion
// a matter of chance.
func newCodeLlama(r Recognition, layout string, enc *encoder) arrangement {
	m := r.marks
	a := &fillIn{enc: enc, bos: r.start(), bareSuffix: true, withFiles: plainFiles,
		lead: []Token{m.prefix}, gap: []Token{m.suffix}, end: []Token{m.middle}}
	if layout == layoutSPM {
		a.lead, a.gap, a.end = []Token{m.prefix, m.suffix}, []Token{m.middle}, nil
		a.suffixFirst = true
	}
	return a
}
