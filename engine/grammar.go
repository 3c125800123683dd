package engine

import (
	"errors"

	"aigw/engine/llama"
)

// Grammar confines a generation to the texts that it derives. It never changes; one is enough for any
// number of requests at once.
type Grammar = llama.Grammar

// Weighted is a text that a generation with a grammar may choose, and what speaks for it besides the model.
type Weighted = llama.Weighted

// GrammarError says what is wrong with a grammar, and where.
type GrammarError = llama.GrammarError

// ParseGrammar reads a grammar in llama.cpp's GBNF whose texts begin with the rule "root". The error is
// a *GrammarError. It costs some microseconds a line: what does not change is worth keeping.
//
// Following a grammar costs some microseconds a token where the model keeps to it by itself, and
// some milliseconds where it does not, because the vocabulary is searched then.
func ParseGrammar(text string) (*Grammar, error) { return llama.ParseGrammar(text) }

// ErrNoContinuation ends a generation whose grammar lets nothing follow that the vocabulary could
// write, or that is too ambiguous to follow.
var ErrNoContinuation = errors.New("the grammar lets nothing follow here that the model could write; " +
	"it may ask for characters that the vocabulary lacks, or be too ambiguous")
