package models

// qwenCoder lays out Qwen2.5-Coder, base and instruct (README of the project).
//
//	<|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|>
//
// With other files (README, repository level; technical report for the markers behind the path):
//
//	[<|repo_name|> project \n] {<|file_sep|> path \n text \n} <|file_sep|> path \n <|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|>
//
// No BOS: the one that the metadata name is not to be added.
type qwenCoder struct {
	enc *encoder
	bos []Token
	m   marks
}

func (a qwenCoder) start() []Token                      { return a.bos }
func (a qwenCoder) prefix(text string) ([]Token, error) { return a.enc.text(text) }
func (a qwenCoder) suffix(text string) ([]Token, error) { return a.enc.text(text) }
func (a qwenCoder) suffixPercent() int                  { return suffixPercent }
func (a qwenCoder) fixed() int                          { return len(a.bos) + 3 }
func (a qwenCoder) fileCost(f File) int                 { return a.enc.count(f.Name) + 3 }

func (a qwenCoder) lay(code Code, prefix, suffix []Token) ([]Token, error) {
	out := append([]Token{}, a.bos...)
	if len(code.Context) > 0 {
		var err error
		if code.Project != "" {
			if out, err = a.enc.mark(out, a.m.repo, valid(code.Project)+"\n"); err != nil {
				return nil, err
			}
		}
		for _, f := range code.Context {
			if out, err = a.enc.mark(out, a.m.file, valid(f.Name)+"\n"+f.Text+"\n"); err != nil {
				return nil, err
			}
		}
		if out, err = a.enc.mark(out, a.m.file, valid(code.FileName)+"\n"); err != nil {
			return nil, err
		}
	}
	return concat(out, []Token{a.m.prefix}, prefix, []Token{a.m.suffix}, suffix, []Token{a.m.middle}), nil
}
