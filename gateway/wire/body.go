package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/schema"
)

// Read reads the request's body by a schema. If the body is refused it has answered, and
// returns false.
func Read[T any](c *gin.Context, kind schema.Kind[T]) (T, bool) {
	var none T
	body, err := Body(c)
	if err != nil {
		refuseBody(c, err)
		return none, false
	}
	value, err := schema.Parse(kind, c.GetHeader("Content-Type"), body)
	var refused schema.Errors
	switch {
	case err == nil:
		return value, true
	case errors.As(err, &refused):
		JSON(c, http.StatusUnprocessableEntity, map[string]any{"detail": refused})
	default:
		Detail(c, http.StatusBadRequest, "There was an error parsing the body")
	}
	return none, false
}

// Body reads the body, which the server has limited. The memory follows what arrives, not what the
// header claims.
func Body(c *gin.Context) ([]byte, error) {
	const first = 64 << 10 // bytes; most bodies of code suggestions fit
	var b bytes.Buffer
	b.Grow(bytes.MinRead + int(min(max(c.Request.ContentLength, 0), first)))
	if _, err := b.ReadFrom(c.Request.Body); err != nil {
		return nil, err
	}
	// The whole request is here: how long the answer may take is no longer the network's matter.
	// (An expired deadline would look like a client that hung up.)
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Time{}) // not every test has a connection
	return b.Bytes(), nil
}

// Unread says what to answer where Body has failed: status 499 is nothing, nobody is there.
func Unread(c *gin.Context, err error) (status int, text string) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("Request body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.Header("Connection", "close")
		return http.StatusRequestTimeout, "Request body did not arrive in time"
	case c.Request.Context().Err() != nil:
		return StatusClientGone, ""
	default:
		c.Header("Connection", "close")
		return http.StatusBadRequest, "There was an error parsing the body"
	}
}

func refuseBody(c *gin.Context, err error) {
	if status, text := Unread(c, err); status == StatusClientGone {
		c.Status(status)
	} else {
		Detail(c, status, text)
	}
}
