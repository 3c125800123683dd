package ui

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"aigw/engine"
)

// Hour keeps the times of the answers of the last hour, minute by minute: of each class as many as are enough for a
// median. It is of one size, 140 kB, and may be used concurrently.
type Hour struct {
	now func() time.Time

	mu      sync.Mutex
	minutes [hourMinutes]minute
}

const (
	hourMinutes = 60
	// samplesKept are kept of a minute and class. Of more, every one is as likely to be among them.
	samplesKept = 64
	classes     = engine.Classes
)

type minute struct {
	number  int64 // minutes since 1970
	classes [classes]struct{ first, gap samples }
}

// samples are times in seconds, a fair choice where there were more.
type samples struct {
	seen int
	kept [samplesKept]float32
	// half and most are the quantiles of so many as known says; 0 if they were never computed.
	known      int
	half, most time.Duration
}

func (s *samples) add(seconds float64) {
	at := s.seen
	if at >= samplesKept {
		at = rand.IntN(s.seen + 1)
	}
	if at < samplesKept {
		s.kept[at] = float32(seconds)
	}
	s.seen++
}

// quantiles returns the median and what 95 of 100 are within.
func (s *samples) quantiles() (half, most time.Duration) {
	if s.known == s.seen {
		return s.half, s.most
	}
	sorted := slices.Clone(s.kept[:min(s.seen, samplesKept)])
	slices.Sort(sorted)
	at := func(share float64) time.Duration {
		return time.Duration(float64(sorted[int(share*float64(len(sorted)-1)+0.5)]) * float64(time.Second))
	}
	s.known, s.half, s.most = s.seen, at(.5), at(.95)
	return s.half, s.most
}

// NewHour returns an hour without answers.
func NewHour() *Hour { return &Hour{now: time.Now} }

// Answered notes an answer that has ended. One that never began is not noted.
func (h *Hour) Answered(class engine.Class, r engine.Result) {
	if h == nil || r.Prefill <= 0 || class < 0 || int(class) >= classes {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	number := h.now().Unix() / 60
	m := &h.minutes[number%hourMinutes]
	if m.number != number {
		*m = minute{number: number}
	}
	of := &m.classes[class]
	of.first.add((r.Queue + r.Prefill).Seconds())
	if r.OutputTokens > 1 {
		of.gap.add(r.Decode.Seconds() / float64(r.OutputTokens-1))
	}
}

// Minute is what one minute of answers took.
type Minute struct {
	Start               time.Time
	Answers             int
	First, FirstMost    time.Duration // to the first token: the median, and what 95 of 100 were within
	Gap, GapMost        time.Duration // from token to token
	Measured, HasTokens bool          // there were answers; with more than one token
}

// Minutes returns the last hour of a class, the oldest minute first.
func (h *Hour) Minutes(class engine.Class) []Minute {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now().Unix() / 60
	out := make([]Minute, 0, hourMinutes)
	for number := now - hourMinutes + 1; number <= now; number++ {
		one := Minute{Start: time.Unix(number*60, 0)}
		if m := &h.minutes[number%hourMinutes]; m.number == number {
			of := &m.classes[class]
			one.Answers, one.Measured, one.HasTokens = of.first.seen, of.first.seen > 0, of.gap.seen > 0
			one.First, one.FirstMost = of.first.quantiles()
			one.Gap, one.GapMost = of.gap.quantiles()
		}
		out = append(out, one)
	}
	return out
}

// Busiest returns the class with the most answers of the last hour.
func (h *Hour) Busiest() engine.Class {
	h.mu.Lock()
	defer h.mu.Unlock()
	since := h.now().Unix()/60 - hourMinutes
	var counts [classes]int
	for i := range h.minutes {
		if m := &h.minutes[i]; m.number > since {
			for class := range counts {
				counts[class] += m.classes[class].first.seen
			}
		}
	}
	best := 0
	for class, n := range counts {
		if n > counts[best] {
			best = class
		}
	}
	return engine.Class(best)
}
