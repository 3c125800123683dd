package llama

import (
	"math"
	"strings"
	"unicode/utf8"
)

// place is where a derivation stands: at an item, with what follows behind the end of its sequence.
type place struct {
	item int32
	then *place
}

// mostPlaces bounds how many derivations of a text are followed at once.
const mostPlaces = 4096

// Complete returns the shortest text behind this one that makes it one that the grammar derives; of
// several that come first in it. It is false where there is none, or where too many derivations
// begin like the text. It is for what a limit has cut off.
func (g *Grammar) Complete(text string) (rest string, ok bool) {
	w := completion{g: g, known: map[place]*place{}, least: g.leastLengths()}
	for s := g.rules[g.root]; s < g.rules[g.root+1]; s++ {
		w.expand(w.at(g.sequences[s], nil))
	}
	for _, r := range text {
		from := w.open
		w.open, w.seen, w.whole = nil, map[*place]bool{}, false
		for _, p := range from {
			if g.inClass(g.items[p.item], r) {
				w.expand(w.at(p.item+1, p.then))
			}
		}
		if len(w.seen) > mostPlaces || len(w.known) > 64*mostPlaces {
			return "", false
		}
	}
	if w.whole {
		return "", true
	}
	best, length := (*place)(nil), math.MaxInt
	for _, p := range w.open {
		if n := w.length(p); n < length {
			best, length = p, n
		}
	}
	if best == nil {
		return "", false
	}
	var out []rune
	for p := best; p != nil; p = p.then {
		out = w.write(out, p.item)
	}
	rest = string(out)
	return rest, !strings.ContainsRune(rest, utf8.RuneError)
}

type completion struct {
	g     *Grammar
	known map[place]*place
	least []int // characters of the shortest text of each rule
	open  []*place
	seen  map[*place]bool
	whole bool // the text is derived
}

// at returns the one place of its kind. What stands at the end of a sequence is where that was entered.
func (w *completion) at(item int32, then *place) *place {
	for w.g.items[item] == endOfSequence {
		if then == nil {
			return nil
		}
		item, then = then.item, then.then
	}
	key := place{item, then}
	if p, ok := w.known[key]; ok {
		return p
	}
	w.known[key] = &key
	return &key
}

// expand follows rules from a place to the characters that may come next. Nil is the end.
func (w *completion) expand(p *place) {
	if p == nil {
		w.whole = true
		return
	}
	if w.seen[p] || len(w.seen) > mostPlaces {
		return
	}
	if w.seen == nil {
		w.seen = map[*place]bool{}
	}
	w.seen[p] = true
	v := w.g.items[p.item]
	if v >= 0 {
		w.open = append(w.open, p)
		return
	}
	behind := w.at(p.item+1, p.then)
	for s := w.g.rules[-1-v]; s < w.g.rules[-v]; s++ {
		w.expand(w.at(w.g.sequences[s], behind))
	}
}

// length is that of the shortest text from a place to the end.
func (w *completion) length(p *place) (n int) {
	for ; p != nil; p = p.then {
		for i := p.item; w.g.items[i] != endOfSequence; i++ {
			n = add(n, w.g.length(w.g.items[i], w.least))
		}
	}
	return n
}

// write adds the shortest text from an item to the end of its sequence.
func (w *completion) write(out []rune, item int32) []rune {
	for ; w.g.items[item] != endOfSequence; item++ {
		v := w.g.items[item]
		if v >= 0 {
			out = append(out, w.g.member(v))
			continue
		}
		best, length := int32(-1), math.MaxInt
		for s := w.g.rules[-1-v]; s < w.g.rules[-v]; s++ {
			if n := w.g.sequenceLength(s, w.least); n < length {
				best, length = s, n
			}
		}
		out = w.write(out, w.g.sequences[best])
	}
	return out
}

// leastLengths are the lengths of the shortest texts of all rules.
func (g *Grammar) leastLengths() []int {
	least := make([]int, len(g.rules)-1)
	for i := range least {
		least[i] = math.MaxInt
	}
	for changed := true; changed; {
		changed = false
		for r := range least {
			for s := g.rules[r]; s < g.rules[r+1]; s++ {
				if n := g.sequenceLength(s, least); n < least[r] {
					least[r], changed = n, true
				}
			}
		}
	}
	return least
}

func (g *Grammar) sequenceLength(s int32, least []int) (n int) {
	for i := g.sequences[s]; g.items[i] != endOfSequence; i++ {
		n = add(n, g.length(g.items[i], least))
	}
	return n
}

// length is that of the shortest text of an item.
func (g *Grammar) length(item int32, least []int) int {
	if item >= 0 {
		return 1
	}
	return least[-1-item]
}

// add adds lengths, of which the largest is that of what has no text.
func add(a, b int) int {
	if a == math.MaxInt || b == math.MaxInt {
		return math.MaxInt
	}
	return a + b
}

// member returns a character of a class.
func (g *Grammar) member(c int32) rune {
	if g.negated[c] == 0 {
		return rune(g.ranges[2*g.classes[c]])
	}
	for r := ' '; r < 0x3000; r++ {
		if g.inClass(c, r) {
			return r
		}
	}
	return utf8.RuneError
}
