package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// LineStream answers with JSON objects, one a line (application/x-ndjson). It is used by one
// goroutine.
type LineStream struct{ stream }

// NewLineStream returns a stream that has sent nothing yet. A client that does not take a line
// within timeout is given up.
func NewLineStream(c *gin.Context, timeout time.Duration) *LineStream {
	return &LineStream{stream{c: c, timeout: timeout, headers: map[string]string{"Content-Type": "application/x-ndjson; charset=utf-8"}}}
}

// Write sends an object at once.
func (s *LineStream) Write(object any) error {
	line, err := asciiLine(object)
	if err != nil {
		panic(fmt.Errorf("event is no JSON: %w", err)) // an error of the program
	}
	return s.send(string(line))
}

// End ends the stream.
func (s *LineStream) End() { _ = s.sendLast("") } // the client is gone if this fails

// asciiLine writes a value as Python's json.dumps does by default: a blank behind colons and
// commas, and everything that is not ASCII as \uXXXX. GitLab joins what it reads as bytes and
// searches it with a regular expression, which characters cut in two would break.
func asciiLine(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	var out []byte
	inString := false
	for text := bytes.TrimRight(b.Bytes(), "\n"); len(text) > 0; {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\\' && inString: // and what it escapes
			out = append(out, text[:2]...)
			text = text[2:]
			continue
		case r == '"':
			inString = !inString
		}
		switch {
		case r >= utf8.RuneSelf && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		case r >= 0x7f:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[:size]...)
		}
		if !inString && (r == ':' || r == ',') {
			out = append(out, ' ')
		}
		text = text[size:]
	}
	return append(out, '\n'), nil
}
