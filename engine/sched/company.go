package sched

import (
	"math"
	"time"
)

// company estimates how often somebody arrives while others are being served. It decides whether a
// long step is worth its risk: it computes prompts faster than short ones do, and is lost when
// somebody arrives during it who should not wait for its end.
type company struct {
	arrivals, seconds float64 // of the last minute of service, roughly; older ones count less
}

const (
	companyMemory = 60 // seconds of service after which something counts a third as much
	// In the beginning half an arrival in half a minute is assumed.
	companyArrivals, companySeconds = 0.5, 30
	// A step may take so long that this share of such steps is cut short.
	companyRisk = 0.1
)

// served tells that a step took that long.
func (c *company) served(took time.Duration) {
	keep := math.Exp(-took.Seconds() / companyMemory)
	c.arrivals *= keep
	c.seconds = c.seconds*keep + took.Seconds()
}

// came tells that somebody arrived while others were being served.
func (c *company) came() { c.arrivals++ }

// solitude is how long a step may take.
func (c *company) solitude() time.Duration {
	seconds := companyRisk * (c.seconds + companySeconds) / (c.arrivals + companyArrivals)
	return time.Duration(seconds * float64(time.Second))
}

// Interrupt tells whether the step that was planned last and began then is to be given up for the
// request that was submitted now: it is a long one, which would end too late for somebody who types.
func (s *Scheduler) Interrupt(began, now time.Time) bool {
	return s.cfg.Interruptible && s.long-now.Sub(began) > s.cfg.IdleTime
}
