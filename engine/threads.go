package engine

import (
	"slices"
	"time"
)

// threadPilot chooses how many threads decode. As many as there are cores is right on an idle
// machine; as soon as one core is busy with something else, and this program's own HTTP side is
// such a thing, every operation waits for the thread that lost its core, and one thread less is
// faster. So it tries one thread less or more now and then, sooner when steps have become slower,
// and stays with what was faster. A trial that begins badly ends at once: on an idle machine it
// costs the difference of two steps.
//
// Only steps that decode are tried: prompts gain from all threads even then. It is pure; the
// loop tells it what each step took.
type threadPilot struct {
	max     int
	current int
	other   int  // under trial; 0: none
	lower   bool // the next trial is of fewer threads
	idle    int  // steps until the next trial
	pause   int  // steps between trials, longer each time nothing was gained

	rows         int     // of the last step; steps with others are not comparable
	recent, long float64 // smoothed seconds of a step, over about 8 and 128 steps
	last         []time.Duration
	tried        []time.Duration
}

const (
	pilotFirst    = 128 // steps before the first trial and after a change
	pilotMaxPause = 2048
	pilotSample   = 5    // steps with either setting that are compared
	pilotGain     = 0.95 // what takes at most this much of the time is chosen
	pilotBad      = 1.05 // a trial ends when its first step takes this much more
	pilotAlarm    = 1.25 // steps that take this much more than before call for a trial
)

func newThreadPilot(threads int) *threadPilot {
	return &threadPilot{max: max(threads, 1), current: max(threads, 1), lower: true, idle: pilotFirst, pause: pilotFirst}
}

// threads is the number for the next step of that many tokens, rows of which decode.
func (p *threadPilot) threads(tokens, rows int) int {
	switch {
	case tokens != rows || rows == 0:
		return p.max
	case p.other != 0 && rows == p.rows:
		return p.other
	}
	return p.current
}

// observe learns what a step took.
func (p *threadPilot) observe(tokens, rows int, took time.Duration) {
	if p.max == 1 || tokens != rows || rows == 0 {
		return
	}
	if rows != p.rows {
		p.rows, p.other, p.recent, p.long = rows, 0, 0, 0
		p.last = p.last[:0]
		return // the first step of a kind takes longer
	}
	if p.other != 0 {
		p.try(took)
		return
	}
	p.last = append(p.last, took)
	if len(p.last) > pilotSample {
		p.last = p.last[1:]
	}
	if p.long == 0 {
		p.recent, p.long = took.Seconds(), took.Seconds()
	}
	p.recent += (took.Seconds() - p.recent) / 8
	p.long += (took.Seconds() - p.long) / 128
	if p.recent > pilotAlarm*p.long {
		p.idle, p.pause, p.lower, p.long = 0, pilotFirst, true, p.recent
		p.last = p.last[:0] // compare with what steps take now
	}
	if p.idle--; p.idle <= 0 && len(p.last) == pilotSample {
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
	case n == pilotSample:
		p.end(float64(median(p.tried[1:])) < pilotGain*before)
	}
}

func (p *threadPilot) end(faster bool) {
	if faster {
		p.lower = p.other < p.current
		p.current, p.pause = p.other, pilotFirst
	} else {
		p.lower = !p.lower
		p.pause = min(2*p.pause, pilotMaxPause)
	}
	p.other, p.idle, p.long = 0, p.pause, 0
	p.last = p.last[:0]
}

func median(d []time.Duration) time.Duration {
	s := slices.Clone(d)
	slices.Sort(s)
	return s[len(s)/2]
}
