package wire

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// TextStream answers with pieces of text, one after another and nothing between them, which
// GitLab calls an event stream. It is used by one goroutine.
type TextStream struct {
	c       *gin.Context
	timeout time.Duration
	started bool
}

// NewTextStream returns a stream that has sent nothing yet. A client that does not take a piece
// within timeout is given up.
func NewTextStream(c *gin.Context, timeout time.Duration) *TextStream {
	return &TextStream{c: c, timeout: timeout}
}

// Started reports whether the status has been sent.
func (s *TextStream) Started() bool { return s.started }

// Write sends a piece at once. The status and headers go with the first one, so that what fails
// before it can still be answered with a status of its own.
func (s *TextStream) Write(piece string) error {
	control := http.NewResponseController(s.c.Writer)
	_ = control.SetWriteDeadline(time.Now().Add(s.timeout)) // not every test has a connection
	s.start()
	if _, err := io.WriteString(s.c.Writer, piece); err != nil {
		return fmt.Errorf("client does not take the stream: %w", err)
	}
	if err := control.Flush(); err != nil {
		return fmt.Errorf("client does not take the stream: %w", err)
	}
	_ = control.SetWriteDeadline(time.Time{}) // the next piece may take its time
	return nil
}

// End ends the stream. One without pieces is an empty body.
func (s *TextStream) End() {
	control := http.NewResponseController(s.c.Writer)
	_ = control.SetWriteDeadline(time.Now().Add(s.timeout))
	s.start()
	_ = control.Flush() // the client is gone if this fails
}

// Break ends a started stream so that the client sees it as cut off: the connection is closed
// without the end of the chunked body. It does not return.
func (s *TextStream) Break() { panic(http.ErrAbortHandler) }

func (s *TextStream) start() {
	if s.started {
		return
	}
	s.started = true
	h := s.c.Writer.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx passes each piece on
	s.c.Status(http.StatusOK)
	s.c.Writer.WriteHeaderNow()
}
