package grammar_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway/grammar"
	"aigw/models"
)

func fromSchema(t *testing.T, schema string) *engine.Grammar {
	t.Helper()
	text, err := grammar.FromSchema(json.RawMessage(schema))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return mustParse(t, text)
}

func TestSchemasAcceptWhatIsValid(t *testing.T) {
	for _, c := range []struct {
		schema       string
		valid, wrong []string
	}{
		{`{}`, []string{`{}`, `[1, -2.5e3, "x", null, {"a": [true]}]`, `"\u00e9\n"`}, []string{``, `{`, `{"a"}`, `01`, `nul`, "\"\n\"", `"\ud800"`}},
		{`{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}`,
			[]string{`{"a":1}`, `{"a": 1, "b": "x"}`, "{\n  \"a\": -12,\n  \"b\": \"\"\n}"},
			[]string{`{}`, `{"b": "x"}`, `{"b": "x", "a": 1}`, `{"a": 1.5}`, `{"a": 1, "c": 2}`, `{"a": 1,}`, `{"a": 1, "a": 1}`}},
		{`{"properties": {"a": true, "b": true, "c": true}}`,
			[]string{`{}`, `{"a": 1}`, `{"c": 1}`, `{"a": 1, "c": [2]}`, `{"a": 1, "b": 1, "c": 1}`}, []string{`{, "a": 1}`, `{"c": 1, "b": 1}`}},
		{`{"type": "object", "properties": {"ab": {"const": 1}, "abc": {"const": 2}}, "additionalProperties": {"type": "boolean"}}`,
			[]string{`{}`, `{"ab": 1, "abc": 2, "x": true}`, `{"a": true, "abcd": false, "": true, "ac": true}`}, []string{`{"ab": true}`, `{"x": 1}`, `{"x": true, "abc": true}`}},
		{`{"type": "object"}`, []string{`{}`, `{"x": {"y": 1}}`}, []string{`[]`}},
		{`{"enum": ["a\"b", 2, null, {"x": [1]}]}`, []string{`"a\"b"`, `2`, `null`, `{"x": [1]}`}, []string{`a`, `3`, `"a"`}},
		{`{"const": "ä<&>"}`, []string{`"ä<&>"`}, []string{`"x"`}},
		{`{"type": ["string", "null"], "maxLength": 3}`, []string{`"äöü"`, `""`, `null`, `"\n\n\n"`}, []string{`"abcd"`, `1`}},
		{`{"type": "string", "minLength": 2}`, []string{`"ab"`, `"abcdef"`}, []string{`"a"`}},
		{`{"type": "string", "pattern": "^[A-Z]{2}-\\d+(a|b)?$"}`, []string{`"AB-1"`, `"XY-123b"`}, []string{`"AB-"`, `"xAB-1"`, `"AB-1c"`}},
		{`{"type": "string", "pattern": "\"\\\\[^a]"}`, []string{`"x\"\\by"`}, []string{`"\"\\a"`, `"x"`}},
		{`{"type": "string", "format": "date-time"}`, []string{`"2024-02-29T23:59:59.123Z"`, `"2024-12-31T00:00:00+01:30"`}, []string{`"2024-13-01T00:00:00Z"`, `"2024-12-31"`, `"x"`}},
		{`{"type": "string", "format": "email"}`, []string{`"anything"`}, nil},
		{`{"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}`, []string{`[true]`, `[true, false,true]`}, []string{`[]`, `[true,true,true,true]`, `[1]`}},
		{`{"type": "array", "maxItems": 0}`, []string{`[]`, `[ ]`}, []string{`[1]`}},
		{`{"type": "array", "minItems": 2}`, []string{`[1, "x"]`, `[1,2,3]`}, []string{`[1]`, `[]`}},
		{`{"prefixItems": [{"type": "integer"}, {"type": "string"}]}`, []string{`[1, "x"]`}, []string{`[1]`, `["x", 1]`}},
		{`{"anyOf": [{"type": "integer"}, {"type": "object", "properties": {"k": {"const": "v"}}, "required": ["k"]}]}`, []string{`7`, `{"k": "v"}`}, []string{`"7"`, `{}`}},
		{`{"allOf": [{"$ref": "#/$defs/a"}, {"properties": {"y": {"type": "null"}}, "required": ["y"]}], "$defs": {"a": {"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"]}}}`,
			[]string{`{"x": null, "y": null}`}, []string{`{"x": null}`, `{"y": null}`}},
		{`{"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["v", "next"]}`,
			[]string{`{"v": 1, "next": {"v": 2, "next": null}}`}, []string{`{"v": 1}`, `{"v": 1, "next": {"v": 2}}`}},
	} {
		g := fromSchema(t, c.schema)
		for _, text := range c.valid {
			if !json.Valid([]byte(text)) || !g.Derives(text) {
				t.Errorf("%s refuses %s", c.schema, text)
			}
		}
		for _, text := range c.wrong {
			if g.Derives(text) {
				t.Errorf("%s accepts %s", c.schema, text)
			}
		}
	}
}

