package engine

import (
	"strings"
	"unicode/utf8"

	"aigw/engine/llama"
)

// Where a text may be cut so that the tokens of its parts are those of the whole.
//
// A tokenizer looks at a text in two steps. First, user-defined pieces are taken out wherever they
// stand, and for BPE a regular expression (tokenizer.ggml.pre) splits what is left into words; then
// letters are merged into pieces within each word, for SentencePiece within all of the text. A cut
// between two characters changes nothing if
//
//   - no piece contains the two next to each other: no merge and no user-defined piece spans it
//     (for BPE that need be so of user-defined pieces only, others do not leave their word), and
//   - for BPE, the expression has a boundary there whatever stands before and behind, and decides
//     the same on each side if the other is missing.
//
// Line ends are such places in all families that this program knows, but on different sides:
//
//   - after a line end, if the next line is not blank: for the expressions of Llama 3 and Qwen2,
//     whose words end with line ends, of which "\s*[\r\n]+" takes as many as there are;
//   - before a line end that follows a printable character: for GPT-2's expression, whose words
//     never contain both, while what it makes of white space depends on what is behind it;
//   - both, where the expression isolates line ends (DeepSeek Coder), and in SentencePiece.
//
// TestCutsAreExact holds this against tokenizing whole, for real vocabularies of each kind.
type cuts struct {
	before, after bool
	// lineEndThen are the characters that stand behind a line end within a piece; thenLineEnd are
	// those before one.
	lineEndThen, thenLineEnd map[rune]bool
	// shield stands before a part that is not the first, where the tokenizer puts a dummy space
	// before a text; its tokens are dropped again (models, shieldText).
	shield       string
	shieldTokens []llama.Token
}

// cutsByPre says for which values of tokenizer.ggml.pre cuts are known; others are tokenized whole.
var cutsByPre = map[string]struct{ before, after bool }{
	"gpt-2": {before: true}, "starcoder": {before: true}, "refact": {before: true}, "smollm": {before: true},
	"llama-bpe": {after: true}, "llama3": {after: true}, "llama-v3": {after: true},
	"qwen2": {after: true}, "deepseek-r1-qwen": {after: true},
	"deepseek-coder": {before: true, after: true},
}

// newCuts returns where texts of a vocabulary may be cut; nil if that is not known.
func newCuts(m *llama.Model) *cuts {
	v := m.Vocab()
	c := &cuts{lineEndThen: map[rune]bool{}, thenLineEnd: map[rune]bool{}}
	switch v.Type() {
	case llama.VocabSentencePiece:
		c.before, c.after = true, true
	case llama.VocabBPE:
		pre, _ := m.Meta("tokenizer.ggml.pre")
		rule, ok := cutsByPre[pre]
		if !ok {
			return nil
		}
		c.before, c.after = rule.before, rule.after
	default:
		return nil
	}
	for i, piece := range v.Pieces() {
		attr := v.Attr(llama.Token(i))
		user := attr&llama.AttrUserDefined != 0
		if user && attr&(llama.AttrLeftStrip|llama.AttrRightStrip) != 0 {
			return nil // it takes white space of its neighbours along
		}
		if v.Type() == llama.VocabSentencePiece || user {
			c.learn(piece)
		}
		if user && v.Type() == llama.VocabSentencePiece && piece != "" { // a dummy space may follow it
			last, _ := utf8.DecodeLastRuneInString(piece)
			c.thenLineEnd[last] = true
			c.after = c.after && last != '\n'
		}
	}
	if v.Type() == llama.VocabSentencePiece && !c.findShield(v) {
		return nil
	}
	return c
}

// learn notes the neighbours of line ends in a piece.
func (c *cuts) learn(piece string) {
	last := rune(-1)
	for _, r := range piece {
		if last == '\n' {
			c.lineEndThen[r] = true
		}
		if (r == '\n' || r == '\r') && last >= 0 {
			c.thenLineEnd[last] = true
		}
		last = r
	}
}

// findShield finds out whether the tokenizer puts a dummy space before a text, and what keeps it
// away.
func (c *cuts) findShield(v *llama.Vocab) bool {
	const shield = "☺"
	alone, err := v.Tokenize(shield, false, false)
	if err != nil {
		return false
	}
	text := ""
	for _, t := range alone {
		text += v.Pieces()[t]
	}
	switch text {
	case shield:
		return true // no dummy space
	case " " + shield:
		c.shield, c.shieldTokens = shield, alone
		return true
	}
	return false
}

// at reports whether text may be cut before byte i, 0 < i < len(text).
func (c *cuts) at(text string, i int) bool {
	last, next := text[i-1], text[i]
	if c.before && (next == '\n' || next == '\r') && printable(last) && !c.thenLineEnd[rune(last)] {
		return true
	}
	if !c.after || last != '\n' || next == '\n' || next == '\r' {
		return false
	}
	r, _ := utf8.DecodeRuneInString(text[i:])
	if c.lineEndThen[r] {
		return false
	}
	rest := strings.TrimLeft(text[i:], " \t")
	return rest != "" && printable(rest[0])
}

// printable reports whether b is a visible character of ASCII.
func printable(b byte) bool { return b > ' ' && b < 0x7f }
