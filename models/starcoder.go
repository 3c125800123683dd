package models

// newStarCoder lays out StarCoder 1 and its relatives (Refact, Granite Code).
//
//	<fim_prefix> prefix <fim_suffix> suffix <fim_middle>
//
// No BOS, although the metadata name one.
func newStarCoder(r Recognition, enc *encoder) arrangement {
	m := r.marks
	return &fillIn{enc: enc, bos: r.start(), withFiles: plainFiles,
		lead: []Token{m.prefix}, gap: []Token{m.suffix}, end: []Token{m.middle}}
}

// starCoder2 lays out StarCoder2.
//
//	<fim_prefix> prefix <fim_suffix> suffix <fim_middle>
//
// With other files (StarCoder2 paper, repository context): the marker of the prefix stands
// before the path of the file at hand.
//
//	[<repo_name> project] {<file_sep> path \n text} <file_sep> <fim_prefix> path \n prefix <fim_suffix> suffix <fim_middle>
//
// No BOS, although the metadata name one. The order with the suffix first is known from the
// trainer's permutation only and is not used.
type starCoder2 struct {
	enc *encoder
	bos []Token
	m   marks
}

func (a starCoder2) start() []Token                      { return a.bos }
func (a starCoder2) prefix(text string) ([]Token, error) { return a.enc.text(text) }
func (a starCoder2) suffix(text string) ([]Token, error) { return a.enc.text(text) }
func (a starCoder2) suffixPercent() int                  { return suffixPercent }
func (a starCoder2) fixed() int                          { return len(a.bos) + 3 }
func (a starCoder2) fileCost(f File) int                 { return a.enc.count(f.Name) + 2 }

func (a starCoder2) lay(code Code, prefix, suffix []Token) ([]Token, error) {
	out := append([]Token{}, a.bos...)
	if len(code.Context) > 0 {
		var err error
		if code.Project != "" {
			if out, err = a.enc.mark(out, a.m.repo, valid(code.Project)); err != nil {
				return nil, err
			}
		}
		for _, f := range code.Context {
			if out, err = a.enc.mark(out, a.m.file, valid(f.Name)+"\n"+f.Text); err != nil {
				return nil, err
			}
		}
		out = append(out, a.m.file)
		if prefix, err = a.enc.text(valid(code.FileName) + "\n" + code.Prefix); err != nil {
			return nil, err
		}
	}
	return concat(out, []Token{a.m.prefix}, prefix, []Token{a.m.suffix}, suffix, []Token{a.m.middle}), nil
}
