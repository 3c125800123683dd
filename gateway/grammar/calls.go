package grammar

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Function is what may be called.
type Function struct {
	Name string
	// Schema is that of the arguments, an object; nil takes none.
	Schema json.RawMessage
}

// Frame is what stands around calls: Open {"name": "NAME", "ARGUMENTS": {…}} [Between {…}]… Close. Without
// Between there is one call.
type Frame struct{ Open, Between, Close, Arguments string }

// mostCalls bounds those of one answer.
const mostCalls = 16

// Head is what a call begins with, up to its arguments. It is the one way to write it.
func (f Frame) Head(name string) string {
	return `{"name": ` + quote(name) + `, ` + quote(f.Arguments) + `: `
}

// Calls returns the grammar of at least one call of one of the functions. Arguments follow their schema, as
// FromSchema has it; of a schema that it refuses they are any object.
func Calls(f Frame, functions []Function) string {
	b := newSchemaBuilder(node{})
	call := ""
	for i, fn := range functions {
		if i > 0 {
			call += " | "
		}
		call += literal(f.Head(fn.Name)) + " " + b.arguments(strconv.Itoa(i), fn.Schema) + ` "}"`
	}
	call = b.fresh(call)
	more := ""
	if f.Between != "" {
		more = fmt.Sprintf(" ( %s %s ){0,%d}", literal(f.Between), call, mostCalls-1)
	}
	return b.finish(literal(f.Open) + " " + call + more + " " + literal(f.Close))
}

// arguments is the rule of one function's arguments.
func (b *schemaBuilder) arguments(scope string, schema json.RawMessage) string {
	if len(schema) == 0 {
		return literal("{}")
	}
	if _, err := FromSchema(schema); err != nil {
		return b.primitive("object")
	}
	root, err := decode(schema)
	if err != nil {
		return b.primitive("object")
	}
	if properties, ok := root.get("properties"); ok && properties.encode() == "{}" && !has(root, "additionalProperties") {
		return literal("{}") // who names none means none
	}
	if kind, typed := root.get("type"); typed && kind.value != "object" || !typed && !has(root, "$ref") && !has(root, "properties") {
		return b.primitive("object")
	}
	b.root, b.scope = root, scope
	return b.visit(root, "", 0)
}
