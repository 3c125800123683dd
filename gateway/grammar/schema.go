package grammar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SchemaError says what of a JSON schema cannot be turned into a grammar.
type SchemaError struct {
	Path   string // JSON pointer into the schema
	Reason string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("JSON schema, at %q: %s", e.Path, e.Reason)
}

// Object is the grammar of any JSON object.
var Object = func() string {
	b := newSchemaBuilder(node{value: []member{}})
	return b.finish(b.primitive("object"))
}()

// FromSchema turns a JSON schema (draft 2020-12) into a grammar of the JSON texts that it accepts.
// Properties come in the order of the schema, optional ones may be left out, and objects have no
// others unless additionalProperties says so. Supported: type, enum, const, properties, required,
// additionalProperties, items, prefixItems, minItems, maxItems, minLength, maxLength, pattern, format
// (date, time, date-time, uuid), minimum, maximum and their exclusive kin of integers, anyOf,
// oneOf (as anyOf), allOf of objects, $ref within the schema. Ranges of other numbers and multipleOf are
// not kept. What changes the meaning otherwise, such as not or if, is refused with a *SchemaError.
func FromSchema(schema json.RawMessage) (text string, err error) {
	root, err := decode(schema)
	if err != nil {
		return "", &SchemaError{"", err.Error()}
	}
	defer func() {
		if r := recover(); r != nil {
			mistake, ok := r.(*SchemaError)
			if !ok {
				panic(r)
			}
			text, err = "", mistake
		}
	}()
	b := newSchemaBuilder(root)
	return b.finish(b.visit(root, "", 0)), nil
}

// schemaBuilder collects rules. Methods return GBNF for one item of a sequence: a rule's name or a
// bracketed expression. What cannot be built ends in a panic with a *SchemaError.
type schemaBuilder struct {
	root  node
	rules strings.Builder
	count int
	named map[string]string // rules of primitives and of references
	scope string            // before the names of references: whose schema it is
}

// maxSchemaRules bounds the grammar's text; one rule stands for some part of the schema.
const maxSchemaRules = 4000

func newSchemaBuilder(root node) *schemaBuilder {
	return &schemaBuilder{root: root, named: map[string]string{}}
}

func (b *schemaBuilder) finish(start string) string {
	return "root ::= " + start + "\n" + b.rules.String()
}

// rule gives an expression a name, under which it can be repeated without being copied.
func (b *schemaBuilder) rule(name, expression string) string {
	if b.count++; b.count > maxSchemaRules {
		panic(&SchemaError{"", "the schema is too large"})
	}
	b.rules.WriteString(name + " ::= " + expression + "\n")
	return name
}

func (b *schemaBuilder) fresh(expression string) string {
	return b.rule("r"+strconv.Itoa(b.count+1), expression)
}

// space is what may stand between the marks of JSON. Lines may be indented, but not endlessly.
func (b *schemaBuilder) space() string { return b.primitive("space") }

// primitives are the rules that every schema may use, by name.
var primitives = map[string]string{
	"space":   `( " " | "\n" [ \t]{0,24} )?`,
	"boolean": `"true" | "false"`,
	"null":    `"null"`,
	"integer": `"-"? ( "0" | [1-9] [0-9]{0,15} )`,
	"number":  `"-"? ( "0" | [1-9] [0-9]{0,15} ) ( "." [0-9]{1,16} )? ( [eE] [-+]? [0-9]{1,3} )?`,
	"char":    `[^"\\\x00-\x1F\x7F] | escape`,
	"escape":  `"\\" ( ["\\/bfnrt] | "u" ( [0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2} ) )`,
	"string":  `"\"" char* "\""`,
	"object":  `"{" space ( pair ( "," space pair )* )? "}"`,
	"pair":    `string space ":" space value space`,
	"array":   `"[" space ( value space ( "," space value space )* )? "]"`,
	"value":   `object | array | string | number | boolean | null`,
}

// primitive adds a rule and those that it uses.
func (b *schemaBuilder) primitive(name string) string {
	if _, ok := b.named[name]; ok {
		return name
	}
	b.named[name] = name
	b.rule(name, primitives[name])
	for other := range primitives {
		if slices.Contains(strings.FieldsFunc(primitives[name], func(r rune) bool { return r < 'a' || r > 'z' }), other) {
			b.primitive(other)
		}
	}
	return name
}

// annotations say nothing about what is valid. Those in the second line are not kept.
var annotations = strings.Fields(`$schema $id $comment $defs definitions title description default examples deprecated readOnly writeOnly strict
	multipleOf uniqueItems contentEncoding contentMediaType minProperties maxProperties`)

