package main

import (
	"context"
	"fmt"
	"time"
)

// Sizes of scenarios follow the machine: what shows on a server with 500 tokens a second within half a minute would take two cores
// without AVX-512 some minutes for each side and repetition, and a run as long as a day shows nothing at all. So both sides are
// asked once how fast they read and write, and a size is halved until the slower one should be done within -side. Halving keeps
// sizes equal from run to run on a machine whose speed wavers. What was made smaller says so.

// pace is how fast the slower of both sides is, alone and at depth 512.
type pace struct {
	read, write float64 // tokens a second
}

// together is how many times as much several streams write in the time of one, at least.
const together = 1.5

// takes is about how long reading and writing so many tokens takes, by people at once.
func (p pace) takes(people, read, written int) time.Duration {
	write := p.write
	if people > 1 {
		write *= together
	}
	return time.Duration(float64(people) * (float64(read)/p.read + float64(written)/write) * float64(time.Second))
}

// size is how large something in a scenario is.
type size struct {
	what      string
	is        int // what it is on this machine
	nominally int // what it would be on a faster one
	limit     time.Duration
}

// fit halves a size, which is nominally so much, until takes says that a side is done within a limit; 0 is no limit. It does not go
// below least.
func fit(what string, nominally, least int, limit time.Duration, takes func(n int) time.Duration) size {
	s := size{what: what, is: nominally, nominally: nominally, limit: limit}
	for limit > 0 && s.is/2 >= least && takes(s.is) > limit {
		s.is /= 2
	}
	return s
}

// notes says that a size was made smaller.
func (s size) notes() []string {
	if s.is == s.nominally {
		return nil
	}
	return []string{fmt.Sprintf("scaled to this machine, so that a side takes no longer than %s a repetition: %s is %d instead of %d; -side 0 takes it whole",
		s.limit, s.what, s.is, s.nominally)}
}

func (p pace) String() string {
	return fmt.Sprintf("the slower side reads %.0f tok/s and writes %.0f tok/s in one stream", p.read, p.write)
}

// paceTokens are written to find out how fast a side writes.
const paceTokens = 16

// findPace asks both sides, which are warm.
func (r *rivals) findPace(ctx context.Context) (slower pace, err error) {
	peers := r.peers()
	for i, p := range []*peer{peers.theirs, peers.ours} {
		prompt, err := r.prompt(ctx, pacePrompts+i, promptTokens)
		if err != nil {
			return pace{}, err
		}
		a, err := p.ask(ctx, prompt, paceTokens)
		if err != nil {
			return pace{}, err
		}
		if err := a.checkStream(); err != nil {
			return pace{}, fmt.Errorf("%s: %w", p.peer, err)
		}
		found := pace{promptTokens / a.toFirst().Seconds(), a.decodeSpeed()}
		if i == 0 {
			slower = found
		}
		slower = pace{min(slower.read, found.read), min(slower.write, found.write)}
	}
	return slower, nil
}
