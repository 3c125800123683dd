package schema

import (
	"slices"
	"strings"
)

// A Kind reads values of one type. Kinds are immutable once the schema is built and may be used
// concurrently.
type Kind[T any] interface {
	// read returns the value, or reports what is wrong with it to c and returns false.
	read(c *checker, v Value) (T, bool)
}

// maxErrors bounds the answer to a body with many mistakes, such as a long list of them.
const maxErrors = 1000

// checker collects the errors of one body on the way through its schema.
type checker struct {
	loc    []any
	errors Errors
}

func (c *checker) enter(part any) { c.loc = append(c.loc, part) }
func (c *checker) leave()         { c.loc = c.loc[:len(c.loc)-1] }

func (c *checker) fail(v Value, kind, msg string, ctx ...Detail) {
	if len(c.errors) < maxErrors {
		c.errors = append(c.errors, Error{Type: kind, Loc: slices.Clone(c.loc), Msg: msg, Input: v, Ctx: ctx})
	}
}

// Types and texts that several kinds share.
const (
	missing      = "missing"
	missingText  = "Field required"
	notAnObject  = "model_attributes_type"
	objectWanted = "Input should be a valid dictionary or object to extract fields from"
)

// Parse reads the body of a request. contentType is the header's value, empty if it is absent.
// The error is ErrUnreadable or Errors.
func Parse[T any](kind Kind[T], contentType string, body []byte) (T, error) {
	var none T
	c := &checker{loc: []any{"body"}}
	v, err := bodyValue(contentType, body)
	if err != nil {
		return none, err
	}
	if v.IsNull() {
		c.fail(v, missing, missingText)
		return none, c.errors
	}
	parsed, ok := kind.read(c, v)
	if !ok {
		return none, c.errors
	}
	return parsed, nil
}

// bodyValue returns the JSON value that a body holds.
func bodyValue(contentType string, body []byte) (Value, error) {
	if len(body) == 0 {
		return Value{}, nil
	}
	if !isJSON(contentType) {
		return Value{raw: string(body), plain: true}, nil
	}
	decoded, ok := bodyText(body)
	if !ok {
		return Value{}, ErrUnreadable
	}
	raw, unreadable, syntax := checkSyntax(decoded)
	if unreadable {
		return Value{}, ErrUnreadable
	}
	if syntax != nil {
		return Value{}, Errors{{
			Type:  "json_invalid",
			Loc:   []any{"body", codePoints(decoded[:syntax.at])},
			Msg:   "JSON decode error",
			Input: Value{raw: "{}"},
			Ctx:   []Detail{{"error", syntax.what}},
		}}
	}
	return Value{raw: raw}, nil
}

// isJSON reports whether FastAPI takes a body of this type for JSON: application/json,
// application/*+json, or no type at all. The header is split as Python's email package does.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	main, sub, ok := strings.Cut(mediaType, "/")
	return ok && main == "application" && !strings.Contains(sub, "/") && (sub == "json" || strings.HasSuffix(sub, "+json"))
}

// Nullable also accepts null, which becomes nil.
func Nullable[T any](kind Kind[T]) Kind[*T] { return nullable[T]{kind} }

type nullable[T any] struct{ kind Kind[T] }

func (k nullable[T]) read(c *checker, v Value) (*T, bool) {
	if v.IsNull() {
		return nil, true
	}
	value, ok := k.kind.read(c, v)
	if !ok {
		return nil, false
	}
	return &value, true
}

// OrNull also accepts null, which becomes the zero value.
func OrNull[T any](kind Kind[T]) Kind[T] { return orNull[T]{kind} }

type orNull[T any] struct{ kind Kind[T] }

func (k orNull[T]) read(c *checker, v Value) (T, bool) {
	if v.IsNull() {
		var zero T
		return zero, true
	}
	return k.kind.read(c, v)
}

// Any accepts every value.
func Any() Kind[Value] { return anyValue{} }

type anyValue struct{}

func (anyValue) read(_ *checker, v Value) (Value, bool) { return v, true }

// AnyObject accepts objects with any members.
func AnyObject() Kind[Value] { return anyObject{} }

type anyObject struct{}

func (anyObject) read(c *checker, v Value) (Value, bool) {
	if v.kind() != object {
		c.fail(v, "dict_type", "Input should be a valid dictionary")
		return v, false
	}
	return v, true
}

// Convert accepts what kind accepts, as another type.
func Convert[T, F any](kind Kind[F], convert func(F) T) Kind[T] {
	return converted[T, F]{kind, convert}
}

type converted[T, F any] struct {
	kind    Kind[F]
	convert func(F) T
}

func (k converted[T, F]) read(c *checker, v Value) (T, bool) {
	value, ok := k.kind.read(c, v)
	if !ok {
		var none T
		return none, false
	}
	return k.convert(value), true
}
