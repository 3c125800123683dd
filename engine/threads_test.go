package engine

import (
	"testing"
	"time"
)

// machine is what a decoding step takes with n threads.
type machine func(n, rows int) time.Duration

func idleMachine(n, rows int) time.Duration {
	return time.Duration(rows) * 2 * time.Millisecond / time.Duration(n)
}

// oneCoreBusy makes all threads wait for the one that shares its core.
func oneCoreBusy(cores int) machine {
	return func(n, rows int) time.Duration {
		if n == cores {
			return 3 * idleMachine(n, rows)
		}
		return idleMachine(n, rows)
	}
}

func fly(p *threadPilot, m machine, steps, rows int) (slow int) {
	for range steps {
		n := p.threads(rows)
		took := m(n, rows)
		if took > m(p.current, rows) {
			slow++
		}
		p.observe(rows, took)
	}
	return slow
}

func TestThreadPilot(t *testing.T) {
	for _, cores := range []int{2, 4, 16} {
		p := newThreadPilot(cores, decodingTrials)
		if slow := fly(p, idleMachine, 2000, 1); p.current != cores || slow > 30 {
			t.Errorf("%d cores, idle: %d threads, %d of 2000 steps spent on trials", cores, p.current, slow)
		}
		fly(p, oneCoreBusy(cores), 50, 1)
		if p.current != cores-1 {
			t.Errorf("%d cores, 50 steps after one became busy: %d threads", cores, p.current)
		}
		fly(p, idleMachine, 3000, 1)
		if p.current != cores {
			t.Errorf("%d cores, idle again: %d threads", cores, p.current)
		}
	}
}

func TestThreadPilotNoticesAMachineThatWasBusyFromTheStart(t *testing.T) {
	p := newThreadPilot(4, decodingTrials)
	fly(p, oneCoreBusy(4), 200, 1)
	if p.current != 3 {
		t.Errorf("%d threads", p.current)
	}
}

// Prompts find out within a few slices, and on their own: decoding may still want all threads.
func TestPromptsAndDecodingAreTriedApart(t *testing.T) {
	c := newCrew(4)
	prompts := 0
	for range 30 { // two streams, and slices of a long prompt
		c.observe(2, 2, idleMachine(c.threads(2, 2), 2))
		n := c.threads(250, 2)
		c.observe(250, 2, oneCoreBusy(4)(n, 250))
		if n == 3 {
			prompts++
		}
	}
	if n := c.threads(250, 2); n != 3 || prompts < 15 {
		t.Errorf("%d threads for a prompt, want 3; %d of 30 slices had them", n, prompts)
	}
	if n := c.threads(2, 2); n != 4 {
		t.Errorf("%d threads for decoding, want 4", n)
	}
	if n := c.threads(20, 2); n != 4 {
		t.Errorf("%d threads for a short prompt beside streams, want those of decoding", n)
	}
	// Tails of prompts come between the slices and say nothing.
	c = newCrew(2)
	for i := range 60 {
		tokens := 120
		if i%5 == 4 {
			tokens = 20
		}
		c.observe(tokens, 1, oneCoreBusy(2)(c.threads(tokens, 1), tokens))
	}
	if n := c.threads(120, 1); n != 1 {
		t.Errorf("%d threads, want 1", n)
	}
}

// A prompt without company is computed in steps of seconds: none of them is a trial.
func TestLongStepsAreNoTrials(t *testing.T) {
	c := newCrew(2)
	for range 200 {
		if n := c.threads(512, 1); n != 2 {
			t.Fatalf("%d threads for a step of half a second", n)
		}
		c.observe(512, 1, idleMachine(2, 512))
	}
	for range 8 { // slices are, as before
		c.observe(100, 1, oneCoreBusy(2)(c.threads(100, 1), 100))
	}
	if n := c.threads(100, 1); n != 1 {
		t.Errorf("%d threads, want 1", n)
	}
}

// A trial in which somebody joins or leaves would compare different work.
func TestThreadPilotComparesLikeWithLike(t *testing.T) {
	p := newThreadPilot(2, decodingTrials)
	for i := range 4000 {
		rows := 1 + i/2%2 // changes faster than a trial takes
		p.observe(rows, idleMachine(p.threads(rows), rows))
	}
	if p.current != 2 {
		t.Errorf("%d threads on an idle machine", p.current)
	}
	one := newThreadPilot(1, decodingTrials)
	fly(one, idleMachine, 100, 1)
	if one.threads(1) != 1 {
		t.Error("a single thread is not left alone")
	}
}
