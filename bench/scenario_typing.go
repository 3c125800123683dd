package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// typingScenario is somebody who types in the middle of a file with a suffix of 2 kB, in the rhythm in which people type. Behind each
// word the person waits for the suggestion; its time counts from the last key. Without a debounce the editor asks at every key;
// with one it asks when no key came for so long, which is the case behind most keys. Either way the next key gives the question up:
// editors close the connection then. Whether text above or below the cursor comes first decides what a server can reuse: both orders
// are forced.
type typingScenario struct {
	duet
	rivals      *rivals
	debounce    time.Duration
	suffixFirst bool
	words       size
	above       string
	suffix      string
	pauses      [][]time.Duration // between the keys of each word
	shares      map[string]samples
	asked, gone map[string]samples // requests before the last key of a word, and those of them that were given up
}

var _ scenario = (*typingScenario)(nil)

const (
	typingSuffix   = 2048 // bytes
	typingAbove    = 128  // tokens
	typingAnswer   = 4
	typingDebounce = 150 * time.Millisecond
	// typingPerToken is about how many bytes of such a text a token has.
	typingPerToken = 2
)

// typed is what is typed, by words.
var typed = []string{" limit", " in", " all", ".values", " if", " unit", " ==", " bytes"}

func newTyping(r *rivals, debounce time.Duration, suffixFirst bool, at pace, limit time.Duration) *typingScenario {
	s := &typingScenario{rivals: r, debounce: debounce, suffixFirst: suffixFirst, shares: map[string]samples{}, asked: map[string]samples{}, gone: map[string]samples{}}
	s.words = fit("words that are typed", len(typed), 2, limit, func(n int) time.Duration {
		keys := 0
		for _, word := range typed[:n] {
			keys += len(word)
		}
		read := typingSuffix / typingPerToken // at least once, when the file is opened
		if !suffixFirst {
			read *= n + 1 // and for every suggestion
		}
		return time.Duration(keys)*keyMean + at.takes(1, read, n*typingAnswer)
	})
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

// figures have the targets of issue 5, which names no order.
func (s *typingScenario) figures() []figure {
	p50, p95 := figure{name: s.name() + ": suggestion, median", unit: "s", better: less}, figure{name: s.name() + ": suggestion, 95 of 100", unit: "s", better: less}
	if s.debounce == 0 {
		p95.target = 1 / 5.0
	} else {
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
	keys := newRhythm(uint64(round))
	s.pauses = nil
	for _, word := range typed[:s.words.is] {
		s.pauses = append(s.pauses, keys.burst(word))
	}
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
	asked, gone := 0, 0
	above := s.above
	for i, pauses := range s.pauses {
		b, err := s.burst(ctx, p, &above, typed[i], pauses)
		if err != nil {
			return nil, err
		}
		answers, waited = append(answers, b.last), append(waited, b.took.Seconds())
		asked, gone = asked+b.asked, gone+b.gone
	}
	s.shares[p.peer] = append(s.shares[p.peer], reused(answers))
	s.asked[p.peer], s.gone[p.peer] = append(s.asked[p.peer], float64(asked)), append(s.gone[p.peer], float64(gone))
	return []float64{waited.median(), waited.quantile(0.95)}, nil
}

// burst is what became of a word.
type burst struct {
	last        answer
	took        time.Duration // from the last key to the first text
	asked, gone int           // before that: requests, and those given up
}

// burst types a word, with pauses behind its keys, and waits for the suggestion behind the last one.
func (s *typingScenario) burst(ctx context.Context, p *peer, above *string, word string, pauses []time.Duration) (b burst, err error) {
	if len(pauses) != len([]rune(word))-1 {
		return b, errors.New("a word needs a pause between any two keys")
	}
	var early sync.WaitGroup
	var answered atomic.Int32
	pressed := time.Now()
	for i, key := range []rune(word) {
		*above += string(key)
		if i == len(pauses) {
			break
		}
		next := pressed.Add(pauses[i])
		err := pause(ctx, min(s.debounce, time.Until(next)))
		if err == nil && pauses[i] > s.debounce {
			b.asked++
			asked, giveUp := context.WithCancel(ctx)
			prompt := s.prompt(*above)
			early.Go(func() {
				if _, err := p.ask(asked, prompt, typingAnswer); err == nil {
					answered.Add(1)
				}
			})
			err = pause(ctx, time.Until(next))
			giveUp()
		}
		if err != nil {
			early.Wait()
			return b, err
		}
		pressed = next
	}
	if err = pause(ctx, s.debounce); err == nil {
		b.last, err = p.ask(ctx, s.prompt(*above), typingAnswer)
	}
	early.Wait()
	b.took, b.gone = b.last.first.Sub(pressed), b.asked-int(answered.Load())
	return b, err
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
	ours, theirs := s.both.ours.peer, s.both.theirs.peer
	return append([]string{
		fmt.Sprintf("%s: prompt tokens that were reused for the suggestions: ours %.1f %%, theirs %.1f %%",
			s.name(), 100*s.shares[ours].median(), 100*s.shares[theirs].median()),
		fmt.Sprintf("%s: %d words a repetition, a key each %d ms in the mean, the same ones on both sides; within words %.0f requests were sent, and given up by the next key: ours %.0f, theirs %.0f",
			s.name(), s.words.is, keyMean.Milliseconds(), s.asked[ours].median(), s.gone[ours].median(), s.gone[theirs].median()),
	}, s.words.notes()...)
}
