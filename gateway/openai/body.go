package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/wire"
)

// read reads the request's body. If it is refused it has answered, and returns false. Members that
// nobody knows are left alone, as OpenAI's clients send more from year to year.
func read(c *gin.Context, into any) bool {
	body, err := wire.Body(c)
	if err != nil {
		status, text := wire.Unread(c, err)
		if status == wire.StatusClientGone {
			c.Status(status)
			c.Abort()
			return false
		}
		(&Error{Status: status, Message: text, Type: invalidRequest}).Answer(c)
		return false
	}
	// An answer in one piece may take longer to write than the server allows by itself.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Time{}) // not every test has a connection
	if string(bytes.TrimSpace(body)) == "null" {                           // which encoding/json takes for an empty object
		badBody(&json.UnmarshalTypeError{Value: "null"}).Answer(c)
		return false
	}
	if err := json.Unmarshal(body, into); err != nil {
		badBody(err).Answer(c)
		return false
	}
	return true
}

func badBody(err error) *Error {
	var (
		own   *Error
		wrong *json.UnmarshalTypeError
	)
	field := ""
	if errors.As(err, &wrong) {
		field = strings.TrimPrefix(wrong.Field, "parameters.") // as Go sees it
	}
	switch {
	case errors.As(err, &own):
		return own
	case wrong != nil && field == "":
		return &Error{Status: http.StatusBadRequest, Message: "The body has to be a JSON object, not " + article(wrong.Value), Type: invalidRequest}
	case wrong != nil:
		return mistyped(field, "%s has to be %s, not %s", field, sort(wrong.Type), article(wrong.Value))
	}
	return &Error{Status: http.StatusBadRequest, Message: "The body is no JSON: " + err.Error(), Type: invalidRequest, Code: "invalid_json"}
}

// sort names what a field takes.
func sort(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// article puts one before the name that encoding/json has for a value.
func article(value string) string {
	if value == "null" {
		return value
	}
	if strings.HasPrefix(value, "array") || strings.HasPrefix(value, "object") {
		return "an " + value
	}
	return "a " + value
}

// texts are a text, a list of texts, or nothing.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(raw []byte) error {
	var one *string
	if json.Unmarshal(raw, &one) == nil {
		if *t = nil; one != nil {
			*t = texts{*one}
		}
		return nil
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return mistyped("stop", "stop has to be a string or a list of strings")
	}
	*t = many
	return nil
}
