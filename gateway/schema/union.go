package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// Case is one shape of a tagged union.
type Case[T any] struct {
	tag     any    // int or string; also the part that it adds to the place of an error inside
	literal string // as the list of expected tags has it
	kind    Kind[T]
}

// IntCase is the shape of objects whose discriminator is an integer.
func IntCase[T any](tag int, kind Kind[T]) Case[T] {
	return Case[T]{tag, strconv.Itoa(tag), kind}
}

// StringCase is the shape of objects whose discriminator is a string. literal is how Python
// shows the tag: 'react', or <CodeEditorComponents.COMPLETION: 'code_editor_completion'>.
func StringCase[T any](tag, literal string, kind Kind[T]) Case[T] {
	return Case[T]{tag, literal, kind}
}

// Tagged accepts objects of several shapes, told apart by the member named discriminator.
func Tagged[T any](discriminator string, cases ...Case[T]) Kind[T] {
	literals := make([]string, len(cases))
	for i, one := range cases {
		literals[i] = one.literal
	}
	return tagged[T]{discriminator, cases, strings.Join(literals, ", ")}
}

type tagged[T any] struct {
	discriminator string
	cases         []Case[T]
	expected      string
}

func (k tagged[T]) read(c *checker, v Value) (T, bool) {
	var none T
	if v.kind() != object {
		c.fail(v, notAnObject, objectWanted)
		return none, false
	}
	tag, found := Value{}, false
	for name, member := range v.members() {
		if key, _ := name.text(); key == k.discriminator {
			tag, found = member, true
		}
	}
	quoted := "'" + k.discriminator + "'"
	if !found {
		c.fail(v, "union_tag_not_found", "Unable to extract tag using discriminator "+quoted, Detail{"discriminator", quoted})
		return none, false
	}
	for _, one := range k.cases {
		if one.matches(tag) {
			// The place names the tag as it was sent.
			if tag.kind() == float {
				c.enter(pythonStr(tag))
			} else {
				c.enter(one.tag)
			}
			defer c.leave()
			return one.kind.read(c, v)
		}
	}
	shown := pythonStr(tag)
	c.fail(v, "union_tag_invalid",
		fmt.Sprintf("Input tag '%s' found using %s does not match any of the expected tags: %s", shown, quoted, k.expected),
		Detail{"discriminator", quoted}, Detail{"tag", shown}, Detail{"expected_tags", k.expected})
	return none, false
}

// matches compares as Python does: 1, 1.0 and True are equal, "1" is not.
func (one Case[T]) matches(tag Value) bool {
	switch kind := tag.kind(); want := one.tag.(type) {
	case int:
		switch kind {
		case boolean:
			return tag.raw == "true" && want == 1 || tag.raw == "false" && want == 0
		case integer, float:
			n, ok := smallInteger(tag)
			return ok && n == int64(want)
		}
	case string:
		if kind == text {
			s, _ := tag.text()
			return s == want
		}
	}
	return false
}

// Alternative is one possibility of a union.
type Alternative[T any] struct {
	label string
	kind  Kind[T]
}

// Choice makes an alternative. label is what pydantic adds to the place of an error inside it,
// such as "list[Message]".
func Choice[T any](label string, kind Kind[T]) Alternative[T] { return Alternative[T]{label, kind} }

// Union accepts a value that one of its alternatives accepts, tried in order. If none does, the
// errors of all are reported. (pydantic prefers an alternative that needs no coercion; those
// given here must be of different JSON types, so that at most one can match.)
func Union[T any](alternatives ...Alternative[T]) Kind[T] { return union[T]{alternatives} }

type union[T any] struct{ alternatives []Alternative[T] }

func (k union[T]) read(c *checker, v Value) (T, bool) {
	before := len(c.errors)
	for _, one := range k.alternatives {
		c.enter(one.label)
		value, ok := one.kind.read(c, v)
		c.leave()
		if ok {
			c.errors = c.errors[:before]
			return value, true
		}
	}
	var none T
	return none, false
}

// WithMember reads objects that have a member by one kind, and everything else by another.
func WithMember[T any](name string, with, without Kind[T]) Kind[T] {
	return withMember[T]{name, with, without}
}

type withMember[T any] struct {
	name          string
	with, without Kind[T]
}

func (k withMember[T]) read(c *checker, v Value) (T, bool) {
	if v.kind() == object {
		for name := range v.members() {
			if key, _ := name.text(); key == k.name {
				return k.with.read(c, v)
			}
		}
	}
	return k.without.read(c, v)
}
