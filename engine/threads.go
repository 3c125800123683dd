package engine

import (
	"math/bits"
	"slices"
	"time"
)

// crew chooses how many threads compute a step. Decoding and prompts are tried apart: what slows
// down hundreds of short operations may not slow down a few long ones.
type crew struct{ decoding, prompts *threadPilot }

func newCrew(threads int) *crew {
	return &crew{newThreadPilot(threads, decodingTrials), newThreadPilot(threads, promptTrials)}
}

// promptTokens is how many tokens of prompts make a step one of prompts.
const promptTokens = 32

// pilot is who decides about a step of that many tokens, rows of which decode; and the kind of
// steps that it is to be compared with. Without a kind it says nothing about threads.
func (c *crew) pilot(tokens, rows int) (p *threadPilot, kind int) {
	switch {
	case tokens-rows >= promptTokens:
		return c.prompts, bits.Len(uint(tokens))
	case tokens == rows:
		return c.decoding, rows
	}
	return c.decoding, 0
}

// threads is the number for the next step.
func (c *crew) threads(tokens, rows int) int {
	p, kind := c.pilot(tokens, rows)
	if p.wouldHurt(tokens) {
		return p.current
	}
	return p.threads(kind)
}

// observe learns what a step took.
func (c *crew) observe(tokens, rows int, took time.Duration) {
	if p, kind := c.pilot(tokens, rows); kind > 0 && !p.wouldHurt(tokens) {
		p.observe(kind, took/time.Duration(tokens))
	}
}

// threadPilot chooses a number of threads for one kind of work. As many as there are cores is right
// on an idle machine; as soon as one core is busy with something else, and this program's own HTTP
// side is such a thing, every operation waits for the thread that lost its core, and one thread
// less is faster. So it tries one thread less or more now and then, sooner when steps have become
// slower, and stays with what was faster. A trial that begins badly ends at once: on an idle machine
// it costs the difference of two steps. It is pure; the loop tells it what each step took.
type threadPilot struct {
	trials
	max     int
	current int
	other   int  // under trial; 0: none
	lower   bool // the next trial is of fewer threads
	idle    int  // steps until the next trial
	pause   int  // steps between trials, longer each time nothing was gained

	kind         int     // of the last step; steps of others are not comparable
	recent, long float64 // smoothed seconds of a token, over about 8 and 128 steps
	last         []time.Duration
	tried        []time.Duration
}

// trials says how often and how long other numbers of threads are tried.
type trials struct {
	first    int // steps before the first trial and after a change
	maxPause int // most steps between two
	sample   int // steps with either setting that are compared
}

// wouldHurt: a trial is due, but this step is one of the long ones that a prompt without company
// gets, and with half of the threads it would take a second more.
func (p *threadPilot) wouldHurt(tokens int) bool {
	return p.other != 0 && time.Duration(p.long*float64(tokens)*float64(time.Second)) > trialStep
}

// A step of prompts takes up to 250 ms in company, and one of decoding less than a tenth of that.
var (
	decodingTrials = trials{first: 128, maxPause: 2048, sample: 5}
	promptTrials   = trials{first: 6, maxPause: 192, sample: 3}
)

const (
	pilotGain  = 0.95                   // what takes at most this much of the time is chosen
	pilotBad   = 1.05                   // a trial ends when its first step takes this much more
	pilotAlarm = 1.25                   // steps that take this much more than before call for a trial
	trialStep  = 400 * time.Millisecond // longer steps are no trials
)

func newThreadPilot(threads int, t trials) *threadPilot {
	n := max(threads, 1)
	return &threadPilot{trials: t, max: n, current: n, lower: true, idle: t.first, pause: t.first}
}

// threads is the number for the next step of a kind.
func (p *threadPilot) threads(kind int) int {
	if p.other != 0 && kind == p.kind {
		return p.other
	}
	return p.current
}

// observe learns what each token of a step took.
func (p *threadPilot) observe(kind int, took time.Duration) {
	if p.max == 1 {
		return
	}
	if kind != p.kind {
		p.kind, p.other, p.recent, p.long = kind, 0, 0, 0
		p.last = p.last[:0]
		return // the first step of a kind takes longer
	}
	if p.other != 0 {
		p.try(took)
		return
	}
	p.last = append(p.last, took)
	if len(p.last) > p.sample {
		p.last = p.last[1:]
	}
	if p.long == 0 {
		p.recent, p.long = took.Seconds(), took.Seconds()
	}
	p.recent += (took.Seconds() - p.recent) / 8
	p.long += (took.Seconds() - p.long) / 128
	if p.recent > pilotAlarm*p.long {
		p.idle, p.pause, p.lower, p.long = 0, p.first, true, p.recent
		p.last = p.last[:0] // compare with what steps take now
	}
	if p.idle--; p.idle <= 0 && len(p.last) == p.sample {
		p.begin()
	}
}

func (p *threadPilot) begin() {
	p.other = p.current + 1
	if p.lower && p.current > 1 || p.current == p.max {
		p.other = p.current - 1
	}
	p.tried = p.tried[:0]
}

// try learns what a step under trial took. The first one pays for the change and is not counted.
func (p *threadPilot) try(took time.Duration) {
	p.tried = append(p.tried, took)
	n := len(p.tried) - 1
	before := float64(median(p.last))
	switch {
	case n == 0:
	case n == 1 && float64(took) > pilotBad*before:
		p.end(false)
	case n == p.sample:
		p.end(float64(median(p.tried[1:])) < pilotGain*before)
	}
}

func (p *threadPilot) end(faster bool) {
	if faster {
		p.lower = p.other < p.current
		p.current, p.pause = p.other, p.first
	} else {
		p.lower = !p.lower
		p.pause = min(2*p.pause, p.maxPause)
	}
	p.other, p.idle, p.long = 0, p.pause, 0
	p.last = p.last[:0]
}

func median(d []time.Duration) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	return s[len(s)/2]
}
