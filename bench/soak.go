package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// soak has eight people ask again and again, with prompts that share nothing, for some minutes on each side, and looks how memory
// grows. What a server takes at first is not growth: the first third of the time is left out.

const (
	soakPrompt = 96
	soakAnswer = 16
	soakLooks  = 60 // at memory, in all
)

// soaked is what one side did.
type soaked struct {
	answers    int
	start, end float64 // Private_Dirty after the first third and at the end, in MiB
	perMinute  float64 // its slope, in MiB
}

func (b *benchmark) compareSoak(ctx context.Context, r *rivals) error {
	computing, err := computesWith(b.set, needs{parked: parkedMemory})
	if err != nil {
		return err
	}
	peers := r.peers()
	var results []soaked
	for _, p := range []*peer{peers.theirs, peers.ours} {
		b.say(fmt.Sprintf("soak: %s for %s", p.peer, b.soak))
		s, err := soak(ctx, r, p, b.soak)
		if err != nil {
			return fmt.Errorf("soak: %w", err)
		}
		results = append(results, s)
	}
	_, err = fmt.Fprintf(b.out, "\nsoak: %d people for %s a side, %d + %d tokens, no prompt twice; Private_Dirty of all processes\n", crowd, b.soak, soakPrompt, soakAnswer)
	for i, p := range []*peer{peers.theirs, peers.ours} {
		s := results[i]
		fmt.Fprintf(b.out, "%-14s %6d answers, %7.1f MiB after a third, %7.1f at the end, %+.2f MiB a minute\n", p.peer, s.answers, s.start, s.end, s.perMinute)
	}
	fmt.Fprintf(b.out, "of this %.0f MiB are KV cache, repacked weights, compute buffers and %d MiB of parked prompts; beside them aigw has %.0f MiB (target %d)\n",
		computing, parkedMemory, results[1].end-computing, besideTarget)
	return err
}

func soak(ctx context.Context, r *rivals, p *peer, takes time.Duration) (soaked, error) {
	ctx, cancel := context.WithTimeout(ctx, takes)
	defer cancel()
	var mu sync.Mutex
	var out soaked
	var at, mib samples
	var failure error
	number := soakPrompts
	began := time.Now()
	var group sync.WaitGroup
	for range crowd {
		group.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				number++
				n := number
				mu.Unlock()
				first, rows := tableOf(n, soakPrompt*3) // about as many tokens; counting them would be a load of its own
				_, err := p.ask(ctx, first+rows, soakAnswer)
				mu.Lock()
				switch {
				case ctx.Err() != nil:
				case err != nil && !errors.As(err, new(*shortAnswerError)):
					failure = err
					cancel()
				default:
					out.answers++
				}
				mu.Unlock()
			}
		})
	}
	for pause(ctx, takes/soakLooks) == nil {
		bytes, err := privateDirty(p.process.cmd.Process.Pid)
		if err != nil {
			return out, err
		}
		if time.Since(began) > takes/3 {
			at, mib = append(at, time.Since(began).Minutes()), append(mib, float64(bytes)/(1<<20))
		}
	}
	group.Wait()
	if failure != nil {
		return out, failure
	}
	if len(mib) < 2 {
		return out, errors.New("too short to look at memory twice; raise -soak")
	}
	out.start, out.end, out.perMinute = mib[0], mib[len(mib)-1], slope(at, mib)
	return out, nil
}
