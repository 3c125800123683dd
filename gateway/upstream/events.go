package upstream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// event is one piece of a streamed answer, of either route.
type event struct {
	Choices []struct {
		Text  string `json:"text"`
		Delta struct {
			Content *string `json:"content"`
		} `json:"delta"`
		FinishReason *string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Details    struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

func (e event) text() string {
	if len(e.Choices) == 0 {
		return ""
	}
	if c := e.Choices[0].Delta.Content; c != nil {
		return *c
	}
	return e.Choices[0].Text
}

// Bounds of a stream, in bytes. An answer of 8192 tokens in events of 400 bytes has 3 MB.
const (
	longestLine   = 1 << 20
	longestStream = 64 << 20
)

// protocolError is an answer that is none; readError is a connection that broke.
type (
	protocolError struct{ text string }
	readError     struct{ err error }
)

func (e *protocolError) Error() string { return e.text }
func (e *readError) Error() string     { return e.err.Error() }
func (e *readError) Unwrap() error     { return e.err }

// events reads a stream of server-sent events and hands each to take, whose error ends it. It ends at [DONE], or where the
// stream does.
func events(from io.Reader, take func(event) error) error {
	limited := &io.LimitedReader{R: from, N: longestStream}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4<<10), longestLine)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(bytes.TrimSuffix(lines.Bytes(), []byte("\r")), []byte("data:"))
		if !ok {
			continue // a comment, the name of an event, an empty line
		}
		if data = bytes.TrimSpace(data); string(data) == "[DONE]" {
			return nil
		}
		var e event
		if err := json.Unmarshal(data, &e); err != nil {
			return &protocolError{"its answer holds an event that is no JSON"}
		}
		if len(e.Error) > 0 && string(e.Error) != "null" {
			return &protocolError{"it reports a failure in the middle of its answer"}
		}
		if err := take(e); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return &protocolError{fmt.Sprintf("its answer holds a line of more than %d bytes", longestLine)}
	case err != nil:
		return &readError{err}
	case limited.N <= 0:
		return &protocolError{fmt.Sprintf("its answer has more than %d bytes", longestStream)}
	}
	return nil
}
