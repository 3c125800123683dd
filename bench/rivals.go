package main

import (
	"context"
	"errors"
	"fmt"
)

// rivals are the two servers, both loaded and idle while the other one is measured.
type rivals struct {
	theirs *llamaServer
	ours   *gateway
}

// Numbers of prompts: each scenario has its own, so that no prompt is sent twice.
const (
	warmUpPrompts      = 0
	pacePrompts        = 9_000
	streamPrompts      = 10_000
	latencyPrompts     = 20_000
	crowdPrompts       = 30_000
	speculationPrompts = 40_000
	grammarPrompts     = 50_000
	chatPrompts        = 60_000
	typingPrompts      = 1_000_000
	teamPrompts        = 2_000_000
	neighbourPrompts   = 200_000_000
	hangupPrompts      = 210_000_000
	overloadPrompts    = 220_000_000
	soakPrompts        = 230_000_000
	growthPrompts      = 240_000_000
	spareNumbers       = 1_000_000_000 // added for another text
)

// warmUp lets both sides answer once, and makes sure that they read the same prompt: equal text
// has to be the same number of tokens on both.
func (r *rivals) warmUp(ctx context.Context) error {
	for attempt := range spareRounds + 1 {
		prompt, err := r.prompt(ctx, warmUpPrompts+attempt, promptTokens)
		if err != nil {
			return err
		}
		theirs, err := r.theirs.complete(ctx, prompt, outputTokens)
		if err != nil {
			return err
		}
		ours, err := r.ours.complete(ctx, prompt, outputTokens)
		if errors.As(err, new(*shortAnswerError)) {
			continue
		}
		if err != nil {
			return err
		}
		return samePrompt(theirs, ours)
	}
	return nil // the scenarios will say what is short
}

// samePrompt holds the prompt lengths that both sides tell against what was sent.
func samePrompt(theirs, ours answer) error {
	if theirs.promptTokens != promptTokens || ours.promptTokens != promptTokens {
		return fmt.Errorf("a prompt of %d tokens was read as %d by llama-server and as %d by aigw; the sides cannot be compared",
			promptTokens, theirs.promptTokens, ours.promptTokens)
	}
	return nil
}

// prompt returns prompt number n with exactly tokens tokens, as llama-server counts them. Few texts cannot be cut to that; the prompt
// is another one then, of numbers that nothing else has.
func (r *rivals) prompt(ctx context.Context, n, tokens int) (string, error) {
	return r.fitted(ctx, fitPrompt, n, tokens)
}

// tail is a text of so many tokens that goes behind a head.
func (r *rivals) tail(ctx context.Context, n, tokens int) (string, error) {
	return r.fitted(ctx, fitTail, n, tokens)
}

type countTokens = func(ctx context.Context, text string) (int, error)

func (r *rivals) fitted(ctx context.Context, fit func(context.Context, countTokens, int, int) (string, error), n, tokens int) (text string, err error) {
	for attempt := range spareRounds + 1 {
		text, err = fit(ctx, func(ctx context.Context, text string) (int, error) {
			return r.theirs.count(ctx, text, true)
		}, n+attempt*spareNumbers, tokens)
		if !errors.Is(err, errCannotCut) {
			break
		}
	}
	return text, err
}

// lengths keeps what the answers of both sides had in common, for the notes.
type lengths struct {
	theirs, ours span
	pairs, same  int // answers to the same prompt, and those of them with the same text
}

// span is the range of the output tokens of one side.
type span struct{ low, high int }

func (s *span) add(n int) {
	if s.high == 0 || n < s.low {
		s.low = n
	}
	s.high = max(s.high, n)
}

func (s span) String() string {
	if s.low == s.high {
		return fmt.Sprint(s.low)
	}
	return fmt.Sprintf("%d to %d", s.low, s.high)
}

func (l *lengths) add(theirs, ours answer) {
	l.theirs.add(theirs.outputTokens)
	l.ours.add(ours.outputTokens)
	l.pairs++
	if theirs.text == ours.text {
		l.same++
	}
}

func (l *lengths) notes() []string {
	return []string{fmt.Sprintf("output tokens of an answer: ours %s, theirs %s; same text in %d of %d", l.ours, l.theirs, l.same, l.pairs)}
}
