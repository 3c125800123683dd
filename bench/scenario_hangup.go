package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// hangupScenario is somebody who asks a short question just after eight others hung up while their long prompts were being read.
type hangupScenario struct {
	duet
	rivals *rivals
	longs  []string
	shorts []string // alone, after
	slower map[string]samples
}

var _ scenario = (*hangupScenario)(nil)

const (
	hangupLong   = 768 // tokens
	hangupShort  = 64
	hangupAnswer = 8
	hangupAfter  = 600 * time.Millisecond // what a person needs to change his mind
)

func newHangup(r *rivals) *hangupScenario {
	s := &hangupScenario{rivals: r, slower: map[string]samples{}}
	s.duet = duet{r.peers(), s.measure}
	return s
}

func (s *hangupScenario) figures() []figure {
	return []figure{
		{name: fmt.Sprintf("a question after %d hung up: first text", crowd), unit: "s", better: less},
		{name: "the same question alone: first text", unit: "s", better: less},
	}
}

func (s *hangupScenario) prepare(ctx context.Context, round int) error {
	s.longs, s.shorts = nil, nil
	for i := range crowd + 2 {
		length := hangupLong
		if i >= crowd {
			length = hangupShort
		}
		prompt, err := s.rivals.prompt(ctx, hangupPrompts+20*round+i, length)
		if err != nil {
			return err
		}
		if i >= crowd {
			s.shorts = append(s.shorts, prompt)
		} else {
			s.longs = append(s.longs, prompt)
		}
	}
	return nil
}

func (s *hangupScenario) measure(ctx context.Context, p *peer) ([]float64, error) {
	alone, err := p.ask(ctx, s.shorts[0], hangupAnswer)
	if err != nil {
		return nil, err
	}
	asked, hangUp := context.WithTimeout(ctx, hangupAfter)
	defer hangUp()
	var group sync.WaitGroup
	for _, prompt := range s.longs {
		group.Go(func() { _, _ = p.ask(asked, prompt, hangupAnswer) }) // it ends by hanging up
	}
	group.Wait()
	after, err := p.ask(ctx, s.shorts[1], hangupAnswer)
	if err != nil {
		return nil, err
	}
	s.slower[p.peer] = append(s.slower[p.peer], after.toFirst().Seconds()/alone.toFirst().Seconds())
	return []float64{after.toFirst().Seconds(), alone.toFirst().Seconds()}, nil
}

func (s *hangupScenario) notes() []string {
	return []string{fmt.Sprintf("after the others hung up a question waited, against alone: ours %.2f times (target 1.30), theirs %.2f", s.slower[s.both.ours.peer].median(), s.slower[s.both.theirs.peer].median())}
}
