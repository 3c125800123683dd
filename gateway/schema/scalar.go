package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// StringKind reads strings. The methods set limits while the schema is built.
type StringKind struct {
	trim     bool
	max, min int // code points; max -1 is no limit
}

// String accepts strings and nothing else.
func String() StringKind { return StringKind{max: -1} }

// Trim takes white space off both ends before the length is checked.
func (k StringKind) Trim() StringKind { k.trim = true; return k }

// Max limits the length in code points.
func (k StringKind) Max(n int) StringKind { k.max = n; return k }

// Min demands a length in code points.
func (k StringKind) Min(n int) StringKind { k.min = n; return k }

func (k StringKind) read(c *checker, v Value) (string, bool) {
	if v.kind() != text {
		c.fail(v, "string_type", "Input should be a valid string")
		return "", false
	}
	if !k.trim && k.max < 0 && k.min == 0 {
		// Without limits pydantic does not look into the string.
		return v.cleanText(), true
	}
	s, ok := c.unicode(v)
	if !ok {
		return "", false
	}
	if k.trim {
		s = strings.TrimSpace(s)
	}
	if k.min > 0 || k.max >= 0 {
		switch n := utf8.RuneCountInString(s); {
		case k.max >= 0 && n > k.max:
			c.fail(v, "string_too_long", "String should have at most "+count(k.max, "character"), Detail{"max_length", k.max})
			return "", false
		case n < k.min:
			c.fail(v, "string_too_short", "String should have at least "+count(k.min, "character"), Detail{"min_length", k.min})
			return "", false
		}
	}
	return s, true
}

// unicode returns a string's characters, or refuses it for a lone surrogate.
func (c *checker) unicode(v Value) (string, bool) {
	s, ok := v.text()
	if !ok {
		c.fail(v, "string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string")
	}
	return s, ok
}

// count returns "1 item", "2 items".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Bool accepts true and false, the numbers 1 and 0, and in any case the words true, t, yes, y,
// on, 1, false, f, no, n, off, 0.
func Bool() Kind[bool] { return boolKind{} }

type boolKind struct{}

func (boolKind) read(c *checker, v Value) (bool, bool) {
	uninterpretable := func() (bool, bool) {
		c.fail(v, "bool_parsing", "Input should be a valid boolean, unable to interpret input")
		return false, false
	}
	switch v.kind() {
	case boolean:
		return v.raw == "true", true
	case text:
		s, ok := c.unicode(v)
		if !ok {
			return false, false
		}
		switch strings.ToLower(s) {
		case "1", "true", "t", "yes", "y", "on":
			return true, true
		case "0", "false", "f", "no", "n", "off":
			return false, true
		}
		return uninterpretable()
	case integer, float:
		n, ok := smallInteger(v)
		if !ok {
			break
		}
		if n != 0 && n != 1 {
			return uninterpretable()
		}
		return n == 1, true
	}
	c.fail(v, "bool_type", "Input should be a valid boolean")
	return false, false
}

// Enum accepts the given strings; a refusal is of type "enum".
func Enum(values ...string) Kind[string] { return choice{"enum", values, expected(values)} }

// Literal accepts the given strings; a refusal is of type "literal_error".
func Literal(values ...string) Kind[string] {
	return choice{"literal_error", values, expected(values)}
}

// Members accepts some members of a Python enumeration, given as name and value, where the original
// lists them as literals. Messages show them as Python does: <Kind.NAME: 'value'>.
func Members(enum string, namesAndValues ...string) Kind[string] {
	var values, shown []string
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		values = append(values, namesAndValues[i+1])
		shown = append(shown, "<"+enum+"."+namesAndValues[i]+": '"+namesAndValues[i+1]+"'>")
	}
	return choice{"literal_error", values, listed(shown)}
}

type choice struct {
	errorType string
	values    []string
	expected  string
}

// expected returns "'a', 'b' or 'c'".
func expected(values []string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		var r repr
		r.quoted(value)
		quoted[i] = r.String()
	}
	return listed(quoted)
}

func listed(shown []string) string {
	last := len(shown) - 1
	if last == 0 {
		return shown[0]
	}
	return strings.Join(shown[:last], ", ") + " or " + shown[last]
}

func (k choice) read(c *checker, v Value) (string, bool) {
	if v.kind() == text {
		s, ok := c.unicode(v)
		if !ok {
			return "", false
		}
		for _, value := range k.values {
			if s == value {
				return value, true
			}
		}
	}
	c.fail(v, k.errorType, "Input should be "+k.expected, Detail{"expected", k.expected})
	return "", false
}
