package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// A kind describes what it accepts as JSON Schema, draft 2020-12, which is what OpenAPI 3.1 uses.
// What a schema says and what it does are thus one thing:
//
//   - numbers and booleans are described with the other forms that pydantic reads as such, "7" and
//     true for integers, "yes" and 1 for booleans, because a tool that tests a server by its
//     description calls everything else that is accepted a fault;
//   - a rule that a kind cannot express by itself is added with Described, beside the code that
//     enforces it.

// Description is a JSON Schema, or any other JSON object whose members keep their order.
type Description []Keyword

// Keyword is one member of a Description. Value is a Description or anything that json.Marshal takes.
type Keyword struct {
	Name  string
	Value any
}

// MarshalJSON writes the members in their order.
func (d Description) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, k := range d {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(k.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.Name, err)
		}
		out = append(append(appendQuoted(out, k.Name), ':'), value...)
	}
	return append(out, '}'), nil
}

// Get returns a member's value, or nil.
func (d Description) Get(name string) any {
	for _, k := range d {
		if k.Name == name {
			return k.Value
		}
	}
	return nil
}

// Definitions are the descriptions that have a name, in the order in which they were met. It is
// used by one goroutine.
type Definitions struct{ Named Description }

// Describe returns the description of what a kind accepts. Named kinds are referred to by
// "#/components/schemas/", where OpenAPI keeps them.
func Describe[T any](d *Definitions, kind Kind[T]) Description { return d.of(kind) }

// describer is a kind that can tell what it accepts. One that cannot is described as accepting
// everything.
type describer interface {
	describe(*Definitions) Description
}

func (d *Definitions) of(kind any) Description {
	if k, ok := kind.(describer); ok {
		return k.describe(d)
	}
	return Description{}
}

// Named gives a kind a name in descriptions. It must be the only one with this name.
func Named[T any](name string, kind Kind[T]) Kind[T] { return named[T]{kind, name} }

type named[T any] struct {
	Kind[T]
	name string
}

func (k named[T]) describe(d *Definitions) Description {
	if d.Named.Get(k.name) == nil {
		at := len(d.Named)
		d.Named = append(d.Named, Keyword{k.name, Description{}})
		d.Named[at].Value = d.of(k.Kind)
	}
	return Description{{"$ref", "#/components/schemas/" + k.name}}
}

// Described adds to a kind's description what the kind alone does not tell.
func Described[T any](kind Kind[T], more ...Keyword) Kind[T] { return described[T]{kind, more} }

type described[T any] struct {
	Kind[T]
	more Description
}

func (k described[T]) describe(d *Definitions) Description {
	return append(slices.Clip(d.of(k.Kind)), k.more...)
}

func ofType(name string) Description { return Description{{"type", name}} }

func anyOf(all ...Description) Description { return Description{{"anyOf", all}} }

func enumOf[T any](values ...T) Description { return Description{{"enum", values}} }

func orNullDescription(inner Description) Description {
	if all, ok := inner.Get("anyOf").([]Description); ok && len(inner) == 1 {
		return anyOf(append(slices.Clip(all), ofType("null"))...)
	}
	return anyOf(inner, ofType("null"))
}

func (k nullable[T]) describe(d *Definitions) Description { return orNullDescription(d.of(k.kind)) }

func (k orNull[T]) describe(d *Definitions) Description { return orNullDescription(d.of(k.kind)) }

func (k converted[T, F]) describe(d *Definitions) Description { return d.of(k.kind) }

func (anyObject) describe(*Definitions) Description { return ofType("object") }

func (k StringKind) describe(*Definitions) Description {
	out := ofType("string")
	if k.min > 0 {
		out = append(out, Keyword{"minLength", k.min})
	}
	if k.max >= 0 {
		out = append(out, Keyword{"maxLength", k.max})
	}
	return out
}

func (k choice) describe(*Definitions) Description {
	return append(ofType("string"), Keyword{"enum", k.values})
}

// Texts that are read as booleans, in the cases that people write.
var booleanWords = []string{
	"0", "1", "f", "F", "t", "T", "n", "N", "y", "Y", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "yes", "Yes", "YES",
	"true", "True", "TRUE", "false", "False", "FALSE",
}

func (boolKind) describe(*Definitions) Description {
	return anyOf(ofType("boolean"), enumOf(0, 1), enumOf(booleanWords...))
}

const (
	integerPattern = `^[ \t\n\r]*[+-]?[0-9]+(\.0+)?[ \t\n\r]*$`
	numberPattern  = `^[ \t\n\r]*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?[ \t\n\r]*$`
	// urlPattern is narrower than what is accepted: absolute URLs of all schemes.
	urlPattern = `^https?://[a-z]+(\.[a-z]+)*(:[0-9]{1,4})?(/[A-Za-z0-9._~/-]*)?$`
)

// mostListed bounds how many numbers are listed as texts.
const mostListed = 64

