package engine

import (
	"slices"
	"time"
)

// threadPilot chooses how many threads decode. As many as there are cores is right on an idle
// machine; as soon as one core is busy with something else, and this program's own HTTP side is
// such a thing, every operation waits for the thread that lost its core, and one thread less is
// faster. So now and then it tries one thread less or more, a few steps each in turn, and stays
// with what was faster.
//
// Only steps that decode are tried: prompts gain from all threads even then. It is pure; the
// loop tells it what each step took.
type threadPilot struct {
	max     int
	current int
	other   int // under trial; 0: none
	lower   bool
	idle    int // steps until the next trial
	pause   int // steps between trials, longer each time nothing was gained
	rows    int // of the steps under trial
	step    int
	took    [2][]time.Duration // of current and other
}

const (
	pilotBlock    = 3    // steps in a row with one setting; the first of them is not counted
	pilotBlocks   = 8    // of a trial, both settings together
	pilotGain     = 0.95 // what is at least this much faster is taken
	pilotFirst    = 16   // steps before the first trial and after a change
	pilotMaxPause = 512
)

func newThreadPilot(threads int) *threadPilot {
	threads = max(threads, 1)
	return &threadPilot{max: threads, current: threads, lower: true, idle: pilotFirst, pause: pilotFirst}
}

// threads is the number for the next step of that many tokens, rows of which decode.
func (p *threadPilot) threads(tokens, rows int) int {
	switch {
	case tokens != rows || rows == 0:
		return p.max
	case p.other != 0 && p.trying() == 1:
		return p.other
	}
	return p.current
}

// trying is which side of the trial the next step is on: 0 current, 1 other.
func (p *threadPilot) trying() int { return p.step / pilotBlock % 2 }

// observe learns what a step took.
func (p *threadPilot) observe(tokens, rows int, took time.Duration) {
	if p.max == 1 || tokens != rows || rows == 0 {
		return
	}
	if p.other == 0 {
		if p.idle--; p.idle <= 0 {
			p.begin(rows)
		}
		return
	}
	if rows != p.rows { // not comparable any more
		p.begin(rows)
		return
	}
	if p.step%pilotBlock != 0 {
		side := p.trying()
		p.took[side] = append(p.took[side], took)
	}
	if p.step++; p.step == pilotBlock*pilotBlocks {
		p.decide()
	}
}

func (p *threadPilot) begin(rows int) {
	p.other = p.current + 1
	if p.lower && p.current > 1 || p.current == p.max {
		p.other = p.current - 1
	}
	p.rows, p.step = rows, 0
	p.took[0], p.took[1] = p.took[0][:0], p.took[1][:0]
}

func (p *threadPilot) decide() {
	if float64(median(p.took[1])) < pilotGain*float64(median(p.took[0])) {
		p.lower = p.other < p.current
		p.current, p.pause = p.other, pilotFirst
	} else {
		p.lower = !p.lower
		p.pause = min(2*p.pause, pilotMaxPause)
	}
	p.other, p.idle = 0, p.pause
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
