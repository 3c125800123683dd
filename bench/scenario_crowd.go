package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// crowdScenario is several people who ask at the same moment, each with a prompt of their own, and
// watch their answers appear.
type crowdScenario struct {
	rivals
	length  size // of a prompt, in tokens
	prompts []string
	their   []answer
	seen    lengths
}

func newCrowd(r rivals, at pace, limit time.Duration) *crowdScenario {
	return &crowdScenario{rivals: r, length: fit("a prompt of the crowd, in tokens,", crowdPromptTokens, 64, limit, func(n int) time.Duration {
		return at.takes(crowd, n, outputTokens)
	})}
}

var _ scenario = (*crowdScenario)(nil)

func (s *crowdScenario) figures() []figure {
	return []figure{
		{name: fmt.Sprintf("%d at once, %d + %d tokens: all done", crowd, s.length.is, outputTokens), unit: "s", better: less},
		{name: fmt.Sprintf("%d at once: output tokens, all together", crowd), unit: "tok/s"},
		{name: fmt.Sprintf("%d at once: time to first token, median", crowd), unit: "s", better: less},
		{name: fmt.Sprintf("%d at once: time to first token, last", crowd), unit: "s", better: less},
	}
}

func (s *crowdScenario) prepare(ctx context.Context, round int) error {
	s.prompts = make([]string, crowd)
	for i := range s.prompts {
		prompt, err := s.prompt(ctx, crowdPrompts+round*crowd+i, s.length.is)
		if err != nil {
			return err
		}
		s.prompts[i] = prompt
	}
	return nil
}

func (s *crowdScenario) theirs(ctx context.Context) ([]float64, error) {
	answers, whole, err := atOnce(ctx, s.rivals.theirs, s.prompts)
	if err != nil {
		return nil, err
	}
	s.their = answers
	return crowdValues(answers, whole), nil
}

func (s *crowdScenario) ours(ctx context.Context) ([]float64, error) {
	answers, whole, err := atOnce(ctx, s.rivals.ours, s.prompts)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		if err := s.rivals.ours.measure(ctx, &answers[i], outputTokens); err != nil {
			return nil, err
		}
	}
	for i := range answers {
		s.seen.add(s.their[i], answers[i])
	}
	return crowdValues(answers, whole), nil
}

func (s *crowdScenario) notes() []string { return append(s.seen.notes(), s.length.notes()...) }

// atOnce sends all prompts at the same moment and waits for all answers. whole is the time until
// the last one was there.
func atOnce(ctx context.Context, to server, prompts []string) (answers []answer, whole time.Duration, err error) {
	answers = make([]answer, len(prompts))
	failed := make([]error, len(prompts))
	var all sync.WaitGroup
	start := make(chan struct{})
	for i, prompt := range prompts {
		all.Go(func() {
			<-start
			answers[i], failed[i] = to.stream(ctx, prompt, outputTokens)
		})
	}
	began := time.Now()
	close(start)
	all.Wait()
	whole = time.Since(began)
	return answers, whole, errors.Join(failed...)
}

func crowdValues(answers []answer, whole time.Duration) []float64 {
	var first samples
	tokens := 0
	for _, a := range answers {
		first = append(first, a.toFirst().Seconds())
		tokens += a.outputTokens
	}
	return []float64{whole.Seconds(), float64(tokens) / whole.Seconds(), first.median(), first.quantile(1)}
}
