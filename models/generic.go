package models

import "strings"

// Layouts name the arrangement of a prompt, for logs and `aigw tokenize`.
const (
	layoutPrefix = "prefix" // the text above the cursor alone
	layoutPSM    = "psm"    // prefix, suffix, then the middle is written
	layoutSPM    = "spm"    // suffix, prefix, then the middle is written
	layoutText   = "text"   // as the caller wrote it
	layoutChat   = "chat"   // messages
)

// newGeneric returns the codec of a model without fill-in-the-middle, or of which nothing is
// known: the prompt is the text above the cursor and nothing else, behind BOS if the vocabulary
// wants one. Other files come before it as plain text, joined as GitLab's gateway joins them
// (ai-gateway-api.md section 6.3).
//
// It decodes greedily: so do GitLab's own definitions for the families without fill-in tokens
// (mistral, mixtral, gpt: temperature 0), and the most probable continuation is what a person
// who types expects; identical requests then have identical answers.
func newGeneric(family Family, tok Tokenizer, enc *encoder, start []Token, stops Stops) *completion {
	return &completion{
		family: family, tok: tok, enc: enc, layout: layoutPrefix,
		arrange: prefixAlone{enc, start}, stops: stops,
	}
}

// prefixAlone arranges BOS, other files, prefix.
type prefixAlone struct {
	enc *encoder
	bos []Token
}

func (a prefixAlone) start() []Token                      { return a.bos }
func (a prefixAlone) prefix(text string) ([]Token, error) { return a.enc.text(text) }
func (a prefixAlone) suffix(string) ([]Token, error)      { return nil, nil }
func (a prefixAlone) suffixPercent() int                  { return 0 }
func (a prefixAlone) fixed() int                          { return len(a.bos) }
func (a prefixAlone) fileCost(File) int                   { return 1 } // the line end behind it
func (a prefixAlone) lay(code Code, prefix, _ []Token) ([]Token, error) {
	if len(code.Context) > 0 {
		var err error
		if prefix, err = a.enc.text(joinFiles(code.Context) + "\n" + code.Prefix); err != nil {
			return nil, err
		}
	}
	return a.enc.begin(a.bos, prefix)
}

// joinFiles puts the texts of files one after the other, as GitLab's gateway does.
func joinFiles(files []File) string {
	texts := make([]string, len(files))
	for i, f := range files {
		texts[i] = f.Text
	}
	return strings.Join(texts, "\n")
}
