package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// server is a peer that answers over HTTP. Its methods may be used concurrently. Both sides get
// the same prompt, decode greedily, and are asked for the same number of tokens.
type server interface {
	// complete asks for the whole answer at once.
	complete(ctx context.Context, prompt string, tokens int) (answer, error)
	// stream asks for the answer piece by piece.
	stream(ctx context.Context, prompt string, tokens int) (answer, error)
}

// answer is a completion and when it came.
type answer struct {
	text         string
	promptTokens int       // 0 where the peer does not say
	cachedTokens int       // of these, not computed; 0 where the peer does not say
	outputTokens int       // 0 where the peer does not say
	began        time.Time // just before the request was sent
	first        time.Time // first piece of text; zero where the answer came at once
	last         time.Time // last piece of text
	ended        time.Time // end of the body
}

// toFirst is the time until the first text.
func (a answer) toFirst() time.Duration { return a.first.Sub(a.began) }

// whole is the time until everything was there.
func (a answer) whole() time.Duration { return a.ended.Sub(a.began) }

// decodeSpeed is in tokens a second, from the first to the last piece: the first token is decoded
// with the prompt and does not count.
func (a answer) decodeSpeed() float64 {
	return float64(a.outputTokens-1) / a.last.Sub(a.first).Seconds()
}

// shortAnswerError says that an answer ended before the wanted length, at a token or text that
// ends answers. The wire format of GitLab has no way to forbid that, so such a prompt is dropped
// and the repetition taken again, on both sides, with another one.
type shortAnswerError struct {
	peer      string
	got, want int // tokens
}

func (e *shortAnswerError) Error() string {
	return fmt.Sprintf("%s ended an answer after %d of %d tokens", e.peer, e.got, e.want)
}

// errNoText is an answer in which nothing can be timed.
var errNoText = errors.New("the stream held no text, or all of it in one piece: no speed can be taken from it")

// checkStream refuses a streamed answer from which no speed can be computed.
func (a answer) checkStream() error {
	if a.first.IsZero() || !a.last.After(a.first) {
		return errNoText
	}
	return nil
}
