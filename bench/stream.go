package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A streamed answer is read as pieces with the moment of their arrival, and taken apart only when
// it has ended: this program shares its cores with the peer that it measures, and parsing the
// rival's events (one JSON object a token) while it decodes would slow the rival down.

// piece is what one read of a body brought.
type piece struct {
	at   time.Time
	text []byte
}

// maxAnswer bounds a body, in bytes: 128 tokens with llama-server's JSON around each are 20 kB.
const maxAnswer = 16 << 20

var errAnswerTooLong = fmt.Errorf("the answer exceeds %d MiB", maxAnswer>>20)

// readPieces reads a body to its end.
func readPieces(body io.Reader, now func() time.Time) ([]piece, error) {
	var pieces []piece
	buffer := make([]byte, 64<<10)
	for total := 0; ; {
		n, err := body.Read(buffer)
		if n > 0 {
			pieces = append(pieces, piece{now(), bytes.Clone(buffer[:n])})
			if total += n; total > maxAnswer {
				return pieces, errAnswerTooLong
			}
		}
		if errors.Is(err, io.EOF) {
			return pieces, nil
		}
		if err != nil {
			return pieces, fmt.Errorf("the answer was cut after %d bytes: %w", total, err)
		}
	}
}

// joined is the whole body.
func joined(pieces []piece) []byte {
	var all []byte
	for _, p := range pieces {
		all = append(all, p.text...)
	}
	return all
}

// event is a server-sent event that carries data.
type event struct {
	at   time.Time // when its last byte came
	data []byte
}

// events takes a text/event-stream apart (WHATWG HTML, section 9.2: an event ends at an empty
// line, its data lines are joined by line feeds, other fields and comments do not matter here).
// What comes after the last empty line is an unfinished event and, as the standard says, dropped.
func events(pieces []piece) []event {
	var found []event
	var line, data []byte
	hasData, carriage := false, false
	endLine := func(at time.Time) {
		switch {
		case len(line) == 0:
			if hasData {
				found = append(found, event{at, data})
			}
			data, hasData = nil, false
		case bytes.HasPrefix(line, []byte("data:")):
			if hasData {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix(line[len("data:"):], []byte(" "))...)
			hasData = true
		}
		line = line[:0]
	}
	for _, p := range pieces {
		for _, b := range p.text {
			switch {
			case b == '\n' && carriage: // second half of a line end
			case b == '\n', b == '\r':
				endLine(p.at)
			default:
				line = append(line, b)
			}
			carriage = b == '\r'
		}
	}
	return found
}

// serverEvent is an event of llama-server's /completion (tools/server/README.md); an answer that
// is not streamed has the shape of the last one.
type serverEvent struct {
	Content   string `json:"content"`
	Stop      bool   `json:"stop"`
	Predicted int    `json:"tokens_predicted"`
	Evaluated int    `json:"tokens_evaluated"` // the whole prompt, cached or not
	Truncated bool   `json:"truncated"`
	Timings   struct {
		Cached int `json:"cache_n"` // prompt tokens taken from the cache
	} `json:"timings"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// parseServerStream turns llama-server's stream into an answer.
func parseServerStream(pieces []piece) (answer, error) {
	var a answer
	var text []byte
	stopped := false
	for _, e := range events(pieces) {
		if string(e.data) == "[DONE]" {
			continue
		}
		var s serverEvent
		if err := json.Unmarshal(e.data, &s); err != nil {
			return answer{}, fmt.Errorf("llama-server sent an event that is not JSON: %w", err)
		}
		if s.Error != nil {
			return answer{}, fmt.Errorf("llama-server: %s", s.Error.Message)
		}
		if s.Content != "" {
			if a.first.IsZero() {
				a.first = e.at
			}
			a.last = e.at
			text = append(text, s.Content...)
		}
		if s.Stop {
			stopped = true
			a.promptTokens, a.outputTokens, a.cachedTokens = s.Evaluated, s.Predicted, s.Timings.Cached
		}
	}
	if !stopped {
		return answer{}, errors.New("llama-server's stream ended without its last event")
	}
	a.text = string(text)
	return a, nil
}

// parseTextStream turns the gateway's stream, which is the text itself, into an answer. How many
// tokens it has is not said there.
func parseTextStream(pieces []piece) answer {
	a := answer{text: string(joined(pieces))}
	if len(pieces) > 0 {
		a.first, a.last = pieces[0].at, pieces[len(pieces)-1].at
	}
	return a
}
