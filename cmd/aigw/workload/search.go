package workload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How many people are served is found by doubling their number until an objective is missed, and then by halving the
// interval between the last number that was served and the first that was not, until time is over. People who are there
// stay from stage to stage: what they have open is warm, as it is at work. The first part of a stage does not count.

// Run is a measurement.
type Run struct {
	Recording  *Recording
	Mix        Mix
	Objectives Objectives
	Asker      Asker
	For        time.Duration // how long the whole of it takes
	People     int           // that many, in one stage; 0: as many as are served
	Most       int           // people are never tried
	// Begin is told that a stage has begun, End what came of it. Both may be nil.
	Begin func(people int, takes time.Duration)
	End   func(Stage)
}

const (
	// stages is in how many the time of a search is divided: seven doublings reach 64 people.
	stages = 9
	// settles is the part of a stage in which questions do not count yet, and waits the part in which they do not any
	// more: those before are waited for then, until they are answered or late.
	settles, waits = 0.2, 0.25
)

// Shortest is the least time for a run in which every question can become late.
func (r *Run) Shortest() time.Duration {
	longest := time.Duration(0)
	for _, d := range r.Objectives.Within {
		longest = max(longest, d)
	}
	least := max(time.Duration(float64(longest)/waits), time.Second)
	if r.People > 0 {
		return least
	}
	return stages * least
}

// Result is what was found out. Its names in JSON are stable.
type Result struct {
	Stages []Stage `json:"stages"`
	// Served is the largest number of people for whom all objectives were kept; 0: not even for one.
	Served int `json:"people_served"`
	// Missed is the smallest number for whom they were not; 0: there was none.
	Missed int `json:"people_missed"`
	// Verdict says it in words.
	Verdict string `json:"verdict"`
}

// Run measures until time is over or everything is known.
func (r *Run) Run(ctx context.Context) (*Result, error) {
	c := newCrowd(ctx, r)
	defer c.end()
	out := &Result{Stages: []Stage{}}
	if r.People > 0 {
		s, err := c.stage(r.People, r.For)
		if err != nil {
			return nil, err
		}
		out.add(s)
		if s.Thin {
			return nil, r.thin()
		}
		out.Verdict = r.verdictOn(s)
		return out, nil
	}
	length, until := r.For/stages, time.Now().Add(r.For)
	for n := 1; n > 0 && !time.Now().Add(length).After(until.Add(time.Second)); n = r.next(out) {
		s, err := c.stage(n, length)
		if err != nil {
			return nil, err
		}
		out.add(s)
	}
	if out.Served == 0 && out.Missed == 0 {
		return nil, r.thin()
	}
	out.Verdict = r.verdict(out)
	return out, nil
}

func (r *Run) thin() error {
	return fmt.Errorf("nothing was asked in %s that can be judged; take longer with --for", r.For)
}

// add keeps a stage. One in which nothing can be judged says nothing.
func (o *Result) add(s Stage) {
	o.Stages = append(o.Stages, s)
	switch {
	case s.Thin:
	case len(s.Missed) == 0:
		o.Served = max(o.Served, s.People)
	case o.Missed == 0 || s.People < o.Missed:
		o.Missed = s.People
	}
}

// next is how many people are tried next; 0: enough is known.
func (r *Run) next(o *Result) int {
	last := o.Stages[len(o.Stages)-1]
	if o.Missed == 0 {
		if last.People == r.Most {
			return 0
		}
		return min(2*last.People, r.Most)
	}
	if o.Missed-o.Served <= 1 || last.Thin {
		return 0
	}
	return (o.Served + o.Missed) / 2
}

// crowd is who is there.
type crowd struct {
	ctx     context.Context
	run     *Run
	to      *recorder
	leave   []context.CancelFunc
	present sync.WaitGroup
}

func newCrowd(ctx context.Context, r *Run) *crowd {
	return &crowd{ctx: ctx, run: r, to: newRecorder(r.Objectives.Within)}
}

// resize has people come, or the last ones leave.
func (c *crowd) resize(n int) {
	for len(c.leave) > n {
		c.leave[len(c.leave)-1]()
		c.leave = c.leave[:len(c.leave)-1]
	}
	for i := len(c.leave); i < n; i++ {
		ctx, leave := context.WithCancel(c.ctx)
		mix := c.run.Mix.People
		p := &person{number: i, session: c.run.Recording.Sessions[mix[i%len(mix)]], asker: c.run.Asker, to: c.to}
		c.leave = append(c.leave, leave)
		c.present.Go(func() { p.play(ctx) })
	}
}

// end sends everybody home and waits.
func (c *crowd) end() {
	c.resize(0)
	c.present.Wait()
}

// stage measures n people for that long.
func (c *crowd) stage(n int, takes time.Duration) (Stage, error) {
	r := c.run
	if r.Begin != nil {
		r.Begin(n, takes)
	}
	c.resize(n)
	settle, grace := time.Duration(settles*float64(takes)), time.Duration(waits*float64(takes))
	if !wait(c.ctx, settle) {
		return Stage{}, context.Cause(c.ctx)
	}
	w := c.to.start()
	if !wait(c.ctx, takes-settle-grace) {
		return Stage{}, context.Cause(c.ctx)
	}
	c.to.close(w)
	for until := time.Now().Add(grace); c.to.undecided(w) && time.Now().Before(until); {
		if !wait(c.ctx, grace/100) {
			return Stage{}, context.Cause(c.ctx)
		}
	}
	c.to.collect(w)
	s := r.Objectives.stage(w, n, r.Recording.Who(r.Mix, n))
	if r.End != nil {
		r.End(s)
	}
	if s.brokenDown() {
		return s, fmt.Errorf("nothing is answered any more: %w", s.failure)
	}
	return s, nil
}

// brokenDown tells that whatever was asked failed.
func (s Stage) brokenDown() bool {
	for _, f := range s.Classes {
		if f.Answered+f.Overtaken+f.Late+f.Refused > 0 {
			return false
		}
	}
	return s.failure != nil && !errors.Is(s.failure, context.Canceled)
}
