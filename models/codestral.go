package models

import "strings"

// codestralTemperature is that of GitLab 17.8's own definition for Codestral; Mistral recommends
// a low temperature for code.
const codestralTemperature = 0.32

// newCodestral lays out Codestral 22B: encode_fim of mistral-common.
//
//	<s> [SUFFIX] suffix [PREFIX] prefix
//
// The suffix comes first and has no dummy space; there is no middle marker, the answer continues
// the prefix.
//
// Other files stand in the prefix as +++++ headers with their text, the file at hand last: the
// form that Continue uses for this model. It has no special tokens.
func newCodestral(r Recognition, enc *encoder) arrangement {
	return &fillIn{enc: enc, bos: r.start(), suffixFirst: true, bareSuffix: true,
		lead: []Token{r.marks.suffix}, gap: []Token{r.marks.prefix}, withFiles: plusHeaders, headed: true}
}

func plusHeaders(code Code) string {
	var b strings.Builder
	for _, f := range code.Context {
		b.WriteString("+++++ " + valid(f.Name) + "\n" + f.Text + "\n\n")
	}
	b.WriteString("+++++ " + valid(code.FileName) + "\n" + code.Prefix)
	return b.String()
}
