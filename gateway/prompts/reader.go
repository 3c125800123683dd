package prompts

import (
	"fmt"
	"regexp"

	"aigw/engine"
	"aigw/gateway/grammar"
)

// reader confines the answer of a reader's prompt (section 9.7 of the wire contract).
type reader struct {
	full *engine.Grammar
	bare *engine.Grammar // for questions that hold neither URL nor reference, so that small models make none up
	path *regexp.Regexp  // what such a question does not hold
}

func newReader(name string) (*reader, error) {
	known, ok := grammar.Readers[name]
	if !ok {
		return nil, fmt.Errorf("reader %q: build_reader, commit_reader, epic_reader, issue_reader or merge_request_reader", name)
	}
	r := &reader{}
	var err error
	if r.full, err = engine.ParseGrammar(grammar.Identifier(known)); err != nil {
		return nil, fmt.Errorf("grammar of %s: %w", name, err)
	}
	bare := known
	bare.Bare = true
	if r.bare, err = engine.ParseGrammar(grammar.Identifier(bare)); err != nil {
		return nil, fmt.Errorf("grammar of %s: %w", name, err)
	}
	// "shop/cart#3" and "shop&3" are references, "#3" alone is none; a hash is best sent as part of one.
	path := "/"
	if known.Mark != "" {
		path += `|\w` + regexp.QuoteMeta(known.Mark)
	}
	if known.Hex {
		path += `|[0-9a-f]{7}`
	}
	r.path = regexp.MustCompile(path)
	return r, nil
}

// grammar returns what the answer to a question is confined to; nil is nothing.
func (r *reader) grammar(inputs map[string]string) *engine.Grammar {
	if r == nil {
		return nil
	}
	for _, text := range inputs {
		if r.path.MatchString(text) {
			return r.full
		}
	}
	return r.bare
}
