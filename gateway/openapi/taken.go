package openapi

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"aigw/gateway/schema"
)

// Shaped is a type that reads JSON in forms of its own, and says which.
type Shaped interface{ Shape() schema.Description }

// Limits are what bounds the members of a body beside their types. Members within others have names such as
// messages.role, whether they are in an object or in the objects of a list.
type Limits map[string]schema.Description

// Taken describes the bodies that encoding/json reads into a T. All members may be absent, or null, but those
// that are required; members that nobody knows are left alone.
func Taken[T any](limits Limits, required ...string) func(*schema.Definitions) schema.Description {
	shape := taker{limits, required}.of(reflect.TypeFor[T](), "")
	return func(*schema.Definitions) schema.Description { return shape }
}

// List describes lists of what is described.
func List(items schema.Description, more ...schema.Keyword) schema.Description {
	return append(append(typed("array"), schema.Keyword{Name: "items", Value: items}), more...)
}

// Either describes what is in one of some shapes.
func Either(shapes ...schema.Description) schema.Description {
	return schema.Description{{Name: "anyOf", Value: shapes}}
}

// Kind describes all values of a type of JSON's, within limits.
func Kind(name string, limits ...schema.Keyword) schema.Description {
	return append(typed(name), limits...)
}

// Within are the limits of a number.
func Within[T int | float64](least, most T) schema.Description {
	return schema.Description{{Name: "minimum", Value: least}, {Name: "maximum", Value: most}}
}

// OneOf describes some texts.
func OneOf(texts ...string) schema.Description {
	return Kind("string", schema.Keyword{Name: "enum", Value: texts})
}

type taker struct {
	limits   Limits
	required []string
}

var (
	shaped = reflect.TypeFor[Shaped]()
	raw    = reflect.TypeFor[json.RawMessage]()
)

func (k taker) of(t reflect.Type, at string) schema.Description {
	if t.Implements(shaped) {
		return reflect.Zero(t).Interface().(Shaped).Shape()
	}
	if t == raw {
		return schema.Description{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return k.of(t.Elem(), at)
	case reflect.Slice:
		items := k.of(t.Elem(), at)
		if items.Get("required") == nil {
			items = Either(items, typed("null")) // the zero value to encoding/json
		}
		return List(items)
	case reflect.Int, reflect.Int64:
		return append(typed("integer"), Within(math.MinInt64, math.MaxInt64)...)
	case reflect.Int32:
		return append(typed("integer"), Within(math.MinInt32, math.MaxInt32)...)
	case reflect.Struct:
		return k.ofStruct(t, at)
	case reflect.String, reflect.Bool, reflect.Float64:
		return of(t)
	}
	panic(fmt.Errorf("a body cannot be described: %s", t)) // an error of the program, found at start-up
}

func (k taker) ofStruct(t reflect.Type, at string) schema.Description {
	properties, required := k.members(t, at)
	out := append(typed("object"), schema.Keyword{Name: "properties", Value: properties})
	if len(required) > 0 {
		out = append(out, schema.Keyword{Name: "required", Value: required})
	}
	return out
}

// members are those of a struct, with those of structs that are embedded in it.
func (k taker) members(t reflect.Type, at string) (properties schema.Description, required []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			inner, needed := k.members(f.Type, at)
			properties, required = append(properties, inner...), append(required, needed...)
			continue
		case !f.IsExported() || name == "-":
			continue
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		shape := limited(k.of(f.Type, path), k.limits[path])
		if slices.Contains(k.required, path) {
			required = append(required, name)
		} else {
			shape = Either(shape, typed("null"))
		}
		properties = append(properties, schema.Keyword{Name: name, Value: shape})
	}
	return properties, required
}

// limited adds limits to a shape, in place of those that it has by its type.
func limited(shape, limits schema.Description) schema.Description {
	shape = slices.DeleteFunc(slices.Clone(shape), func(k schema.Keyword) bool { return limits.Get(k.Name) != nil })
	return append(shape, limits...)
}
