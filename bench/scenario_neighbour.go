package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// neighbourScenario is somebody who watches an answer appear while somebody else pastes a long text. The stream's worst gap while
// the paste is read counts, and how much longer the paste takes than alone.
type neighbourScenario struct {
	duet
	rivals *rivals
	paste  size // in tokens
	alone  string
	beside string
	stream string
	gaps   map[string]samples // without the paste
	longer map[string]samples // the paste beside the stream against alone
}

var _ scenario = (*neighbourScenario)(nil)

const (
	neighbourStream = 64   // tokens of the prompt
	neighbourTokens = 1536 // more than are written while a paste is read; the stream is ended then. All of them count against the cache
	neighbourBefore = 2 * time.Second
)

func newNeighbour(r *rivals, paste int, at pace, limit time.Duration) *neighbourScenario {
	s := &neighbourScenario{rivals: r, gaps: map[string]samples{}, longer: map[string]samples{}}
	s.paste = fit("a paste, in tokens,", paste, 2*promptTokens, limit, func(n int) time.Duration {
		return neighbourBefore + at.takes(1, n, 1) + at.takes(1, n, 1)*3/2 // alone, and beside the stream (issue 5: at most 1.5 times as long)
	})
	s.duet = duet{r.peers(), s.measure}
	return s
}

func (s *neighbourScenario) figures() []figure {
	return []figure{
		{name: fmt.Sprintf("a stream beside a paste of %d tokens: worst gap", s.paste.is), unit: "s", better: less, target: 1 / 8.0}, // issue 5
		{name: fmt.Sprintf("a paste of %d tokens beside a stream: first text", s.paste.is), unit: "s", better: less},
	}
}

func (s *neighbourScenario) prepare(ctx context.Context, round int) (err error) {
	number := neighbourPrompts + 10*round
	if s.alone, err = s.rivals.prompt(ctx, number, s.paste.is); err != nil {
		return err
	}
	if s.beside, err = s.rivals.prompt(ctx, number+1, s.paste.is); err != nil {
		return err
	}
	s.stream, err = s.rivals.prompt(ctx, number+2, neighbourStream)
	return err
}

func (s *neighbourScenario) measure(ctx context.Context, p *peer) ([]float64, error) {
	alone, err := p.ask(ctx, s.alone, 1)
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	type seen struct {
		pieces []piece
		err    error
	}
	watched := make(chan seen, 1)
	go func() {
		// It ends by being given up: what has come by then is what counts.
		e, err := p.post(watching, "/completion", newPeerRequest(s.stream, neighbourTokens))
		watched <- seen{e.pieces, err}
	}()
	err = pause(ctx, neighbourBefore)
	pasted := time.Now()
	var beside answer
	if err == nil {
		beside, err = p.ask(ctx, s.beside, 1)
	}
	stop()
	w := <-watched
	if err != nil {
		return nil, err
	}
	before, during := worstGap(w.pieces, time.Time{}, pasted), worstGap(w.pieces, pasted, beside.first)
	if w.err == nil || during == 0 { // a stream that is over has no gaps
		return nil, errors.Join(fmt.Errorf("%s: the stream had ended before the paste was read; take a longer one", p.peer), w.err)
	}
	s.gaps[p.peer] = append(s.gaps[p.peer], before.Seconds())
	s.longer[p.peer] = append(s.longer[p.peer], beside.toFirst().Seconds()/alone.toFirst().Seconds())
	return []float64{during.Seconds(), beside.toFirst().Seconds()}, nil
}

// worstGap is the longest time without a piece between two moments, of which one piece or the moment itself may be an end.
func worstGap(pieces []piece, from, to time.Time) (worst time.Duration) {
	last := from
	for _, p := range pieces {
		if p.at.Before(from) || p.at.After(to) {
			continue
		}
		if !last.IsZero() {
			worst = max(worst, p.at.Sub(last))
		}
		last = p.at
	}
	if len(pieces) > 0 && last.Equal(from) && !from.IsZero() { // it stood still all the time
		return to.Sub(from)
	}
	if last.After(from) && !from.IsZero() {
		worst = max(worst, to.Sub(last))
	}
	return worst
}

func (s *neighbourScenario) notes() []string {
	ours, theirs := s.both.ours.peer, s.both.theirs.peer
	return append([]string{fmt.Sprintf("the worst gap beside the paste has a target of its own, 0.150 s for ours; before the paste it was: ours %.3f s, theirs %.3f s; the paste beside the stream took, against alone: ours %.2f (target 1.50), theirs %.2f",
		s.gaps[ours].median(), s.gaps[theirs].median(), s.longer[ours].median(), s.longer[theirs].median())}, s.paste.notes()...)
}
