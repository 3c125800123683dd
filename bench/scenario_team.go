package main

import (
	"context"
	"fmt"
)

// teamScenario is people whose prompts begin alike, as those of a team do that imports the same code, or of a class that opens the
// same exercise. All ask at the same moment.
type teamScenario struct {
	duet
	rivals     *rivals
	name       string
	people     int
	head, tail int     // tokens
	target     float64 // of the median time to the first text
	alone      bool    // measure one person with a head of his own before, too
	prompts    []string
	cold       string
	shares     map[string]samples
	spread     map[string]samples // of all first texts, the last against one cold person's
}

var _ scenario = (*teamScenario)(nil)

const teamAnswer = 8

func newTeam(r *rivals, name string, people, head, tail int, target float64, alone bool) *teamScenario {
	s := &teamScenario{rivals: r, name: name, people: people, head: head, tail: tail, target: target, alone: alone, shares: map[string]samples{}, spread: map[string]samples{}}
	s.duet = duet{r.peers(), s.measure}
	return s
}

func (s *teamScenario) figures() []figure {
	who := fmt.Sprintf("%s of %d, head of %d tokens", s.name, s.people, s.head)
	return []figure{
		{name: who + ": first text, median", unit: "s", better: less, target: s.target},
		{name: who + ": first text, last", unit: "s", better: less},
		{name: who + ": all done", unit: "s", better: less},
	}
}

func (s *teamScenario) prepare(ctx context.Context, round int) error {
	number := teamPrompts + (round*100+s.people)*100 + s.head%97*1_000_000
	head, err := s.rivals.prompt(ctx, number, s.head)
	if err != nil {
		return err
	}
	s.prompts = s.prompts[:0]
	for i := range s.people {
		tail, err := s.rivals.prompt(ctx, number+1+i, s.tail)
		if err != nil {
			return err
		}
		s.prompts = append(s.prompts, head+"\n"+tail)
	}
	s.cold, err = s.rivals.prompt(ctx, number+99, s.head+s.tail)
	return err
}

func (s *teamScenario) measure(ctx context.Context, p *peer) ([]float64, error) {
	one := answer{}
	if s.alone && p == s.both.ours { // the issue asks it of ours only, and the rival's takes minutes
		var err error
		if one, err = p.ask(ctx, s.cold, teamAnswer); err != nil {
			return nil, err
		}
	}
	answers, whole, err := p.all(ctx, s.prompts, teamAnswer)
	if err != nil {
		return nil, err
	}
	f := firsts(answers)
	if s.alone && p == s.both.ours {
		s.spread[p.peer] = append(s.spread[p.peer], f.quantile(1)/one.toFirst().Seconds())
	}
	s.shares[p.peer] = append(s.shares[p.peer], reused(answers))
	return []float64{f.median(), f.quantile(1), whole.Seconds()}, nil
}

func (s *teamScenario) notes() []string {
	notes := []string{fmt.Sprintf("%s of %d: tails of %d tokens; prompt tokens reused: ours %.0f %%, theirs %.0f %%",
		s.name, s.people, s.tail, 100*s.shares[s.both.ours.peer].median(), 100*s.shares[s.both.theirs.peer].median())}
	if s.alone {
		notes = append(notes, fmt.Sprintf("%s of %d: the last first text of ours came after %.2f times what one cold person waits (target 1.30)", s.name, s.people, s.spread[s.both.ours.peer].median()))
	}
	return notes
}
