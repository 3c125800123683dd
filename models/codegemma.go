package models

// codeGemma lays out the base models CodeGemma 2b and 7b (Google's page on its prompt
// structure).
//
//	<bos> <|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|>
//
// No white space around the markers; the tokenizer has no dummy space. The report says that the
// models know the order with the suffix first too, but does not print it: it is not used.
//
// Other files are packed with <|file_separator|> between them, the file at hand last with its
// markers. The report says so; how a file begins is not published, its path and a line end is
// the form that follows it:
//
//	<bos> {path \n text <|file_separator|>} <|fim_prefix|> ...
//
// The vendor's examples decode greedily; GitLab's 0.95 would make a suggestion a matter of
// chance.
type codeGemma struct {
	enc *encoder
	bos []Token
	m   marks
}

func (a codeGemma) start() []Token                      { return a.bos }
func (a codeGemma) prefix(text string) ([]Token, error) { return a.enc.text(text) }
func (a codeGemma) suffix(text string) ([]Token, error) { return a.enc.text(text) }
func (a codeGemma) suffixPercent() int                  { return suffixPercent }
func (a codeGemma) fixed() int                          { return len(a.bos) + 3 }
func (a codeGemma) fileCost(f File) int                 { return a.enc.count(f.Name) + 2 }

func (a codeGemma) lay(code Code, prefix, suffix []Token) ([]Token, error) {
	out := append([]Token{}, a.bos...)
	for _, f := range code.Context {
		ids, err := a.enc.text(valid(f.Name) + "\n" + f.Text)
		if err != nil {
			return nil, err
		}
		out = concat(out, ids, []Token{a.m.file})
	}
	return concat(out, []Token{a.m.prefix}, prefix, []Token{a.m.suffix}, suffix, []Token{a.m.middle}), nil
}