var keywords = strings.Fields(`type enum const properties required additionalProperties items prefixItems minItems maxItems minLength maxLength
	pattern format minimum maximum exclusiveMinimum exclusiveMaximum anyOf oneOf allOf $ref`)

// visit turns a schema into an item.
func (b *schemaBuilder) visit(s node, path string, depth int) string {
	if depth > 2*maxSchemaDepth {
		panic(&SchemaError{path, "nested too deep"})
	}
	switch v := s.value.(type) {
	case bool:
		if !v {
			panic(&SchemaError{path, "false accepts nothing"})
		}
		return b.primitive("value")
	case []member:
		for _, m := range v {
			if !slices.Contains(keywords, m.name) && !slices.Contains(annotations, m.name) {
				panic(&SchemaError{path + "/" + m.name, "this keyword is not supported"})
			}
		}
	default:
		panic(&SchemaError{path, "a schema is an object, true or false"})
	}
	if ref, ok := s.get("$ref"); ok {
		return b.reference(ref, path+"/$ref", depth)
	}
	if value, ok := s.get("const"); ok {
		return literal(value.encode())
	}
	if values, ok := s.get("enum"); ok {
		items, _ := values.value.([]node)
		if len(items) == 0 {
			panic(&SchemaError{path + "/enum", "a list of values is expected"})
		}
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = item.encode()
		}
		return choice(texts)
	}
	for _, name := range []string{"anyOf", "oneOf"} {
		if list, ok := s.get(name); ok {
			return b.anyOf(list, path+"/"+name, depth)
		}
	}
	if list, ok := s.get("allOf"); ok {
		if items, _ := list.value.([]node); len(items) == 1 && !has(s, "properties") {
			return b.visit(items[0], path+"/allOf/0", depth+1)
		}
		s = b.merge(s, list, path+"/allOf")
	}
	return b.typed(s, path, depth)
}

func has(s node, keyword string) bool {
	_, ok := s.get(keyword)
	return ok
}

func (b *schemaBuilder) anyOf(list node, path string, depth int) string {
	items, _ := list.value.([]node)
	if len(items) == 0 {
		panic(&SchemaError{path, "a list of schemas is expected"})
	}
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = b.visit(item, path+"/"+strconv.Itoa(i), depth+1)
	}
	return b.fresh(strings.Join(parts, " | "))
}

