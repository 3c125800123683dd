package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// stream is an answer that is sent in pieces. It is used by one goroutine.
type stream struct {
	c       *gin.Context
	timeout time.Duration
	headers map[string]string // besides those that all streams have
	started bool
}

// Started reports whether the status has been sent.
func (s *stream) Started() bool { return s.started }

// Break ends a started stream so that the client sees it as cut off: the connection is closed
// without the end of the chunked body. It does not return.
func (s *stream) Break() { panic(http.ErrAbortHandler) }

// send sends a piece at once. The status and headers go with the first one, so that what fails
// before it can still be answered with a status of its own.
func (s *stream) send(piece string) error {
	if err := s.sendLast(piece); err != nil {
		return err
	}
	// The next piece may take its time.
	_ = http.NewResponseController(s.c.Writer).SetWriteDeadline(time.Time{}) // not every test has a connection
	return nil
}

// sendLast sends a piece after which only the server ends the body, within the same time.
func (s *stream) sendLast(piece string) error {
	control := http.NewResponseController(s.c.Writer)
	_ = control.SetWriteDeadline(time.Now().Add(s.timeout))
	s.start()
	if _, err := io.WriteString(s.c.Writer, piece); err != nil {
		return fmt.Errorf("client does not take the stream: %w", err)
	}
	if err := control.Flush(); err != nil {
		return fmt.Errorf("client does not take the stream: %w", err)
	}
	return nil
}

func (s *stream) start() {
	if s.started {
		return
	}
	s.started = true
	h := s.c.Writer.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx passes each piece on
	for name, value := range s.headers {
		h.Set(name, value)
	}
	s.c.Status(http.StatusOK)
	s.c.Writer.WriteHeaderNow()
}

// TextStream answers with pieces of text, one after another and nothing between them, which
// GitLab calls an event stream. It is used by one goroutine.
type TextStream struct{ stream }

// NewTextStream returns a stream that has sent nothing yet. A client that does not take a piece
// within timeout is given up.
func NewTextStream(c *gin.Context, timeout time.Duration) *TextStream {
	return &TextStream{stream{c: c, timeout: timeout}}
}

// Write sends a piece at once.
func (s *TextStream) Write(piece string) error { return s.send(piece) }

// End ends the stream. One without pieces is an empty body.
func (s *TextStream) End() { _ = s.sendLast("") } // the client is gone if this fails

// EventStream answers with server-sent events (https://html.spec.whatwg.org/#server-sent-events).
// It is used by one goroutine.
type EventStream struct{ stream }

// NewEventStream returns a stream that has sent nothing yet. A client that does not take an event
// within timeout is given up.
func NewEventStream(c *gin.Context, timeout time.Duration) *EventStream {
	return &EventStream{stream{c: c, timeout: timeout, headers: map[string]string{"X-Streaming-Format": "sse", "Connection": "keep-alive"}}}
}

// Write sends an event at once. The data is JSON on one line; lines end as the original ends them.
func (s *EventStream) Write(name string, data any) error { return s.send(event(name, data)) }

// End sends the last event and ends the stream.
func (s *EventStream) End(name string, data any) { _ = s.sendLast(event(name, data)) } // the client is gone if this fails

func event(name string, data any) string {
	text, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Errorf("event is no JSON: %w", err)) // an error of the program
	}
	return "event: " + name + "\r\ndata: " + string(text) + "\r\n\r\n"
}

// DataStream answers with server-sent events that have no name, as OpenAI's API does. It is used by one
// goroutine.
type DataStream struct{ stream }

// NewDataStream returns a stream that has sent nothing yet. A client that does not take an event
// within timeout is given up.
func NewDataStream(c *gin.Context, timeout time.Duration) *DataStream {
	return &DataStream{stream{c: c, timeout: timeout}}
}

// Write sends an event at once.
func (s *DataStream) Write(data any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b) // it ends with a line end
	encoder.SetEscapeHTML(false)
	b.WriteString("data: ")
	if err := encoder.Encode(data); err != nil {
		panic(fmt.Errorf("event is no JSON: %w", err)) // an error of the program
	}
	b.WriteByte('\n')
	return s.send(b.String())
}

// End sends a last event that is no JSON, such as [DONE], and ends the stream; nothing is no event.
func (s *DataStream) End(last string) {
	if last != "" {
		last = "data: " + last + "\n\n"
	}
	_ = s.sendLast(last) // the client is gone if this fails
}