func (k IntKind) describe(*Definitions) Description {
	whole := ofType("integer")
	if k.hasMin {
		whole = append(whole, Keyword{"minimum", k.min})
	}
	if k.hasMax {
		whole = append(whole, Keyword{"maximum", k.max})
	}
	if !k.hasMin && !k.hasMax {
		return anyOf(whole, ofType("boolean"), Description{{"type", "string"}, {"pattern", integerPattern}})
	}
	all := []Description{whole}
	if bools := booleansWithin(k.allows(0), k.allows(1)); bools != nil {
		all = append(all, bools)
	}
	if k.hasMin && k.hasMax && k.max-k.min < mostListed {
		var texts []string
		for n := k.min; n <= k.max; n++ {
			texts = append(texts, strconv.Itoa(n))
		}
		all = append(all, enumOf(texts...))
	}
	return anyOf(all...)
}

func (k IntKind) allows(n int) bool { return (!k.hasMin || n >= k.min) && (!k.hasMax || n <= k.max) }

// booleansWithin describes false and true as far as 0 and 1 are allowed.
func booleansWithin(zero, one bool) Description {
	switch {
	case zero && one:
		return ofType("boolean")
	case zero:
		return enumOf(false)
	case one:
		return enumOf(true)
	}
	return nil
}

func (k FloatKind) describe(*Definitions) Description {
	number := ofType("number")
	if k.hasMin {
		number = append(number, Keyword{"minimum", k.min})
	}
	if k.hasMax {
		number = append(number, Keyword{"maximum", k.max})
	}
	if !k.hasMin && !k.hasMax {
		return anyOf(number, ofType("boolean"), Description{{"type", "string"}, {"pattern", numberPattern}})
	}
	allows := func(f float64) bool { return (!k.hasMin || f >= k.min) && (!k.hasMax || f <= k.max) }
	all := []Description{number}
	if bools := booleansWithin(allows(0), allows(1)); bools != nil {
		all = append(all, bools)
	}
	return anyOf(all...)
}

func (k URLKind) describe(*Definitions) Description {
	out := Description{{"type", "string"}, {"format", "uri"}, {"pattern", urlPattern}}
	if k.max >= 0 {
		out = append(out, Keyword{"maxLength", k.max})
	}
	return out
}

func (k ListKind[T]) describe(d *Definitions) Description {
	out := Description{{"type", "array"}, {"items", d.of(k.item)}}
	if k.min > 0 {
		out = append(out, Keyword{"minItems", k.min})
	}
	if k.max >= 0 {
		out = append(out, Keyword{"maxItems", k.max})
	}
	return out
}

func (f FieldOf[T, F]) describeField(d *Definitions) (description Description, required bool) {
	description = d.of(f.kind)
	if f.fallback != nil {
		description = append(slices.Clip(description), Keyword{"default", *f.fallback})
	}
	return description, f.required
}

func (k objectKind[T]) describe(d *Definitions) Description {
	properties, required := Description{}, []string{}
	for _, f := range k.fields {
		description, needed := f.describeField(d)
		properties = append(properties, Keyword{f.fieldName(), description})
		if needed {
			required = append(required, f.fieldName())
		}
	}
	return objectOf(properties, required)
}

func objectOf(properties Description, required []string) Description {
	out := append(ofType("object"), Keyword{"properties", properties})
	if len(required) > 0 {
		out = append(out, Keyword{"required", required})
	}
	return out
}

func (k mapKind[T]) describe(d *Definitions) Description {
	return append(ofType("object"), Keyword{"propertyNames", d.of(k.key)}, Keyword{"additionalProperties", d.of(k.value)})
}

func (k union[T]) describe(d *Definitions) Description {
	var all []Description
	for _, one := range k.alternatives {
		all = append(all, d.of(one.kind))
	}
	return anyOf(all...)
}

func (k withMember[T]) describe(d *Definitions) Description {
	return anyOf(d.of(k.with), d.of(k.without))
}

// describe adds the discriminator to the cases that do not have it as a member of their own.
func (k tagged[T]) describe(d *Definitions) Description {
	var all []Description
	for _, one := range k.cases {
		all = append(all, withTag(d.of(one.kind), k.discriminator, one.tag))
	}
	return anyOf(all...)
}

func withTag(shape Description, discriminator string, tag any) Description {
	properties, ok := shape.Get("properties").(Description)
	if !ok || properties.Get(discriminator) != nil {
		return shape
	}
	values := []any{tag}
	if tag == 1 {
		values = append(values, true) // which equals 1 in Python
	}
	out := slices.Clone(shape)
	for i, k := range out {
		switch k.Name {
		case "properties":
			out[i].Value = append(Description{{discriminator, enumOf(values...)}}, properties...)
		case "required":
			out[i].Value = append([]string{discriminator}, k.Value.([]string)...)
		}
	}
	if out.Get("required") == nil {
		out = append(out, Keyword{"required", []string{discriminator}})
	}
	return out
}
