package schema

import (
	"math"
	"strings"
	"unicode/utf8"
)

// An error repeats the value that it refuses. The original repeats it whole; here the answer must
// stay small whatever was sent, and must not spread secrets.
const (
	maxEchoString = 1024     // code points of one string
	maxEchoValue  = 8 << 10  // bytes of one value, about
	maxEchoAll    = 64 << 10 // bytes of all values of one answer, about
	maxEchoDepth  = 32       // containers in one another
	cut           = "…"      // stands for what was left out
	masked        = "**********"
)

// secretName reports whether a member's value must not be repeated or logged.
func secretName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "api_key") || strings.HasSuffix(name, "apikey") ||
		name == "authorization" || name == "password" || name == "token" || name == "secret"
}

// maskKeys hides a text that could be JSON, or a part of it, with a key inside.
func maskKeys(s string) string {
	lower := strings.ToLower(s)
	if strings.Contains(lower, "api_key") || strings.Contains(lower, "apikey") || strings.Contains(lower, "authorization") {
		return masked
	}
	return s
}

// showText returns as much of a string as may be repeated, as valid UTF-8.
func showText(v Value) string { return maskKeys(replaceInvalid(cutText(v))) }

// cutText returns as much of a string as may be repeated. It may hold surrogates.
func cutText(v Value) string {
	// Two escapes can make one code point. Only what can be shown is decoded.
	s, _ := v.head(2*maxEchoString + 2).text()
	n := 0
	for i := 0; i < len(s); n++ {
		if n == maxEchoString {
			return s[:i] + cut
		}
		if startsWithSurrogate(s[i:]) {
			i += 3
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return s
}

// head returns the string's first n characters or escapes.
func (v Value) head(n int) Value {
	begin, end := 1, len(v.raw)-1
	if v.plain {
		begin, end = 0, len(v.raw)
	}
	i := begin
	for ; n > 0 && i < end; n-- {
		switch {
		case v.raw[i] == '\\' && !v.plain && v.raw[i+1] == 'u':
			i += 6
		case v.raw[i] == '\\' && !v.plain:
			i += 2
		case startsWithSurrogate(v.raw[i:]):
			i += 3
		default:
			_, size := utf8.DecodeRuneInString(v.raw[i:])
			i += size
		}
	}
	return Value{raw: v.raw[begin:i], unquoted: true, plain: v.plain}
}

// echo writes values as compact JSON, as Python's json.dumps(ensure_ascii=False) does, within
// limits. What JSON cannot hold, NaN and Infinity, becomes null (the original fails there).
type echo struct {
	out   []byte
	limit int // length of out at which to stop
}

// appendEcho appends v to out, which has room for at most budget bytes of it, about.
func appendEcho(out []byte, v Value, budget int) []byte {
	e := echo{out: out, limit: len(out) + min(budget, maxEchoValue)}
	e.value(v, 0)
	return e.out
}

func (e *echo) full() bool { return len(e.out) >= e.limit }

func (e *echo) value(v Value, depth int) {
	switch v.kind() {
	case null:
		e.out = append(e.out, "null"...)
	case boolean:
		e.out = append(e.out, v.raw...)
	case integer:
		e.out = append(e.out, pythonInteger(v.raw)...)
	case float:
		if f := v.float(); math.IsNaN(f) || math.IsInf(f, 0) {
			e.out = append(e.out, "null"...)
		} else {
			e.out = append(e.out, pythonFloat(f)...)
		}
	case text:
		e.out = appendQuoted(e.out, showText(v))
	case list:
		e.list(v, depth)
	case object:
		e.object(v, depth)
	}
}

func (e *echo) list(v Value, depth int) {
	e.out = append(e.out, '[')
	first := true
	for item := range v.items() {
		if !first {
			e.out = append(e.out, ',')
		}
		first = false
		if e.full() || depth == maxEchoDepth {
			e.out = appendQuoted(e.out, cut)
			break
		}
		e.value(item, depth+1)
	}
	e.out = append(e.out, ']')
}

func (e *echo) object(v Value, depth int) {
	e.out = append(e.out, '{')
	for i, m := range distinctMembers(v) {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if e.full() || depth == maxEchoDepth {
			e.out = append(appendQuoted(e.out, cut), ':')
			e.out = appendQuoted(e.out, cut)
			break
		}
		e.out = append(appendQuoted(e.out, showText(m.name)), ':')
		if secretName(m.name.cleanText()) && !m.value.IsNull() {
			e.out = appendQuoted(e.out, masked)
			continue
		}
		e.value(m.value, depth+1)
	}
	e.out = append(e.out, '}')
}

type member struct {
	name, value Value
}

// maxEchoMembers bounds what is kept of one object while looking for duplicates.
const maxEchoMembers = 256

// distinctMembers returns the members as a Python dict has them: in the order of their first
// appearance, with their last value. Beyond maxEchoMembers names the rest is left out.
func distinctMembers(v Value) []member {
	var members []member
	place := map[string]int{}
	for name, value := range v.members() {
		n := name.cleanText()
		if i, ok := place[n]; ok {
			members[i].value = value
		} else if len(members) < maxEchoMembers {
			place[n] = len(members)
			members = append(members, member{name, value})
		}
	}
	return members
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string with only the escapes that JSON demands.
func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c == '\r':
			out = append(out, '\\', 'r')
		case c == '\t':
			out = append(out, '\\', 't')
		case c == '\b':
			out = append(out, '\\', 'b')
		case c == '\f':
			out = append(out, '\\', 'f')
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			out = append(out, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			out = utf8.AppendRune(out, r)
			i += size
			continue
		}
		i++
	}
	return append(out, '"')
}
