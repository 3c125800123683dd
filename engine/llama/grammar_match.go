package llama

// Derives tells whether a text is one that the grammar derives. It tries one derivation after the other,
// for which an ambiguous grammar has exponential time: it is for tests, and the reference that the shim,
// which follows all of them at once, is held against.
func (g *Grammar) Derives(text string) bool {
	_, whole := g.match(text)
	return whole
}

// match tells whether some text that the grammar derives begins with this one, and whether it is one.
func (g *Grammar) match(text string) (begins, whole bool) {
	for s := g.rules[g.root]; s < g.rules[g.root+1]; s++ {
		g.matchItems(g.sequences[s], []rune(text), &begins, func(rest []rune) { whole = whole || len(rest) == 0 })
	}
	return begins || whole, whole
}

// matchItems calls behind with each rest of text that may be left behind the items from at on. begins
// is set when the text ends among them.
func (g *Grammar) matchItems(at int32, text []rune, begins *bool, behind func(rest []rune)) {
	v := g.items[at]
	switch {
	case v == endOfSequence:
		behind(text)
	case v >= 0:
		if len(text) == 0 {
			*begins = true
		} else if g.inClass(v, text[0]) {
			g.matchItems(at+1, text[1:], begins, behind)
		}
	default:
		for s := g.rules[-1-v]; s < g.rules[-v]; s++ {
			g.matchItems(g.sequences[s], text, begins, func(rest []rune) { g.matchItems(at+1, rest, begins, behind) })
		}
	}
}

func (g *Grammar) inClass(c int32, r rune) bool {
	in := false
	for i := g.classes[c]; i < g.classes[c+1]; i++ {
		in = in || g.ranges[2*i] <= uint32(r) && uint32(r) <= g.ranges[2*i+1]
	}
	return in != (g.negated[c] != 0)
}
