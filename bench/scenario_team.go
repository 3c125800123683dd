package main

import (
	"context"
	"fmt"
	"time"
)

// teamScenario is people whose prompts begin alike, as those of a team do that imports the same code, or of a class that opens the
// same exercise. All ask at the same moment.
type teamScenario struct {
	duet
	rivals  *rivals
	name    string
	people  int
	head    size    // in tokens
	tail    int     // tokens; as much smaller as the head is
	target  float64 // of the times to the first text, of the median person and of the last
	alone   bool    // measure one person with a head of his own before, too
	prompts []string
	cold    string
	shares  map[string]samples
	spread  map[string]samples // of all first texts, the last against one cold person's
}

var _ scenario = (*teamScenario)(nil)

const (
	teamHead = 300 // tokens
	teamTail = 32
	herdTail = 60
	// teamLeastTail is what a text needs to differ from another and to end like a prompt.
	teamLeastTail = 12
	teamAnswer    = 8
	// herdTarget is issue 5's: five times sooner.
	herdTarget = 1 / 5.0
)

// newTeam has people with a head in common. llama-server computes it once for each of its slots that has not seen it, which is what
// takes longest.
func newTeam(r *rivals, name string, people, head, tail int, target float64, alone bool, at pace, limit time.Duration) *teamScenario {
	s := &teamScenario{rivals: r, name: name, people: people, target: target, alone: alone, shares: map[string]samples{}, spread: map[string]samples{}}
	s.head = fit(fmt.Sprintf("the head of a %s of %d, in tokens,", name, people), head, 64, limit, func(n int) time.Duration {
		tail := tail * n / head
		return at.takes(min(people, crowd), n, 0) + at.takes(people, tail, teamAnswer)
	})
	s.tail = max(teamLeastTail, tail*s.head.is/head)
	s.duet = duet{r.peers(), s.measure}
	return s
}

func (s *teamScenario) figures() []figure {
	who := fmt.Sprintf("%s of %d, head of %d tokens", s.name, s.people, s.head.is)
	return []figure{
		{name: who + ": first text, median", unit: "s", better: less, target: s.target},
		{name: who + ": first text, last", unit: "s", better: less, target: s.target},
		{name: who + ": all done", unit: "s", better: less},
	}
}

func (s *teamScenario) prepare(ctx context.Context, round int) error {
	number := teamPrompts + (round*100+s.people)*100 + s.head.nominally%97*1_000_000
	head, err := s.rivals.prompt(ctx, number, s.head.is)
	if err != nil {
		return err
	}
	s.prompts = s.prompts[:0]
	for i := range s.people {
		tail, err := s.rivals.tail(ctx, number+1+i, s.tail)
		if err != nil {
			return err
		}
		s.prompts = append(s.prompts, head+"\n"+tail)
	}
	s.cold, err = s.rivals.prompt(ctx, number+99, s.head.is+s.tail)
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
	return append(notes, s.head.notes()...)
}
