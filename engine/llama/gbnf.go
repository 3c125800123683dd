package llama

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// gbnfParser reads GBNF:
//
//	rule     = name "::=" choice line-end
//	choice   = sequence { "|" sequence }
//	sequence = { item [ "*" | "+" | "?" | "{" m [ "," [ n ] ] "}" ] }
//	item     = "text" | [a-z] | [^a-z] | . | name | ( choice )
//
// White space and # comments may stand between all of these. A line ends a rule unless it is in
// brackets or behind a "|" or "::=".
type gbnfParser struct {
	text    string
	pos     int
	nesting int
	rules   []gbnfRule
	byName  map[string]int
	items   int // in all sequences
}

type gbnfRule struct {
	name      string
	at        int // where it is defined, else where it is used first
	defined   bool
	sequences [][]gbnfItem
}

// gbnfItem is a class of characters or, if that is nil, a rule.
type gbnfItem struct {
	class *gbnfClass
	rule  int
}

type gbnfClass struct {
	ranges  [][2]rune // sorted, not overlapping
	negated bool
}

func (p *gbnfParser) errorAt(at int, reason string) *GrammarError {
	before := p.text[:at]
	line := strings.Count(before, "\n")
	return &GrammarError{Line: line + 1, Column: at - strings.LastIndexByte(before, '\n'), Reason: reason}
}

func (p *gbnfParser) errorf(format string, args ...any) *GrammarError {
	return p.errorAt(p.pos, fmt.Sprintf(format, args...))
}

func (p *gbnfParser) parse() (err error) {
	if len(p.text) > MaxGrammarBytes {
		return &GrammarError{Line: 1, Column: 1, Reason: fmt.Sprintf("%d bytes, at most %d", len(p.text), MaxGrammarBytes)}
	}
	if !utf8.ValidString(p.text) {
		return &GrammarError{Line: 1, Column: 1, Reason: "not UTF-8"}
	}
	// A mistake deep in the recursion goes straight to the top.
	defer func() {
		if r := recover(); r != nil {
			mistake, ok := r.(*GrammarError)
			if !ok {
				panic(r)
			}
			err = mistake
		}
	}()
	p.space(true)
	for p.pos < len(p.text) {
		p.rule()
	}
	for _, r := range p.rules {
		if !r.defined {
			return p.errorAt(r.at, fmt.Sprintf("rule %q is not defined", r.name))
		}
	}
	if _, ok := p.byName["root"]; !ok {
		return p.errorf("no rule is called \"root\", with which texts begin")
	}
	return nil
}

// peek is the next byte, or 0 at the end. A grammar holds no NUL where it matters.
func (p *gbnfParser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// space skips white space and comments.
func (p *gbnfParser) space(lines bool) {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == ' ' || c == '\t' || lines && (c == '\r' || c == '\n'):
			p.pos++
		case c == '#':
			for p.pos < len(p.text) && p.text[p.pos] != '\n' && p.text[p.pos] != '\r' {
				p.pos++
			}
		default:
			return
		}
	}
}

func isGBNFName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}

func (p *gbnfParser) name() string {
	from := p.pos
	for isGBNFName(p.peek()) {
		p.pos++
	}
	if p.pos == from {
		panic(p.errorf("a name of a rule is expected, made of letters, digits and -"))
	}
	return p.text[from:p.pos]
}

// ruleCalled finds a rule by name, or makes room for it.
func (p *gbnfParser) ruleCalled(name string, at int) int {
	if i, ok := p.byName[name]; ok {
		return i
	}
	i := p.newRule(name, at)
	p.byName[name] = i
	return i
}

func (p *gbnfParser) newRule(name string, at int) int {
	if len(p.rules) == maxGrammarRules {
		panic(p.errorf("more than %d rules, repetitions included", maxGrammarRules))
	}
	p.rules = append(p.rules, gbnfRule{name: name, at: at})
	return len(p.rules) - 1
}

func (p *gbnfParser) define(i int, sequences ...[]gbnfItem) {
	p.rules[i].defined = true
	p.rules[i].sequences = sequences
	for _, s := range sequences {
		p.count(len(s) + 1)
	}
}

