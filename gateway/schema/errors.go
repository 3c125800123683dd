package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// ErrUnreadable says that a body is no text, or JSON that Python gives up on without naming a
// place. The answer is 400.
var ErrUnreadable = fmt.Errorf("body cannot be read as JSON text; send UTF-8, at most %d containers in one another and %d digits in an integer", maxDepth, maxIntegerDigits)

// Error is one thing that is wrong with a body, in pydantic's terms.
type Error struct {
	Type  string // such as "string_too_long"
	Loc   []any  // string or int: the way from "body" to the value
	Msg   string
	Input Value // the value refused; of a missing member, the object that lacks it
	Ctx   []Detail
}

// Detail is a named parameter of an Error's message. Value is a string, an int, a float64 or,
// for a reason that cannot be shown, struct{}{}.
type Detail struct {
	Name  string
	Value any
}

// Errors is everything that is wrong with a body, in field order. The answer is 422.
type Errors []Error

// Error lists the places and messages, without the values.
func (e Errors) Error() string {
	var b strings.Builder
	for i, one := range e {
		if i > 0 {
			b.WriteString("; ")
		}
		for j, part := range one.Loc {
			if j > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, part)
		}
		b.WriteString(": " + one.Msg)
	}
	return b.String()
}

// MarshalJSON returns the list as FastAPI answers it. Repeated values are bounded in size, and
// API keys in them are masked.
func (e Errors) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	echoed := 0
	var last Value      // errors of one object repeat the same value:
	var lastEcho []byte // it is rendered once
	for i, one := range e {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendQuoted(append(out, `{"type":`...), one.Type)
		out = append(out, `,"loc":[`...)
		for j, part := range one.Loc {
			if j > 0 {
				out = append(out, ',')
			}
			out = appendDetail(out, part)
		}
		out = appendQuoted(append(out, `],"msg":`...), one.Msg)
		out = append(out, `,"input":`...)
		if i == 0 || one.Input != last {
			last, lastEcho = one.Input, appendEcho(nil, one.Input, maxEchoAll)
		}
		switch {
		case one.secret():
			out = appendQuoted(out, masked)
		case echoed+len(lastEcho) > maxEchoAll:
			out = append(out, "null"...)
		default:
			out = append(out, lastEcho...)
			echoed += len(lastEcho)
		}
		if len(one.Ctx) > 0 {
			out = append(out, `,"ctx":{`...)
			for j, d := range one.Ctx {
				if j > 0 {
					out = append(out, ',')
				}
				out = appendDetail(append(appendQuoted(out, d.Name), ':'), d.Value)
			}
			out = append(out, '}')
		}
		out = append(out, '}')
	}
	return append(out, ']'), nil
}

// secret reports whether the value refused is, or is part of, an API key. The object that lacks
// a required member is not.
func (e Error) secret() bool {
	for _, part := range e.Loc {
		if name, ok := part.(string); ok && secretName(name) && e.Type != missing {
			return true
		}
	}
	return false
}

func appendDetail(out []byte, value any) []byte {
	switch value := value.(type) {
	case int:
		return strconv.AppendInt(out, int64(value), 10)
	case float64:
		return append(out, pythonFloat(value)...)
	case string:
		return appendQuoted(out, value)
	default:
		return append(out, "{}"...)
	}
}
