// Package grammar writes the grammars that confine what a model may say where a program reads it: turns
// of Duo Chat's agent, the answers of its reader tools, and JSON by a schema. They are GBNF, for engine.ParseGrammar,
// and depend on little, so whoever uses one often should parse it once.
package grammar

import "strings"

// literal writes a text as GBNF.
func literal(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text) + `"`
}

// choice writes one of several texts as GBNF.
func choice(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return "( " + strings.Join(quoted, " | ") + " )"
}
