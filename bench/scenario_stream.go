package main

import (
	"context"
	"fmt"
)

// streamScenario is one person who watches an answer appear. It yields decode speed, from the
// first to the last piece, and prefill speed, from the request to the first piece with all that
// lies between: HTTP, validation, tokenizing, queueing, sampling and the way back.
type streamScenario struct {
	rivals
	prompt string
	their  answer
	seen   lengths
}

var _ scenario = (*streamScenario)(nil)

func (s *streamScenario) figures() []figure {
	return []figure{
		// llama-server loses 17 % of its decode speed around llama_decode (issue 3, section 6).
		{name: fmt.Sprintf("decode over HTTP at depth %d", promptTokens), unit: "tok/s", target: 1.1},
		{name: fmt.Sprintf("prefill over HTTP of %d tokens", promptTokens), unit: "tok/s", target: 1.0},
	}
}

func (s *streamScenario) prepare(ctx context.Context, round int) (err error) {
	s.prompt, err = s.rivals.prompt(ctx, streamPrompts+round, promptTokens)
	return err
}

func (s *streamScenario) theirs(ctx context.Context) ([]float64, error) {
	a, err := s.rivals.theirs.stream(ctx, s.prompt, outputTokens)
	s.their = a
	return streamValues(a), err
}

func (s *streamScenario) ours(ctx context.Context) ([]float64, error) {
	a, err := s.rivals.ours.stream(ctx, s.prompt, outputTokens)
	if err != nil {
		return nil, err
	}
	if err := s.rivals.ours.measure(ctx, &a, outputTokens); err != nil {
		return nil, err
	}
	s.seen.add(s.their, a)
	return streamValues(a), nil
}

func streamValues(a answer) []float64 {
	return []float64{a.decodeSpeed(), promptTokens / a.toFirst().Seconds()}
}

func (s *streamScenario) notes() []string { return s.seen.notes() }
