// Package wire is what all rooms of the gateway share of the wire: reading a body by its schema,
// answering JSON and errors, streaming text.
package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/requestlog"
)

// StatusClientGone is what the log says when the client hung up before there was an answer.
const StatusClientGone = 499

// JSON answers with a JSON body. Characters are written as they are, as the original does.
func JSON(c *gin.Context, status int, body any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		panic(fmt.Errorf("answer is no JSON: %w", err)) // an error of the program: 500
	}
	text := bytes.TrimRight(b.Bytes(), "\n")
	c.Header("Content-Length", strconv.Itoa(len(text))) // known also where the answer is sent before the handler ends
	c.Data(status, "application/json", text)
}

// Detail answers with {"detail": text}, the original's form of an error, which is in the log line, too: text
// must never hold a part of a prompt.
func Detail(c *gin.Context, status int, text string) {
	requestlog.Add(c.Request.Context(), slog.String("http_exception_details", strconv.Itoa(status)+": "+text))
	JSON(c, status, map[string]string{"detail": text})
}

// RetryAfter tells the client when to try again, in whole seconds, at least one.
func RetryAfter(c *gin.Context, wait time.Duration) {
	c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}
