package main

import (
	"context"
	"fmt"
)

// latencyScenario is one completion as editors ask for it: the whole answer at once. It is not
// streamed, so both sides say how many tokens they read and wrote.
type latencyScenario struct {
	rivals
	prompt string
	their  answer
	seen   lengths
}

var _ scenario = (*latencyScenario)(nil)

func (s *latencyScenario) figures() []figure {
	return []figure{{
		name: fmt.Sprintf("one completion, %d + %d tokens", promptTokens, outputTokens), unit: "s", better: less,
	}}
}

func (s *latencyScenario) prepare(ctx context.Context, round int) (err error) {
	s.prompt, err = s.rivals.prompt(ctx, latencyPrompts+round, promptTokens)
	return err
}

func (s *latencyScenario) theirs(ctx context.Context) ([]float64, error) {
	a, err := s.rivals.theirs.complete(ctx, s.prompt, outputTokens)
	s.their = a
	return []float64{a.whole().Seconds()}, err
}

func (s *latencyScenario) ours(ctx context.Context) ([]float64, error) {
	a, err := s.rivals.ours.complete(ctx, s.prompt, outputTokens)
	if err != nil {
		return nil, err
	}
	if err := samePrompt(s.their, a); err != nil {
		return nil, err
	}
	s.seen.add(s.their, a)
	return []float64{a.whole().Seconds()}, nil
}

func (s *latencyScenario) notes() []string { return s.seen.notes() }