// count bounds what the rules hold in all.
func (p *gbnfParser) count(items int) {
	if p.items += items; p.items > maxGrammarItems {
		panic(p.errorf("more than %d items, repetitions included", maxGrammarItems))
	}
}

func (p *gbnfParser) rule() {
	at := p.pos
	name := p.name()
	i := p.ruleCalled(name, at)
	if p.rules[i].defined {
		panic(p.errorAt(at, fmt.Sprintf("rule %q is defined twice", name)))
	}
	p.rules[i].at = at
	p.space(false)
	if !strings.HasPrefix(p.text[p.pos:], "::=") {
		panic(p.errorf("\"::=\" is expected"))
	}
	p.pos += len("::=")
	p.space(true)
	p.define(i, p.choice(name)...)
	if c := p.peek(); c != '\n' && c != '\r' && p.pos < len(p.text) {
		panic(p.errorf("%q does not belong here", p.text[p.pos:p.pos+1]))
	}
	p.space(true)
}

func (p *gbnfParser) choice(name string) (sequences [][]gbnfItem) {
	for {
		sequences = append(sequences, p.sequence(name))
		if p.peek() != '|' {
			return sequences
		}
		p.pos++
		p.space(true)
	}
}

func (p *gbnfParser) sequence(name string) (out []gbnfItem) {
	last := -1 // where in out a repetition behind it begins; -1: there is nothing to repeat
	for {
		from := len(out)
		switch c := p.peek(); {
		case c == '"':
			out = append(out, p.literal()...)
		case c == '[':
			out = append(out, p.class())
		case c == '.':
			p.pos++
			out = append(out, gbnfItem{class: &gbnfClass{negated: true}})
		case c == '(':
			out = append(out, p.group(name))
		case isGBNFName(c):
			at := p.pos
			out = append(out, gbnfItem{rule: p.ruleCalled(p.name(), at)})
		case c == '*' || c == '+' || c == '?' || c == '{':
			least, most := p.times()
			if last < 0 || last == len(out) {
				panic(p.errorf("there is nothing in front of this to repeat"))
			}
			out = p.repeat(name, out[:last], slices.Clone(out[last:]), least, most)
			from = -1
		case c == '<' || c == '!':
			panic(p.errorf("references to tokens are not supported"))
		default:
			return out
		}
		last = from
		p.space(p.nesting > 0)
		if len(out) > maxGrammarItems {
			p.count(len(out))
		}
	}
}

func (p *gbnfParser) group(name string) gbnfItem {
	if p.nesting++; p.nesting > maxGrammarNesting {
		panic(p.errorf("more than %d brackets within each other", maxGrammarNesting))
	}
	i := p.newRule(name, p.pos)
	p.pos++
	p.space(true)
	sequences := p.choice(name)
	if p.peek() != ')' {
		panic(p.errorf("\")\" is expected"))
	}
	p.pos++
	p.nesting--
	p.define(i, sequences...)
	return gbnfItem{rule: i}
}

// times reads a repetition; most is -1 where there is no limit.
func (p *gbnfParser) times() (least, most int) {
	c := p.peek()
	p.pos++
	switch c {
	case '*':
		return 0, -1
	case '+':
		return 1, -1
	case '?':
		return 0, 1
	}
	p.space(true)
	least = p.number()
	most = least
	p.space(true)
	if p.peek() == ',' {
		p.pos++
		p.space(true)
		most = -1
		if c := p.peek(); '0' <= c && c <= '9' {
			most = p.number()
		}
		p.space(true)
	}
	if p.peek() != '}' {
		panic(p.errorf("\"}\" is expected"))
	}
	p.pos++
	if most >= 0 && most < least {
		panic(p.errorf("{%d,%d} ends before it begins", least, most))
	}
	return least, most
}

func (p *gbnfParser) number() int {
	from := p.pos
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.pos++
	}
	n, err := strconv.Atoi(p.text[from:p.pos])
	if err != nil || n > maxGrammarRepeats {
		panic(p.errorAt(from, fmt.Sprintf("a number up to %d is expected", maxGrammarRepeats)))
	}
	return n
}