func TestBoundsOfIntegersAreKept(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {1, 9}, {-5, 17}, {0, 255}, {99, 1001}, {-120, -7}, {10, 100}, {-1, 1}, {738, 742}} {
		g := fromSchema(t, `{"type": "integer", "minimum": `+strconv.Itoa(c[0])+`, "exclusiveMaximum": `+strconv.Itoa(c[1]+1)+`}`)
		for n := -1200; n <= 1200; n++ {
			if got, want := g.Derives(strconv.Itoa(n)), c[0] <= n && n <= c[1]; got != want {
				t.Errorf("%d to %d: %d accepted: %v", c[0], c[1], n, got)
			}
		}
		if g.Derives("-0") || g.Derives("007") {
			t.Errorf("%d to %d: -0 or 007 accepted", c[0], c[1])
		}
	}
	g := fromSchema(t, `{"type": "integer", "minimum": 1.5}`)
	if g.Derives("1") || !g.Derives("2") || !g.Derives("123456789012345") {
		t.Error("an open range is wrong")
	}
}

func TestSchemasAreRefusedWithTheirPlace(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 100) + "true" + strings.Repeat("}", 100)
	for schema, path := range map[string]string{
		`{`:                                     "",
		`1`:                                     "",
		`{} {}`:                                 "",
		deep:                                    "",
		`false`:                                 "",
		`{"not": {}}`:                           "/not",
		`{"properties": {"a": {"if": {}}}}`:     "/properties/a/if",
		`{"type": "text"}`:                      "/type",
		`{"type": 7}`:                           "/type",
		`{"enum": []}`:                          "/enum",
		`{"anyOf": {}}`:                         "/anyOf",
		`{"required": "a", "type": "object"}`:   "/required",
		`{"properties": []}`:                    "/properties",
		`{"$ref": "https://example.com/x"}`:     "/$ref",
		`{"$ref": "#/$defs/none"}`:              "/$ref",
		`{"type": "string", "pattern": "("}`:    "/pattern",
		`{"type": "string", "pattern": "\\bx"}`: "/pattern",
		`{"type": "string", "minLength": 5, "maxLength": 4}`:                       "/minLength",
		`{"type": "string", "minLength": -1}`:                                      "/minLength",
		`{"type": "string", "minLength": 100000}`:                                  "/minLength",
		`{"type": "integer", "minimum": 1e300}`:                                    "/minimum",
		`{"type": "integer", "minimum": 2, "maximum": 1}`:                          "",
		`{"type": "string", "pattern": "` + strings.Repeat("(xy|yx)", 6000) + `"}`: "",
	} {
		_, err := grammar.FromSchema(json.RawMessage(schema))
		var e *grammar.SchemaError
		if !errors.As(err, &e) || e.Path != path {
			t.Errorf("%.80s: %v, want the path %q", schema, err, path)
		}
	}
	// What no text satisfies is found when the grammar is read.
	text, err := grammar.FromSchema(json.RawMessage(`{"$ref": "#"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.ParseGrammar(text); err == nil {
		t.Error("a schema that is itself was accepted")
	}
}

// The real model writes what the schema says, and ends where it is complete.
func TestTheModelKeepsToASchema(t *testing.T) {
	a := newAgent(t)
	g := fromSchema(t, `{"type": "object", "properties": {"name": {"type": "string", "maxLength": 20},
		"age": {"type": "integer", "minimum": 1, "maximum": 130}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3}},
		"required": ["name", "age", "tags"]}`)
	for _, question := range []string{"Describe a person as JSON.", "Tell me a joke."} {
		text, res := a.ask(t, []models.Message{{Role: models.User, Content: question}}, g, 200)
		var person struct {
			Name string
			Age  int
			Tags []string
		}
		if err := json.Unmarshal([]byte(text), &person); err != nil || person.Age < 1 || person.Age > 130 || len(person.Tags) > 3 || res.Finish != engine.FinishStop {
			t.Errorf("%q: %q, %+v, %v", question, text, res, err)
		}
	}
}

func FuzzFromSchema(f *testing.F) {
	f.Add(`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string", "pattern": "^a|b$"}}}`)
	f.Add(`{"allOf": [{"anyOf": [{"const": 1}, {"type": ["integer", "null"], "minimum": -3}]}]}`)
	f.Fuzz(func(t *testing.T, schema string) {
		text, err := grammar.FromSchema(json.RawMessage(schema))
		if err != nil {
			if !errors.As(err, new(*grammar.SchemaError)) {
				t.Fatal(err)
			}
			return
		}
		var e *engine.GrammarError
		if _, err := engine.ParseGrammar(text); err != nil && (!errors.As(err, &e) || strings.Contains(e.Reason, "expected") || strings.Contains(e.Reason, "not defined")) {
			t.Fatalf("%v in\n%s", err, text)
		}
	})
}
