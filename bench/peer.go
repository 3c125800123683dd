package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// peer is either server behind llama-server's own route, POST /completion, which aigw answers, too. What both have computed may
// be reused: that is what the scenarios of many people compare. It may be used concurrently.
type peer struct {
	*client
	process *process
}

// both are the peers of a scenario.
type both struct{ ours, theirs *peer }

func (r *rivals) peers() both {
	return both{&peer{r.ours.client, r.ours.process}, &peer{r.theirs.client, r.theirs.process}}
}

func newPeerRequest(prompt string, tokens int) serverRequest {
	r := newServerRequest(prompt, tokens, true)
	r.CachePrompt = true
	return r
}

// ask asks for a streamed answer of so many tokens.
func (p *peer) ask(ctx context.Context, prompt string, tokens int) (answer, error) {
	e, err := p.post(ctx, "/completion", newPeerRequest(prompt, tokens))
	if err != nil {
		return answer{}, err
	}
	a, err := parseServerStream(e.pieces)
	if err != nil {
		return answer{}, p.process.explain(fmt.Errorf("%s: %w", p.peer, err))
	}
	a.began, a.ended = e.began, e.ended
	if a.first.IsZero() || a.outputTokens < tokens {
		return a, &shortAnswerError{p.peer, a.outputTokens, tokens}
	}
	return a, nil
}

// all asks for all prompts at the same moment.
func (p *peer) all(ctx context.Context, prompts []string, tokens int) ([]answer, time.Duration, error) {
	answers, failed := make([]answer, len(prompts)), make([]error, len(prompts))
	var group sync.WaitGroup
	began := time.Now()
	for i, prompt := range prompts {
		group.Go(func() { answers[i], failed[i] = p.ask(ctx, prompt, tokens) })
	}
	group.Wait()
	return answers, time.Since(began), errors.Join(failed...)
}

// firsts are the times to the first text, in seconds.
func firsts(answers []answer) samples {
	var s samples
	for _, a := range answers {
		s = append(s, a.toFirst().Seconds())
	}
	return s
}

// reused is the share of prompt tokens that a peer did not compute.
func reused(answers []answer) float64 {
	cached, all := 0, 0
	for _, a := range answers {
		cached, all = cached+a.cachedTokens, all+a.promptTokens
	}
	return float64(cached) / float64(max(1, all))
}

// duet runs a measurement on the rival, then on ours: what scenarios of peers have in common.
type duet struct {
	both
	run func(ctx context.Context, p *peer) ([]float64, error)
}

func (d *duet) theirs(ctx context.Context) ([]float64, error) { return d.run(ctx, d.both.theirs) }
func (d *duet) ours(ctx context.Context) ([]float64, error)   { return d.run(ctx, d.both.ours) }
