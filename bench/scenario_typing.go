package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// typingScenario is somebody who types in the middle of a file with a suffix of 2 kB. Each burst of keys ends with a pause, in which
// the person waits for the suggestion; its time counts from the last key. Without a debounce the editor asks at every key and gives
// the question before up; with one it asks only in the pause. Whether text above or below the cursor comes first decides what a
// server can reuse: both orders are forced.
type typingScenario struct {
	duet
	rivals      *rivals
	debounce    time.Duration
	suffixFirst bool
	above       string
	suffix      string
	keys        []string // of each burst
	shares      map[string]samples
}

var _ scenario = (*typingScenario)(nil)

const (
	typingSuffix   = 2048 // bytes
	typingAbove    = 128  // tokens
	typingBursts   = 4
	typingAnswer   = 4
	keyEvery       = 120 * time.Millisecond
	typingDebounce = 150 * time.Millisecond
)

func newTyping(r *rivals, debounce time.Duration, suffixFirst bool) *typingScenario {
	s := &typingScenario{rivals: r, debounce: debounce, suffixFirst: suffixFirst, shares: map[string]samples{}}
	s.duet = duet{r.peers(), s.measure}
	return s
}

func (s *typingScenario) name() string {
	order, pause := "text above first", "every key asks"
	if s.suffixFirst {
		order = "suffix first"
	}
	if s.debounce > 0 {
		pause = fmt.Sprintf("after %d ms", s.debounce.Milliseconds())
	}
	return fmt.Sprintf("typing, %s, %s", order, pause)
}

func (s *typingScenario) figures() []figure {
	p50, p95 := figure{name: s.name() + ": suggestion, median", unit: "s", better: less}, figure{name: s.name() + ": suggestion, 95 of 100", unit: "s", better: less}
	switch {
	case s.suffixFirst && s.debounce == 0:
		p95.target = 1 / 5.0 // issue 5
	case s.suffixFirst:
		p50.target = 1 / 1.5
	}
	return []figure{p50, p95}
}

func (s *typingScenario) prepare(ctx context.Context, round int) (err error) {
	number := typingPrompts + 10*round + int(s.debounce/time.Millisecond)*1000
	if s.suffixFirst {
		number += 5
	}
	if s.above, err = s.rivals.prompt(ctx, number, typingAbove); err != nil {
		return err
	}
	_, below := tableOf(number+1, typingSuffix)
	s.suffix = below[:typingSuffix]
	typed := strings.Fields(`write_runner_rate_17": Limit(value=4, unit="bytes", owner="growth"), "delete_branch_age_3": Limit(value=88, unit="items", owner="platform"),`)
	s.keys = typed[:typingBursts]
	return nil
}

// prompt is the file at a moment, in the order that the scenario forces.
func (s *typingScenario) prompt(above string) string {
	if s.suffixFirst {
		return s.suffix + "\n# cursor\n" + above
	}
	return above + "\n# below\n" + s.suffix
}

func (s *typingScenario) measure(ctx context.Context, p *peer) ([]float64, error) {
	// Opening the file is not typing.
	if _, err := p.ask(ctx, s.prompt(s.above), typingAnswer); err != nil {
		return nil, err
	}
	var answers []answer
	var waited samples
	above := s.above
	for _, burst := range s.keys {
		a, took, err := s.burst(ctx, p, &above, burst)
		if err != nil {
			return nil, err
		}
		answers, waited = append(answers, a), append(waited, took.Seconds())
	}
	s.shares[p.peer] = append(s.shares[p.peer], reused(answers))
	return []float64{waited.median(), waited.quantile(0.95)}, nil
}

// burst types keys and waits for the suggestion behind the last one.
func (s *typingScenario) burst(ctx context.Context, p *peer, above *string, keys string) (last answer, took time.Duration, err error) {
	var given sync.WaitGroup
	defer given.Wait()
	for i, key := range keys {
		*above += string(key)
		pressed := time.Now()
		if i == len(keys)-1 {
			if err := pause(ctx, s.debounce); err != nil {
				return last, 0, err
			}
			last, err = p.ask(ctx, s.prompt(*above), typingAnswer)
			return last, last.first.Sub(pressed), err
		}
		asked, giveUp := context.WithCancel(ctx)
		if s.debounce == 0 {
			prompt := s.prompt(*above)
			given.Go(func() { _, _ = p.ask(asked, prompt, typingAnswer) }) // nobody wants it by then
		}
		err := pause(ctx, keyEvery)
		giveUp()
		if err != nil {
			return last, 0, err
		}
	}
	return last, 0, errors.New("a burst without keys")
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func (s *typingScenario) notes() []string {
	return []string{fmt.Sprintf("%s: prompt tokens that were reused for the suggestions: ours %.1f %%, theirs %.1f %%; a key each %s, %d bursts a repetition",
		s.name(), 100*s.shares[s.both.ours.peer].median(), 100*s.shares[s.both.theirs.peer].median(), keyEvery, typingBursts)}
}