// typed turns a schema without combinations into an item, by its type or by what it speaks of.
func (b *schemaBuilder) typed(s node, path string, depth int) string {
	kind, given := s.get("type")
	var kinds []string
	switch v := kind.value.(type) {
	case string:
		kinds = []string{v}
	case []node:
		for _, k := range v {
			name, _ := k.value.(string)
			kinds = append(kinds, name)
		}
	}
	if given && len(kinds) == 0 {
		panic(&SchemaError{path + "/type", "the name of a type is expected"})
	}
	if !given {
		for _, hint := range [][2]string{{"properties", "object"}, {"additionalProperties", "object"}, {"items", "array"}, {"prefixItems", "array"}, {"pattern", "string"}, {"minLength", "string"}, {"maxLength", "string"}} {
			if has(s, hint[0]) {
				kinds = []string{hint[1]}
				break
			}
		}
		if len(kinds) == 0 {
			return b.primitive("value")
		}
	}
	parts := make([]string, len(kinds))
	for i, k := range kinds {
		switch k {
		case "object":
			parts[i] = b.object(s, path, depth)
		case "array":
			parts[i] = b.array(s, path, depth)
		case "string":
			parts[i] = b.text(s, path)
		case "integer":
			parts[i] = b.integer(s, path)
		case "number", "boolean", "null":
			parts[i] = b.primitive(k)
		default:
			panic(&SchemaError{path + "/type", fmt.Sprintf("%q is no type of JSON", k)})
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return b.fresh(strings.Join(parts, " | "))
}

// reference visits what a $ref points to, once.
func (b *schemaBuilder) reference(ref node, path string, depth int) string {
	pointer, ok := ref.value.(string)
	if !ok || pointer != "#" && !strings.HasPrefix(pointer, "#/") {
		panic(&SchemaError{path, "only references within the schema are supported, such as \"#/$defs/name\""})
	}
	if name, ok := b.named[b.scope+pointer]; ok {
		return name
	}
	target := b.resolve(pointer, path)
	name := "ref" + strconv.Itoa(len(b.named))
	b.named[b.scope+pointer] = name
	return b.rule(name, b.visit(target, strings.TrimPrefix(pointer, "#"), depth+1))
}

func (b *schemaBuilder) resolve(pointer, path string) node {
	target := b.root
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		next, ok := target.get(step)
		if items, is := target.value.([]node); is {
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(items) {
				next, ok = items[i], true
			}
		}
		if !ok {
			panic(&SchemaError{path, fmt.Sprintf("there is no %q", pointer)})
		}
		target = next
	}
	return target
}

// merge takes the properties of all parts of an allOf together.
func (b *schemaBuilder) merge(s, list node, path string) node {
	items, _ := list.value.([]node)
	if len(items) == 0 {
		panic(&SchemaError{path, "a list of schemas is expected"})
	}
	var properties, rest []member
	var required []node
	add := func(part node) {
		members, _ := part.value.([]member)
		for _, m := range members {
			switch m.name {
			case "allOf":
			case "properties":
				more, _ := m.value.value.([]member)
				properties = append(properties, more...)
			case "required":
				more, _ := m.value.value.([]node)
				required = append(required, more...)
			default:
				rest = slices.DeleteFunc(rest, func(o member) bool { return o.name == m.name })
				rest = append(rest, m)
			}
		}
	}
	for i, item := range items {
		at := path + "/" + strconv.Itoa(i)
		for range maxSchemaDepth {
			ref, ok := item.get("$ref")
			if pointer, is := ref.value.(string); ok && is && strings.HasPrefix(pointer, "#") {
				item = b.resolve(pointer, at)
				continue
			}
			break
		}
		for _, hard := range []string{"$ref", "anyOf", "oneOf", "allOf", "enum", "const"} {
			if has(item, hard) {
				panic(&SchemaError{at + "/" + hard, "this cannot be combined by allOf"})
			}
		}
		add(item)
	}
	add(s)
	if len(properties) > 0 {
		rest = append(rest, member{"properties", node{value: properties}})
	}
	return node{value: append(rest, member{"required", node{value: required}})}
}

// limit reads a bound of a length or number of items; absent is -1.
func (b *schemaBuilder) limit(s node, name, path string) int {
	v, ok := s.get(name)
	if !ok {
		return -1
	}
	number, _ := v.value.(json.Number)
	n, err := strconv.ParseFloat(string(number), 64)
	if err != nil || n < 0 || n != float64(int(n)) {
		panic(&SchemaError{path + "/" + name, "a whole number from 0 on is expected"})
	}
	return int(n)
}

// maxRepeat is the largest length or number of items that is kept as it is. A larger lower bound is
// refused, a larger upper one left out: a text of a model does not come near.
const maxRepeat = 1000

// times writes a repetition of least to most.
func times(least, most int, path string) string {
	if least > maxRepeat {
		panic(&SchemaError{path, fmt.Sprintf("a lower bound above %d is not supported", maxRepeat)})
	}
	if most >= 0 && most < least {
		panic(&SchemaError{path, "the upper bound is below the lower one"})
	}
	if most < 0 || most > maxRepeat {
		return fmt.Sprintf("{%d,}", max(least, 0))
	}
	return fmt.Sprintf("{%d,%d}", max(least, 0), most)
}

func (b *schemaBuilder) array(s node, path string, depth int) string {
	least, most := b.limit(s, "minItems", path), b.limit(s, "maxItems", path)
	space := b.space()
	var parts []string
	if prefix, ok := s.get("prefixItems"); ok {
		items, _ := prefix.value.([]node)
		for i, item := range items {
			parts = append(parts, b.visit(item, path+"/prefixItems/"+strconv.Itoa(i), depth+1)+" "+space)
		}
		return b.fresh(`"[" ` + space + " " + strings.Join(parts, ` "," `+space+" ") + ` "]"`)
	}
	item := "value"
	if items, ok := s.get("items"); ok {
		item = b.visit(items, path+"/items", depth+1)
	} else {
		b.primitive("value")
	}
	if most == 0 {
		return b.fresh(`"[" ` + space + ` "]"`)
	}
	more := times(max(least, 1)-1, max(most, 0)-1, path+"/minItems")
	if most < 0 {
		more = times(max(least, 1)-1, -1, path+"/minItems")
	}
	list := fmt.Sprintf(`%s %s ( "," %s %s %s )%s`, item, space, space, item, space, more)
	if least <= 0 {
		list = "( " + list + " )?"
	}
	return b.fresh(`"[" ` + space + " " + list + ` "]"`)
}
