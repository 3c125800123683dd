package schema_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"aigw/gateway/schema"
	"aigw/gateway/schema/oracle"
)

type pair struct {
	A string `json:"a"`
	B int64  `json:"b"`
	C *bool  `json:"c"`
}

var pairKind = schema.Object(
	schema.Required("a", schema.String().Max(3), func(p *pair) *string { return &p.A }),
	schema.Optional("b", schema.Int(), func(p *pair) *int64 { return &p.B }).Default(7),
	schema.Optional("c", schema.Nullable(schema.Bool()), func(p *pair) **bool { return &p.C }),
)

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

var messageKind = schema.Object(
	schema.Required("role", schema.Enum("system", "user", "assistant"), func(m *message) *string { return &m.Role }),
	schema.Required("content", schema.String(), func(m *message) *string { return &m.Content }),
)

type react struct {
	Kind  string `json:"kind"`
	Steps []pair `json:"steps"`
}

type plan struct {
	Kind string `json:"kind"`
	N    int64  `json:"n"`
}

type version struct {
	Version int64 `json:"version"`
	X       any   `json:"x"`
}

// asAny makes a kind's result comparable with the oracle's.
func asAny[T any](kind schema.Kind[T]) schema.Kind[any] {
	return schema.Convert(kind, func(v T) any {
		if value, ok := any(v).(schema.Value); ok {
			return asPython(value.Decode())
		}
		return asPython(v)
	})
}

// asPython keeps 1.0 from becoming 1 in JSON, and NaN and Infinity from failing.
func asPython(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return json.RawMessage(schema.PythonFloat(v))
	case []any:
		for i := range v {
			v[i] = asPython(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = asPython(v[name])
		}
	}
	return v
}

var kinds = map[string]schema.Kind[any]{
	"string":      asAny(schema.String()),
	"string3":     asAny(schema.String().Max(3)),
	"string1":     asAny(schema.String().Max(1).Min(1)),
	"string-min2": asAny(schema.String().Min(2)),
	"trim3":       asAny(schema.String().Trim().Max(3)),
	"string-null": asAny(schema.Nullable(schema.String())),
	"int":         asAny(schema.Int()),
	"int1-20":     asAny(schema.Int().AtLeast(1).AtMost(20)),
	"int-null":    asAny(schema.Nullable(schema.Int())),
	"float":       asAny(schema.Float()),
	"float0-1":    asAny(schema.Float().AtLeast(0).AtMost(1)),
	"float-half":  asAny(schema.Float().AtLeast(0.5)),
	"bool":        asAny(schema.Bool()),
	"bool-null":   asAny(schema.Nullable(schema.Bool())),
	"enum":        asAny(schema.Enum("anthropic", "vertex-ai", "it's")),
	"enum-null":   asAny(schema.Nullable(schema.Enum("system", "user", "assistant"))),
	"literal":     asAny(schema.Literal("issue", "epic")),
	"literal-one": asAny(schema.Literal("react")),

	"list-int":     asAny(schema.List(schema.Int())),
	"list-int2":    asAny(schema.List(schema.Int()).Max(2)),
	"list-pair1-2": asAny(schema.List(pairKind).Min(1).Max(2)),
	"list-min2":    asAny(schema.List(schema.Int()).Min(2)),
	"list-max1":    asAny(schema.List(schema.Int()).Max(1)),
	"pair":         asAny(pairKind),
	"pair-null":    asAny(schema.Nullable(pairKind)),
	"dict":         asAny(schema.Map(schema.String(), asAny(schema.Any()))),
	"dict-3":       asAny(schema.Map(schema.String().Max(2), schema.String().Max(3))),

	"tagged": schema.Tagged("kind",
		schema.StringCase("react", "'react'", asAny(schema.Object(
			schema.Required("kind", schema.Literal("react"), func(r *react) *string { return &r.Kind }),
			schema.Required("steps", schema.List(pairKind), func(r *react) *[]pair { return &r.Steps }),
		))),
		schema.StringCase("plan", "'plan'", asAny(schema.Object(
			schema.Required("kind", schema.Literal("plan"), func(p *plan) *string { return &p.Kind }),
			schema.Required("n", schema.Int(), func(p *plan) *int64 { return &p.N }),
		))),
	),
	"version": schema.Tagged("version",
		schema.IntCase(1, asAny(schema.Object(
			schema.Required("version", schema.Int(), func(v *version) *int64 { return &v.Version }),
			schema.Optional("x", asAny(schema.Nullable(schema.Int())), func(v *version) *any { return &v.X }),
		))),
		schema.IntCase(2, asAny(schema.Object(
			schema.Required("version", schema.Int(), func(v *version) *int64 { return &v.Version }),
			schema.Required("x", asAny(schema.String()), func(v *version) *any { return &v.X }),
		))),
	),
	"text-or-messages": schema.Union(
		schema.Choice("constrained-str", asAny(schema.String().Max(3))),
		schema.Choice("list[Message]", asAny(schema.List(messageKind).Min(1).Max(2))),
	),
	"any":   asAny(schema.Any()),
	"url":   schema.Convert(schema.URL(), func(string) any { return nil }),
	"url30": schema.Convert(schema.URL().Max(30), func(string) any { return nil }),
}

// holder is the body of the kinds' cases: one member v.
func holder(kind schema.Kind[any]) schema.Kind[any] {
	type body struct {
		V any `json:"v"`
	}
	return asAny(schema.Object(schema.Required("v", kind, func(b *body) *any { return &b.V })))
}

func TestAnswersAsPydanticDoes(t *testing.T) {
	for _, c := range oracle.Read(t, "testdata/kinds.jsonl") {
		if c.Schema == "completions" {
			continue // for package codesuggestions
		}
		kind, ok := kinds[c.Schema]
		if !ok {
			t.Fatalf("line %d: no kind named %s here", c.Line, c.Schema)
		}
		parsed, err := schema.Parse(holder(kind), c.ContentType, c.Body)
		var refused schema.Errors
		status, answer := 200, parsed
		switch {
		case errors.As(err, &refused):
			status, answer = 422, refused
		case errors.Is(err, schema.ErrUnreadable):
			status, answer = 400, map[string]string{"detail": "There was an error parsing the body"}
		case err != nil:
			t.Fatalf("line %d: unknown error %v", c.Line, err)
		}
		body := string(c.Body[:min(len(c.Body), 200)])
		if status != c.Status {
			t.Errorf("line %d: %s %q: status %d, want %d (%v)", c.Line, c.Schema, body, status, c.Status, err)
			continue
		}
		if c.Answer == nil {
			continue
		}
		got, err := json.Marshal(answer)
		if err != nil {
			t.Errorf("line %d: %v", c.Line, err)
			continue
		}
		if diff := oracle.Diff(t, got, c.Answer); diff != "" {
			t.Errorf("line %d: %s %q:\n%s", c.Line, c.Schema, body, diff)
		}
	}
}
