package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aigw/search"
)

// crowd has many ask at once, each its next question as soon as the last one is answered.
func crowd(searcher search.Searcher, set settings) error {
	stop, err := profiled("ask")
	if err != nil {
		return err
	}
	took, err := askedBy(set, func(question string) error {
		_, err := searcher.Search(context.Background(), question, 4)
		return err
	})
	stop()
	if err != nil {
		return err
	}
	fmt.Printf("  %d clients     %s, %.0f questions/s\n", set.clients, percentiles(took), float64(len(took))/set.long.Seconds())
	return nil
}

func askedBy(set settings, ask func(string) error) ([]time.Duration, error) {
	var (
		next    atomic.Int64
		group   sync.WaitGroup
		mu      sync.Mutex
		took    []time.Duration
		failure error
	)
	end := time.Now().Add(set.long)
	for range set.clients {
		group.Go(func() {
			var own []time.Duration
			var err error
			for time.Now().Before(end) && err == nil {
				q := set.questions[int(next.Add(1))%len(set.questions)]
				began := time.Now()
				err = ask(q.Question)
				own = append(own, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			took, failure = append(took, own...), errors.Join(failure, err)
		})
	}
	group.Wait()
	return took, failure
}

func percentiles(took []time.Duration) string {
	slices.Sort(took)
	ms := func(share float64) float64 { return took[int(share*float64(len(took)-1))].Seconds() * 1000 }
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, longest %.1f ms", ms(0.5), ms(0.99), ms(1))
}
