package models

// fillIn arranges the fill-in-the-middle prompts whose other files are plain text before the
// text above the cursor: Code Llama, Codestral, DeepSeek Coder, StarCoder.
type fillIn struct {
	enc  *encoder
	bos  []Token
	lead []Token // before the first text
	gap  []Token // between the two texts
	end  []Token // behind the last text
	// suffixFirst puts the text below the cursor first: while a person types, the prompt then
	// only grows at its end, and everything before is taken from the KV cache.
	suffixFirst bool
	// bareSuffix encodes the suffix without dummy space, where the authors do.
	bareSuffix bool
	// withFiles puts other files before the prefix, in the family's form; headed says that it
	// writes their names.
	withFiles func(code Code) string
	headed    bool
}

func (a *fillIn) start() []Token { return a.bos }

func (a *fillIn) prefix(text string) ([]Token, error) { return a.enc.text(text) }

func (a *fillIn) suffix(text string) ([]Token, error) {
	if a.bareSuffix {
		return a.enc.bare(text)
	}
	return a.enc.text(text)
}

func (a *fillIn) suffixPercent() int { return suffixPercent }

func (a *fillIn) fixed() int { return len(a.bos) + len(a.lead) + len(a.gap) + len(a.end) }

func (a *fillIn) fileCost(f File) int {
	if !a.headed {
		return 1 // the line end behind it
	}
	return a.enc.count(f.Name) + 4 // signs and line ends around the name
}

func (a *fillIn) lay(code Code, prefix, suffix []Token) ([]Token, error) {
	if len(code.Context) > 0 {
		var err error
		if prefix, err = a.enc.text(a.withFiles(code)); err != nil {
			return nil, err
		}
	}
	first, second := prefix, suffix
	if a.suffixFirst {
		first, second = suffix, prefix
	}
	return concat(a.bos, a.lead, first, a.gap, second, a.end), nil
}

// concat joins tokens into a slice of their own.
func concat(parts ...[]Token) []Token {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]Token, 0, n)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// plainFiles puts other files before the prefix as GitLab's gateway does.
func plainFiles(code Code) string { return joinFiles(code.Context) + "\n" + code.Prefix }