// repeat appends x, least to most times, to out:
//
//	x{m,}  becomes  x x x (m times) R    with  R ::= x R |
//	x{m,n} becomes  x x x (m times) R_1  with  R_i ::= x R_(i+1) |   and n-m of them
func (p *gbnfParser) repeat(name string, out, x []gbnfItem, least, most int) []gbnfItem {
	p.count(least * len(x))
	for range least {
		out = append(out, x...)
	}
	if most == 0 || most == least {
		return out
	}
	if most < 0 {
		r := p.newRule(name, p.pos)
		p.define(r, append(slices.Clone(x), gbnfItem{rule: r}), nil)
		return append(out, gbnfItem{rule: r})
	}
	inner := x
	for range most - least {
		r := p.newRule(name, p.pos)
		p.define(r, inner, nil)
		inner = append(slices.Clone(x), gbnfItem{rule: r})
	}
	return append(out, inner[len(x):]...)
}

func (p *gbnfParser) literal() (out []gbnfItem) {
	at := p.pos
	p.pos++
	for p.peek() != '"' {
		if p.pos >= len(p.text) {
			panic(p.errorAt(at, "the text that begins here does not end"))
		}
		r := p.character()
		out = append(out, gbnfItem{class: &gbnfClass{ranges: [][2]rune{{r, r}}}})
	}
	p.pos++
	return out
}

func (p *gbnfParser) class() gbnfItem {
	at := p.pos
	p.pos++
	c := &gbnfClass{}
	if p.peek() == '^' {
		c.negated = true
		p.pos++
	}
	for p.peek() != ']' {
		if p.pos >= len(p.text) {
			panic(p.errorAt(at, "the set that begins here does not end"))
		}
		low := p.character()
		high := low
		if p.peek() == '-' && !strings.HasPrefix(p.text[p.pos:], "-]") {
			p.pos++
			if high = p.character(); high < low {
				panic(p.errorf("%q to %q is no range", low, high))
			}
		}
		c.ranges = append(c.ranges, [2]rune{low, high})
	}
	p.pos++
	if len(c.ranges) == 0 && !c.negated {
		panic(p.errorAt(at, "an empty set matches nothing"))
	}
	slices.SortFunc(c.ranges, func(a, b [2]rune) int { return int(a[0]) - int(b[0]) })
	merged := c.ranges[:0]
	for _, r := range c.ranges {
		if n := len(merged); n > 0 && r[0] <= merged[n-1][1]+1 {
			merged[n-1][1] = max(merged[n-1][1], r[1])
		} else {
			merged = append(merged, r)
		}
	}
	c.ranges = merged
	p.count(len(merged))
	return gbnfItem{class: c}
}

// character reads one of a text or a set, which may be escaped.
func (p *gbnfParser) character() rune {
	if p.pos >= len(p.text) {
		panic(p.errorf("the grammar ends in the middle of a text or set"))
	}
	if p.text[p.pos] != '\\' {
		r, size := utf8.DecodeRuneInString(p.text[p.pos:])
		p.pos += size
		return r
	}
	if p.pos++; p.pos >= len(p.text) {
		panic(p.errorf("the grammar ends behind a \\"))
	}
	c := p.text[p.pos]
	p.pos++
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '\\', '"', '[', ']', '-':
		return rune(c)
	case 'x':
		return p.hex(2)
	case 'u':
		return p.hex(4)
	case 'U':
		return p.hex(8)
	}
	p.pos--
	panic(p.errorf("unknown escape; write \\\\ for a backslash"))
}

func (p *gbnfParser) hex(digits int) rune {
	if p.pos+digits > len(p.text) {
		panic(p.errorf("%d hexadecimal digits are expected", digits))
	}
	n, err := strconv.ParseUint(p.text[p.pos:p.pos+digits], 16, 32)
	if err != nil || n > utf8.MaxRune {
		panic(p.errorf("%d hexadecimal digits of a character are expected", digits))
	}
	p.pos += digits
	return rune(n)
}
