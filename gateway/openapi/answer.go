package openapi

import (
	"fmt"
	"reflect"
	"strings"

	"aigw/gateway/schema"
)

// Of describes the JSON that encoding/json makes of a T, of the types that answers are made of:
// structs, pointers, lists, maps with names, strings, numbers, booleans.
func Of[T any]() schema.Description { return of(reflect.TypeFor[T]()) }

func of(t reflect.Type) schema.Description {
	switch t.Kind() {
	case reflect.Pointer:
		return schema.Description{{Name: "anyOf", Value: []schema.Description{of(t.Elem()), typed("null")}}}
	case reflect.Slice, reflect.Array:
		return append(typed("array"), schema.Keyword{Name: "items", Value: of(t.Elem())})
	case reflect.Map:
		return append(typed("object"), schema.Keyword{Name: "additionalProperties", Value: of(t.Elem())})
	case reflect.String:
		return typed("string")
	case reflect.Bool:
		return typed("boolean")
	case reflect.Float32, reflect.Float64:
		return typed("number")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return typed("integer")
	case reflect.Interface:
		return schema.Description{}
	case reflect.Struct:
		return ofStruct(t)
	}
	panic(fmt.Errorf("an answer cannot be described: %s", t)) // an error of the program, found at start-up
}

func ofStruct(t reflect.Type) schema.Description {
	properties, required := schema.Description{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		described := of(f.Type)
		if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			if f.Type.Kind() == reflect.Pointer {
				described = of(f.Type.Elem()) // absent instead of null
			}
		} else {
			required = append(required, name)
		}
		properties = append(properties, schema.Keyword{Name: name, Value: described})
	}
	return append(typed("object"), schema.Keyword{Name: "properties", Value: properties}, schema.Keyword{Name: "required", Value: required})
}

func typed(name string) schema.Description { return schema.Description{{Name: "type", Value: name}} }
