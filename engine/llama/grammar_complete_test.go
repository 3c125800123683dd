package llama

import (
	"strings"
	"testing"
)

// What is cut off anywhere is completed to a text that the grammar derives, by no more than is left of it.
func TestComplete(t *testing.T) {
	const object = `root ::= "{" s "\"a\"" s ":" s string ( "," s "\"b\":" number )? "}"
s ::= ( " " | "\n" [ \t]{0,4} )?
string ::= "\"" ( [^"\\\x00-\x1F] | "\\" ( ["\\nt] | "u" [0-9a-f]{4} ) )* "\""
number ::= "-"? ( "0" | [1-9] [0-9]{0,3} )`
	g, err := ParseGrammar(object)
	if err != nil {
		t.Fatal(err)
	}
	for _, whole := range []string{`{"a":""}`, "{\n  \"a\": \"x\\u00e9\\\"é\",\n\"b\":-120}"} {
		for i := range whole {
			rest, ok := g.Complete(whole[:i])
			if !ok || !g.Derives(whole[:i]+rest) || len([]rune(rest)) > len([]rune(whole[i:])) {
				t.Errorf("%q is completed by %q, %t", whole[:i], rest, ok)
			}
		}
		if rest, ok := g.Complete(whole); rest != "" || !ok {
			t.Errorf("%q is completed by %q, %t", whole, rest, ok)
		}
	}
	if rest, ok := g.Complete(`{"a":"` + strings.Repeat("x", 5000)); rest != `"}` || !ok {
		t.Errorf("%q %t", rest, ok)
	}
	for _, odd := range []string{"x", `{"b`, `{"a":"}"}}`} {
		if rest, ok := g.Complete(odd); ok {
			t.Errorf("%q is completed by %q", odd, rest)
		}
	}
	for text, want := range map[string]string{`root ::= "a" root | "b"`: "b", `root ::= [^ab] | "xx"`: " ", `root ::= a
a ::= "x" a "y" | `: ""} {
		g, err := ParseGrammar(text)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := g.Complete(""); rest != want || !ok {
			t.Errorf("%s: %q %t", text, rest, ok)
		}
	}
}
