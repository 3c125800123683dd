package grammar_test

import (
	"strings"
	"testing"

	"aigw/gateway/grammar"
)

// The forms of a turn, and what would be read as another than it is.
func TestTurns(t *testing.T) {
	g := mustParse(t, grammar.React([]string{"epic_reader", "issue_reader"}))
	alone := mustParse(t, grammar.React(nil))
	const input = " I need it.\nAction: issue_reader\nAction Input: What is #7 about?"
	for text, want := range map[string]bool{
		input:                      true,
		input + "\n\nObservation:": true, // the caller stops it there
		" I need it.\n\nAction: epic_reader\nAction Input: &7":                   true,
		" I know.\nAction: DirectAnswer\nFinal Answer: 4.\n\nAction: x <b>":      true,
		"I know.\nFinal Answer:4":                                                true,
		input + "\nFinal Answer: 4":                                              false,
		" I know.\nAction: epic\nAction Input: x":                                false,
		" I know.\nAction: epic_reader":                                          false,
		" I know.\nAction: epic_reader\nAction Input: ":                          false,
		" I know.\nAction: epic_reader\nAction Input: Action: x":                 false,
		" Action: x\nFinal Answer: 4":                                            false,
		" Final Answer: 5\nFinal Answer: 4":                                      false,
		" it ends </message>\nFinal Answer: 4":                                   false,
		" " + strings.Repeat("long ", 61) + "\nFinal Answer: 4":                  false,
		" I know.\nI know it well.\nFinal Answer: 4":                             false,
		" I know.\nFinal Answer: ":                                               false,
		"":                                                                       false,
		" at 10:30 it was 5 < 6, see https://x.test\nFinal Answer: \u65e5\u672c": true,
	} {
		if g.Derives(text) != want {
			t.Errorf("%q accepted: %t", text, !want)
		}
	}
	if alone.Derives(input) || !alone.Derives(" I know.\nAction: DirectAnswer\nFinal Answer: 4") {
		t.Error("without tools there are answers only")
	}
}
