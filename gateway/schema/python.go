package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The message about an unknown union tag shows the tag as Python's str() shows it, whatever its
// type is.

// pythonStr returns str(v), within the limits of an echo.
func pythonStr(v Value) string {
	if v.kind() == text {
		// Rust's conversion puts one U+FFFD for each byte of a surrogate.
		return maskKeys(string([]rune(cutText(v))))
	}
	var r repr
	r.value(v, 0)
	return maskKeys(r.String())
}

// repr writes Python's repr() of a value.
type repr struct{ strings.Builder }

func (r *repr) full() bool { return r.Len() >= maxEchoString }

func (r *repr) value(v Value, depth int) {
	switch v.kind() {
	case null:
		r.WriteString("None")
	case boolean:
		r.WriteString(strings.ToUpper(v.raw[:1]) + v.raw[1:])
	case integer:
		r.WriteString(pythonInteger(v.raw))
	case float:
		r.WriteString(pythonFloat(v.float()))
	case text:
		r.quoted(maskKeys(cutText(v)))
	case list:
		r.WriteByte('[')
		first := true
		for item := range v.items() {
			if !first {
				r.WriteString(", ")
			}
			first = false
			if r.full() || depth == maxEchoDepth {
				r.WriteString(cut)
				break
			}
			r.value(item, depth+1)
		}
		r.WriteByte(']')
	case object:
		r.WriteByte('{')
		for i, m := range distinctMembers(v) {
			if i > 0 {
				r.WriteString(", ")
			}
			if r.full() || depth == maxEchoDepth {
				r.WriteString(cut)
				break
			}
			r.quoted(maskKeys(cutText(m.name)))
			r.WriteString(": ")
			if secretName(m.name.cleanText()) {
				r.quoted(masked)
				continue
			}
			r.value(m.value, depth+1)
		}
		r.WriteByte('}')
	}
}

// quoted writes repr(s) of a string.
func (r *repr) quoted(s string) {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	r.WriteByte(quote)
	for len(s) > 0 {
		c, size := utf8.DecodeRuneInString(s)
		switch {
		case startsWithSurrogate(s):
			fmt.Fprintf(r, `\u%04x`, rune(s[0]&0x0F)<<12|rune(s[1]&0x3F)<<6|rune(s[2]&0x3F))
			size = 3
		case c == rune(quote) || c == '\\':
			r.WriteByte('\\')
			r.WriteRune(c)
		case c == '\n':
			r.WriteString(`\n`)
		case c == '\r':
			r.WriteString(`\r`)
		case c == '\t':
			r.WriteString(`\t`)
		case unicode.IsPrint(c):
			r.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(r, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(r, `\u%04x`, c)
		default:
			fmt.Fprintf(r, `\U%08x`, c)
		}
		s = s[size:]
	}
	r.WriteByte(quote)
}

// pythonInteger returns an integer literal as Python prints the int.
func pythonInteger(literal string) string {
	if literal == "-0" {
		return "0"
	}
	return literal
}

// pythonFloat returns repr(f): the shortest digits that read back as f, with an exponent below
// 1e-4 and from 1e16 on.
func pythonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
