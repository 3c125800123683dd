package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// clock makes moments one millisecond apart.
func clock() func() time.Time {
	at := time.Unix(1000, 0)
	return func() time.Time {
		at = at.Add(time.Millisecond)
		return at
	}
}

// arrive makes pieces that came one millisecond apart.
func arrive(texts ...string) []piece {
	now := clock()
	var pieces []piece
	for _, text := range texts {
		pieces = append(pieces, piece{now(), []byte(text)})
	}
	return pieces
}

func millisecond(at time.Time) int { return int(at.Sub(time.Unix(1000, 0)).Milliseconds()) }

func TestReadPieces(t *testing.T) {
	cut := errors.New("connection reset")
	tests := []struct {
		name string
		body io.Reader
		want string
		err  error
	}{
		{"empty", strings.NewReader(""), "", nil},
		{"whole", strings.NewReader("abc"), "abc", nil},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("abc")), "abc", nil},
		{"data with the end", iotest.DataErrReader(strings.NewReader("abc")), "abc", nil},
		{"cut", io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(cut)), "ab", cut},
		{"endless", endless{}, "", errAnswerTooLong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pieces, err := readPieces(test.body, clock())
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if got := string(joined(pieces)); test.want != "" && got != test.want {
				t.Errorf("read %q, want %q", got, test.want)
			}
			for i, p := range pieces {
				if millisecond(p.at) != i+1 {
					t.Fatalf("piece %d is dated %d; each read has a moment of its own", i, millisecond(p.at))
				}
			}
		})
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestEvents(t *testing.T) {
	type dated struct {
		data string
		at   int // milliseconds
	}
	tests := []struct {
		name   string
		pieces []piece
		want   []dated
	}{
		{"none", nil, nil},
		{"one", arrive("data: a\n\n"), []dated{{"a", 1}}},
		{"two in one piece", arrive("data: a\n\ndata: b\n\n"), []dated{{"a", 1}, {"b", 1}}},
		{"dated by the end", arrive("data: a", "\n", "\n", "data: b\n\n"), []dated{{"a", 3}, {"b", 4}}},
		{"without a space", arrive("data:a\n\n"), []dated{{"a", 1}}},
		{"only one space is taken", arrive("data:  a\n\n"), []dated{{" a", 1}}},
		{"lines are joined", arrive("data: a\ndata: b\n\n"), []dated{{"a\nb", 1}}},
		{"empty data", arrive("data:\n\n"), []dated{{"", 1}}},
		{"carriage returns", arrive("data: a\r\rdata: b\r\n\r\n"), []dated{{"a", 1}, {"b", 1}}},
		{"line end in two pieces", arrive("data: a\r", "\n\r", "\n"), []dated{{"a", 2}}},
		{"comments and other fields", arrive(": ping\n\nevent: error\nid: 7\ndata: a\n\n"), []dated{{"a", 1}}},
		{"unfinished", arrive("data: a\n\ndata: b\n"), []dated{{"a", 1}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []dated
			for _, e := range events(test.pieces) {
				got = append(got, dated{string(e.data), millisecond(e.at)})
			}
			if len(got) != len(test.want) {
				t.Fatalf("events %+v, want %+v", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("event %d is %+v, want %+v", i, got[i], test.want[i])
				}
			}
		})
	}
}

// The events are those that llama-server v0.5.0 sends, with the settings in the last one left out.
const (
	event1    = `data: {"index":0,"content":"def","tokens":[1604],"stop":false,"id_slot":-1,"tokens_predicted":1,"tokens_evaluated":6}` + "\n\n"
	event2    = `data: {"index":0,"content":" fib","tokens":[3987],"stop":false,"id_slot":-1,"tokens_predicted":2,"tokens_evaluated":6}` + "\n\n"
	eventLast = `data: {"index":0,"content":"","tokens":[],"id_slot":7,"stop":true,"tokens_predicted":2,"tokens_evaluated":6,"truncated":false,"stop_type":"limit","timings":{"cache_n":4,"prompt_n":2}}` + "\n\n"
)

func TestParseServerStream(t *testing.T) {
	a, err := parseServerStream(arrive(": ping\n\n", event1, event2, eventLast, "data: [DONE]\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	if a.text != "def fib" || a.outputTokens != 2 || a.promptTokens != 6 || a.cachedTokens != 4 {
		t.Errorf("answer %+v", a)
	}
	if millisecond(a.first) != 2 || millisecond(a.last) != 3 {
		t.Errorf("text from %d to %d ms, want 2 to 3: neither the ping nor the last event carries text", millisecond(a.first), millisecond(a.last))
	}

	bad := []struct {
		name   string
		pieces []piece
		want   string
	}{
		{"empty", nil, "without its last event"},
		{"cut", arrive(event1, event2), "without its last event"},
		{"not JSON", arrive("data: oops\n\n"), "not JSON"},
		{"error", arrive(event1, `data: {"error":{"code":500,"message":"context is full","type":"server_error"}}`+"\n\n"), "context is full"},
	}
	for _, test := range bad {
		t.Run(test.name, func(t *testing.T) {
			if _, err := parseServerStream(test.pieces); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestParseTextStream(t *testing.T) {
	a := parseTextStream(arrive("def", " fi", "b"))
	if a.text != "def fib" || millisecond(a.first) != 1 || millisecond(a.last) != 3 {
		t.Errorf("answer %q from %d to %d ms", a.text, millisecond(a.first), millisecond(a.last))
	}
	for _, pieces := range [][]piece{nil, arrive("all at once")} {
		a := parseTextStream(pieces)
		if err := a.checkStream(); !errors.Is(err, errNoText) {
			t.Errorf("%d pieces: error %v, want that no speed can be taken", len(pieces), err)
		}
	}
}

func TestDecodeSpeed(t *testing.T) {
	a := parseTextStream(arrive("a", "b", "c", "d", "e"))
	a.outputTokens = 5
	if got := a.decodeSpeed(); got < 999.9 || got > 1000.1 {
		t.Errorf("%v tokens a second; 4 tokens after the first one took 4 ms", got)
	}
}

// FuzzEvents holds the parser to what must be true of any body: where it is cut into pieces does
// not change the events, and no event comes from nothing.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{event1 + event2 + eventLast, "data:a\r\n\r\ndata: b\r\r", ": c\n\nid\n\n", "data\n\n", "\ufeffdata: x\n\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, body []byte, size int) {
		whole := events([]piece{{text: body}})
		var cut []piece
		for rest := body; len(rest) > 0; {
			n := min(len(rest), max(1, size%7))
			cut = append(cut, piece{text: rest[:n]})
			rest = rest[n:]
		}
		again := events(cut)
		if len(whole) != len(again) {
			t.Fatalf("%d events in one piece, %d in %d pieces", len(whole), len(again), len(cut))
		}
		for i := range whole {
			if !bytes.Equal(whole[i].data, again[i].data) {
				t.Fatalf("event %d is %q in one piece and %q in %d", i, whole[i].data, again[i].data, len(cut))
			}
			for _, line := range bytes.Split(whole[i].data, []byte("\n")) {
				if !bytes.Contains(body, line) {
					t.Fatalf("event %d has a line %q that nobody sent", i, line)
				}
			}
		}
		if len(whole) > bytes.Count(body, []byte("data:")) {
			t.Fatalf("%d events from %d data lines", len(whole), bytes.Count(body, []byte("data:")))
		}
		_, _ = parseServerStream(cut) // bodies of a broken peer end in an error, never in a crash
	})
}
