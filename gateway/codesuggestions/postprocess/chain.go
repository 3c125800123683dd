// Package postprocess turns what a model wrote into what an editor inserts.
//
// Two chains exist. Generation is the original's, exactly (section 7.2 of the wire contract).
// Completion is for models that run in this process: the original hands their text on as it is,
// and people curse the brackets that then stand there twice. Each rule is a file of its own, a
// pure function of texts; none ever changes what a person typed, all of them only take away from
// the model's text (but for the one new line that the original puts before generated code). A
// chain runs until it finds nothing more to do, so that applied to its own result it changes
// nothing.
package postprocess

import (
	"fmt"
	"slices"
	"strings"
)

// Operation is the name of a rule, as operators switch it off. The names that the original has
// mean the same here.
type Operation string

// The rules that run.
const (
	StripCodeBlock     Operation = "strip_code_block_markdown"
	PrependNewLine     Operation = "prepend_new_line"
	CleanReflection    Operation = "clean_model_reflection"
	StripWhitespaces   Operation = "strip_whitespaces"
	StripSpecialTokens Operation = "strip_special_tokens"
	TrimRepetition     Operation = "trim_repetition"
	FixEndBlockErrors  Operation = "fix_end_block_errors"
)

// upstreamOnly are rules of the original that this program has no use for: they need a parser
// for each language, and ran for cloud models only. Switching them off is no mistake.
var upstreamOnly = []Operation{
	"remove_comment_only_completion", "trim_by_min_allowed_context", "fix_end_block_errors_with_comparison", "strip_asterisks",
}

var operations = []Operation{
	StripCodeBlock, PrependNewLine, CleanReflection, StripWhitespaces, StripSpecialTokens, TrimRepetition, FixEndBlockErrors,
}

// Chains applies all rules but those that an operator excluded. Its zero value excludes none. It
// may be used concurrently.
type Chains struct{ excluded []Operation }

// New returns the chains without the named rules. A name that no rule has is an error.
func New(excluded []string) (Chains, error) {
	var c Chains
	for _, name := range excluded {
		o := Operation(name)
		if !slices.Contains(operations, o) && !slices.Contains(upstreamOnly, o) {
			return Chains{}, fmt.Errorf("no post-processing operation is called %q; there are %s", name, list(operations))
		}
		if o == "fix_end_block_errors_with_comparison" { // the original's second way of doing the same
			o = FixEndBlockErrors
		}
		c.excluded = append(c.excluded, o)
	}
	return c, nil
}

func list(names []Operation) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return strings.Join(texts, ", ")
}

// Runs reports whether a rule is applied.
func (c Chains) Runs(o Operation) bool { return !slices.Contains(c.excluded, o) }

// Generation cleans generated code that is to be inserted after prefix.
func (c Chains) Generation(text, prefix string) string {
	return c.run(text, []rule{
		{StripCodeBlock, stripCodeBlock},
		{PrependNewLine, func(text string) string { return prependNewLine(text, prefix) }},
		{CleanReflection, func(text string) string { return cleanReflection(text, prefix) }},
		{StripWhitespaces, stripWhitespaces},
	})
}

// Completion cleans text that is to be inserted between prefix and suffix.
func (c Chains) Completion(text, prefix, suffix string) string {
	return c.run(text, []rule{
		{StripSpecialTokens, func(text string) string { return stripSpecialTokens(text, prefix, suffix) }},
		{StripCodeBlock, func(text string) string { return unwrapFence(text, prefix, suffix) }},
		{TrimRepetition, trimRepetition},
		{FixEndBlockErrors, func(text string) string { return trimSuffixOverlap(text, prefix, suffix) }},
		{StripWhitespaces, stripWhitespaces},
	})
}

type rule struct {
	name  Operation
	apply func(text string) string
}

// run applies rules until none changes the text. It ends: only the new line is ever added, once,
// and every other change makes the text shorter.
func (c Chains) run(text string, rules []rule) string {
	for {
		before := text
		for _, r := range rules {
			if c.Runs(r.name) {
				text = r.apply(text)
			}
		}
		if text == before {
			return text
		}
	}
}
