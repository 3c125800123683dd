package schema

import (
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A Value is a JSON value as a view into a body whose syntax has been checked. The zero Value is
// Python's None where a body had none. It is immutable and may be used concurrently.
type Value struct {
	raw      string // the value's own text, without white space around it
	plain    bool   // raw is the body itself, which was not declared to be JSON
	unquoted bool   // raw is what stands between a string's quotes
}

// kindOf names the sorts of values that pydantic tells apart.
type kindOf int

const (
	null kindOf = iota
	boolean
	integer
	float // has a point or an exponent, or is NaN or Infinity
	text
	list
	object
)

func (v Value) kind() kindOf {
	if v.plain || v.unquoted {
		return text
	}
	if v.raw == "" {
		return null
	}
	switch v.raw[0] {
	case 'n':
		return null
	case 't', 'f':
		return boolean
	case '"':
		return text
	case '[':
		return list
	case '{':
		return object
	}
	if strings.ContainsAny(v.raw, ".eEIN") {
		return float
	}
	return integer
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.kind() == null }

// Decode returns the value as encoding/json would: nil, bool, float64, string, []any or
// map[string]any, except that integers within int64 stay int64. Lone surrogates become U+FFFD.
func (v Value) Decode() any {
	switch v.kind() {
	case boolean:
		return v.raw == "true"
	case integer:
		if n, err := strconv.ParseInt(v.raw, 10, 64); err == nil {
			return n
		}
		return v.float()
	case float:
		return v.float()
	case text:
		return v.cleanText()
	case list:
		items := []any{}
		for item := range v.items() {
			items = append(items, item.Decode())
		}
		return items
	case object:
		members := map[string]any{}
		for name, member := range v.members() {
			members[name.cleanText()] = member.Decode()
		}
		return members
	}
	return nil
}

// float returns a number's value; what is too large is infinite, as in Python.
func (v Value) float() float64 {
	switch v.raw {
	case "NaN":
		return math.NaN()
	case "-0": // an integer, which has no sign at 0
		return 0
	}
	// The only error left after the syntax check is the range, where the result is ±Inf.
	f, _ := strconv.ParseFloat(v.raw, 64)
	return f
}

// text returns a string's characters. ok is false if it has a lone surrogate, which is then in
// three-byte form.
func (v Value) text() (s string, ok bool) {
	if v.plain {
		return v.raw, utf8.ValidString(v.raw)
	}
	s = v.raw
	if !v.unquoted {
		s = s[1 : len(s)-1]
	}
	if strings.IndexByte(s, '\\') >= 0 {
		s = unescape(s)
	}
	return s, utf8.ValidString(s)
}

// cleanText returns a string's characters as valid UTF-8.
func (v Value) cleanText() string {
	s, ok := v.text()
	if ok {
		return s
	}
	return replaceInvalid(s)
}

// replaceInvalid puts one U+FFFD for each surrogate or other byte that is not UTF-8.
func replaceInvalid(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && startsWithSurrogate(s) {
			size = 3
		}
		b.WriteRune(r)
		s = s[size:]
	}
	return b.String()
}

// unescape resolves the escapes of a string whose syntax has been checked.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return string(append(b, s...))
		}
		b = append(b, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, _ := hex4(s)
			s = s[4:]
			// Only two escapes make a pair; a surrogate that was not escaped stays alone.
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				low, _ := hex4(s[2:])
				if joined := utf16.DecodeRune(r, low); joined != utf8.RuneError {
					r, s = joined, s[6:]
				}
			}
			b = appendCodePoint(b, r)
		default: // '"', '\\', '/'
			b = append(b, c)
		}
	}
}

// items walks through a list.
func (v Value) items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		t := v.raw
		i := skipSpace(t, 1)
		for t[i] != ']' {
			end := skipValue(t, i)
			if !yield(Value{raw: t[i:end]}) {
				return
			}
			i = skipSpace(t, end)
			if t[i] == ',' {
				i = skipSpace(t, i+1)
			}
		}
	}
}

// members walks through an object in the order of the text, duplicates included.
func (v Value) members() iter.Seq2[Value, Value] {
	return func(yield func(name, member Value) bool) {
		t := v.raw
		i := skipSpace(t, 1)
		for t[i] != '}' {
			nameEnd := skipString(t, i)
			colon := skipSpace(t, nameEnd)
			begin := skipSpace(t, colon+1)
			end := skipValue(t, begin)
			name, member := Value{raw: t[i:nameEnd]}, Value{raw: t[begin:end]}
			if !yield(name, member) {
				return
			}
			i = skipSpace(t, end)
			if t[i] == ',' {
				i = skipSpace(t, i+1)
			}
		}
	}
}

func (v Value) length() int {
	n := 0
	for range v.items() {
		n++
	}
	return n
}

func skipSpace(t string, i int) int {
	for isSpace(t[i]) {
		i++
	}
	return i
}

// skipString returns the offset after the string that begins at i.
func skipString(t string, i int) int {
	for i++; ; i++ {
		switch t[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// skipValue returns the offset after the value that begins at i. The brackets need not be told
// apart: the syntax has been checked.
func skipValue(t string, i int) int {
	for depth := 0; ; {
		switch t[i] {
		case '"':
			i = skipString(t, i)
		case '[', '{':
			depth++
			i++
		case ']', '}':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++ // only inside a container
			continue
		default:
			for i < len(t) && !strings.ContainsRune(",:]} \t\r\n", rune(t[i])) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}
