package main

import (
	"context"
	"fmt"
	"time"
)

// crowdScenario is several people who ask at the same moment, each with a prompt of their own, and watch their answers appear. It
// asks on llama-server's route: GitLab's has no way to forbid that an answer ends early, and with eight of them one often does.
type crowdScenario struct {
	duet
	rivals  *rivals
	length  size // of a prompt, in tokens; an answer has half as many
	prompts []string
}

var _ scenario = (*crowdScenario)(nil)

func newCrowd(r *rivals, at pace, limit time.Duration) *crowdScenario {
	s := &crowdScenario{rivals: r, length: fit("a prompt of the crowd, in tokens,", crowdPromptTokens, 64, limit, func(n int) time.Duration {
		return at.takes(crowd, n, n/2)
	})}
	s.duet = duet{r.peers(), s.measure}
	return s
}

// answer is how many tokens an answer has.
func (s *crowdScenario) answer() int { return s.length.is / 2 }

func (s *crowdScenario) figures() []figure {
	return []figure{
		{name: fmt.Sprintf("%d at once, %d + %d tokens: all done", crowd, s.length.is, s.answer()), unit: "s", better: less},
		{name: fmt.Sprintf("%d at once: output tokens, all together", crowd), unit: "tok/s"},
		{name: fmt.Sprintf("%d at once: time to first token, median", crowd), unit: "s", better: less},
		{name: fmt.Sprintf("%d at once: time to first token, last", crowd), unit: "s", better: less},
	}
}

func (s *crowdScenario) prepare(ctx context.Context, round int) error {
	s.prompts = make([]string, crowd)
	for i := range s.prompts {
		prompt, err := s.rivals.prompt(ctx, crowdPrompts+round*crowd+i, s.length.is)
		if err != nil {
			return err
		}
		s.prompts[i] = prompt
	}
	return nil
}

func (s *crowdScenario) measure(ctx context.Context, p *peer) ([]float64, error) {
	answers, whole, err := p.all(ctx, s.prompts, s.answer())
	if err != nil {
		return nil, err
	}
	f := firsts(answers)
	return []float64{whole.Seconds(), float64(crowd*s.answer()) / whole.Seconds(), f.median(), f.quantile(1)}, nil
}

func (s *crowdScenario) notes() []string { return s.length.notes() }
