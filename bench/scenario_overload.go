package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// overloadScenario is four times as many requests as a server can answer. They come at the pace of the clock, whether those before were
// answered or not. Each is given up by its client after a time; what was answered by then, and what was refused, counts.
type overloadScenario struct {
	duet
	rivals *rivals
	number int
	takes  time.Duration // that requests come
	pace   time.Duration // between two requests at the load that ours can just answer
	said   map[string][]string
}

var _ scenario = (*overloadScenario)(nil)

const (
	overloadPrompt = 64 // tokens
	overloadAnswer = 8
	overloadFor    = 12 * time.Second
	// overloadGiveUp is how long a client waits. Nobody leaves the cursor where it is for longer.
	overloadGiveUp = 10 * time.Second
	overloadTimes  = 4
	// overloadMaxWait is what ours is told, so that somebody waits for his turn about half of that at most, since an answer has to be
	// written, too: POST /completion asks for a generation, and these wait three times as long as completions (engine.Patience).
	overloadMaxWait = 1600 * time.Millisecond
)

func newOverload(r *rivals) *overloadScenario {
	s := &overloadScenario{rivals: r, takes: overloadFor, said: map[string][]string{}}
	s.duet = duet{r.peers(), s.measure}
	return s
}

func (s *overloadScenario) figures() []figure {
	return []figure{
		{name: fmt.Sprintf("%d times the load: answered within %s, share of all", overloadTimes, overloadGiveUp), unit: "", target: 1},
		{name: fmt.Sprintf("%d times the load: whole answer, 95 of 100 of the answered", overloadTimes), unit: "s", better: less},
	}
}

// prepare finds out once what load can just be answered: the pace at which ours answers when eight ask again and again. Both get
// the same load.
func (s *overloadScenario) prepare(ctx context.Context, round int) error {
	s.number = overloadPrompts + round*10_000
	if s.pace > 0 {
		return nil
	}
	const each = 3
	var prompts [][]string
	for range crowd {
		var own []string
		for range each {
			prompt, err := s.next(ctx)
			if err != nil {
				return err
			}
			own = append(own, prompt)
		}
		prompts = append(prompts, own)
	}
	failed := make([]error, crowd)
	var group sync.WaitGroup
	began := time.Now()
	for i, own := range prompts {
		group.Go(func() {
			for _, prompt := range own {
				if _, err := s.both.ours.ask(ctx, prompt, overloadAnswer); err != nil && !errors.As(err, new(*shortAnswerError)) {
					failed[i] = err
				}
			}
		})
	}
	group.Wait()
	s.pace = time.Since(began) / (crowd * each)
	return errors.Join(failed...)
}

func (s *overloadScenario) next(ctx context.Context) (string, error) {
	s.number++
	return s.rivals.prompt(ctx, s.number, overloadPrompt)
}

// outcome of one request.
type outcome struct {
	took    time.Duration
	refused bool // 429 or 503
	late    bool // given up
	err     error
}

func (s *overloadScenario) measure(ctx context.Context, p *peer) ([]float64, error) {
	start := s.number
	once, err := s.load(ctx, p, s.pace)
	if err != nil {
		return nil, err
	}
	more, err := s.load(ctx, p, s.pace/overloadTimes)
	if err != nil {
		return nil, err
	}
	if p == s.both.theirs {
		s.number = start // ours gets the same prompts
	}
	answered, refused, late, failed, slowest := tell(more)
	took := answered.quantile(0.95)
	s.said[p.peer] = append(s.said[p.peer], fmt.Sprintf("%d asked: %d answered, %d refused (the slowest after %.2f s), %d given up after %s, %d failed; 95 of 100 answers %.2f times as long as at one times the load",
		len(more), len(answered), refused, slowest, late, overloadGiveUp, failed, took/onlyAnswered(once).quantile(0.95)))
	return []float64{float64(len(answered)) / float64(len(more)), took}, nil
}

func onlyAnswered(o []outcome) samples {
	answered, _, _, _, _ := tell(o)
	return answered
}

func tell(all []outcome) (answered samples, refused, late, failed int, slowestRefusal float64) {
	for _, o := range all {
		switch {
		case o.refused:
			refused++
			slowestRefusal = max(slowestRefusal, o.took.Seconds())
		case o.late:
			late++
		case o.err != nil:
			failed++
		default:
			answered = append(answered, o.took.Seconds())
		}
	}
	return answered, refused, late, failed, slowestRefusal
}

// load sends a request at each tick of a pace, and waits for what becomes of all of them.
func (s *overloadScenario) load(ctx context.Context, p *peer, pace time.Duration) ([]outcome, error) {
	n := max(8, int(s.takes/pace))
	prompts := make([]string, n)
	for i := range prompts {
		var err error
		if prompts[i], err = s.next(ctx); err != nil {
			return nil, err
		}
	}
	out := make([]outcome, n)
	var group sync.WaitGroup
	began := time.Now()
	for i, prompt := range prompts {
		if err := pause(ctx, time.Until(began.Add(time.Duration(i)*pace))); err != nil {
			return nil, err
		}
		group.Go(func() {
			asked, giveUp := context.WithTimeout(ctx, overloadGiveUp)
			defer giveUp()
			from := time.Now()
			_, err := p.ask(asked, prompt, overloadAnswer)
			if errors.As(err, new(*shortAnswerError)) {
				err = nil // answered, if shortly
			}
			out[i] = outcome{took: time.Since(from), err: err, late: err != nil && asked.Err() != nil,
				refused: err != nil && (strings.Contains(err.Error(), "answered 429") || strings.Contains(err.Error(), "answered 503"))}
		})
	}
	group.Wait()
	return out, nil
}

func (s *overloadScenario) notes() []string {
	notes := []string{fmt.Sprintf("the load that ours can just answer is one request each %s (%d + %d tokens)", s.pace.Round(time.Millisecond), overloadPrompt, overloadAnswer)}
	for _, p := range []*peer{s.both.ours, s.both.theirs} {
		for _, text := range s.said[p.peer] {
			notes = append(notes, p.peer+": "+text)
		}
	}
	return notes
}
