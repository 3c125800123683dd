package llama

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Bounds of a grammar. A grammar is small beside them: that of a JSON schema with a hundred
// properties has about 4,000 items.
const (
	// MaxGrammarBytes is the longest text of a grammar.
	MaxGrammarBytes = 1 << 18
	// maxGrammarItems bounds what repetitions expand to, and with it a sampler's memory: 4 bytes each.
	maxGrammarItems   = 1 << 17
	maxGrammarRules   = 1 << 14
	maxGrammarNesting = 64      // brackets within brackets
	maxGrammarRepeats = 1 << 12 // in one {m,n}
)

// Grammar confines what a sampler draws to texts that it derives. It is made by ParseGrammar, never
// changes, and may be used by any number of samplers at once.
//
// A rule is a choice of sequences, and a sequence is a row of items in items that endOfSequence
// ends: classes of characters, by index, and references to rules, as -1 minus their index.
type Grammar struct {
	items     []int32
	sequences []int32 // where each begins in items
	rules     []int32 // first sequence of each rule, and the end of the last one
	ranges    []uint32
	classes   []int32 // first pair of each class in ranges, and the end of the last one
	negated   []int8
	root      int32
}

// endOfSequence ends a row of items. The shim knows it too.
const endOfSequence = math.MinInt32

// GrammarError says what is wrong with a grammar, and where. Lines and columns (of bytes) count from 1.
type GrammarError struct {
	Line, Column int
	Reason       string
}

func (e *GrammarError) Error() string {
	return fmt.Sprintf("grammar, line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

func (e *GrammarError) Is(target error) bool { return target == ErrGrammar }

// ParseGrammar reads a grammar in llama.cpp's GBNF (grammars/README.md of v0.5.0) whose first rule to
// be used is "root". References to tokens, such as <think>, are not supported. What it returns
// cannot make a sampler run without end: there is no left recursion, and sizes are bounded.
// All errors are *GrammarError and ErrGrammar.
//
// llama.cpp has a parser of its own, which prints what it refuses, a user's text, to stderr, misses
// some left recursion, and is followed by a sampler that aborts the process when it is led astray.
func ParseGrammar(text string) (*Grammar, error) {
	p := &gbnfParser{text: text, byName: map[string]int{}}
	if err := p.parse(); err != nil {
		return nil, err
	}
	root := p.byName["root"]
	if err := p.checkRecursion(); err != nil {
		return nil, err
	}
	g := &Grammar{root: int32(root)}
	g.pack(p)
	return g, nil
}

// pack lays the rules out for C. Equal classes become one.
func (g *Grammar) pack(p *gbnfParser) {
	seen := map[string]int32{}
	class := func(c gbnfClass) int32 {
		key := []byte{0}
		if c.negated {
			key[0] = 1
		}
		for _, r := range c.ranges {
			key = binary.LittleEndian.AppendUint32(key, uint32(r[0]))
			key = binary.LittleEndian.AppendUint32(key, uint32(r[1]))
		}
		if i, ok := seen[string(key)]; ok {
			return i
		}
		i := int32(len(g.classes))
		seen[string(key)] = i
		g.classes = append(g.classes, int32(len(g.ranges)/2))
		g.negated = append(g.negated, int8(key[0]))
		for _, r := range c.ranges {
			g.ranges = append(g.ranges, uint32(r[0]), uint32(r[1]))
		}
		return i
	}
	for _, r := range p.rules {
		g.rules = append(g.rules, int32(len(g.sequences)))
		for _, sequence := range r.sequences {
			g.sequences = append(g.sequences, int32(len(g.items)))
			for _, it := range sequence {
				if it.class != nil {
					g.items = append(g.items, class(*it.class))
				} else {
					g.items = append(g.items, -1-int32(it.rule))
				}
			}
			g.items = append(g.items, endOfSequence)
		}
	}
	g.rules = append(g.rules, int32(len(g.sequences)))
	g.classes = append(g.classes, int32(len(g.ranges)/2))
}

// checkRecursion refuses rules that may begin with themselves: deriving them would never come to a
// character.
func (p *gbnfParser) checkRecursion() error {
	nullable := p.nullable()
	const (
		unseen = iota
		open
		done
	)
	state := make([]int8, len(p.rules))
	type frame struct {
		rule    int
		firsts  []int // rules that this one may begin with
		checked int
	}
	firsts := func(rule int) (out []int) {
		for _, sequence := range p.rules[rule].sequences {
			for _, it := range sequence {
				if it.class != nil {
					break
				}
				out = append(out, it.rule)
				if !nullable[it.rule] {
					break
				}
			}
		}
		return out
	}
	for start := range p.rules {
		if state[start] != unseen {
			continue
		}
		state[start] = open
		stack := []frame{{rule: start, firsts: firsts(start)}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.checked == len(top.firsts) {
				state[top.rule] = done
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.firsts[top.checked]
			top.checked++
			switch state[next] {
			case open:
				r := p.rules[next]
				return p.errorAt(r.at, fmt.Sprintf("rule %q can begin with itself (left recursion), or repeats what may be empty", r.name))
			case unseen:
				state[next] = open
				stack = append(stack, frame{rule: next, firsts: firsts(next)})
			}
		}
	}
	return nil
}

// nullable tells which rules derive the empty text.
func (p *gbnfParser) nullable() []bool {
	null := make([]bool, len(p.rules))
	users := make([][]int, len(p.rules)) // rules to look at again
	for i, r := range p.rules {
		for _, sequence := range r.sequences {
			for _, it := range sequence {
				if it.class == nil {
					users[it.rule] = append(users[it.rule], i)
				}
			}
		}
	}
	isNull := func(it gbnfItem) bool { return it.class == nil && null[it.rule] }
	var todo []int
	for i := range p.rules {
		todo = append(todo, i)
	}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if null[i] {
			continue
		}
		null[i] = slices.ContainsFunc(p.rules[i].sequences, func(sequence []gbnfItem) bool {
			return !slices.ContainsFunc(sequence, func(it gbnfItem) bool { return !isNull(it) })
		})
		if null[i] {
			todo = append(todo, users[i]...)
		}
	}
	return null
}
