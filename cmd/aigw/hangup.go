package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// followHangups returns a loop that calls hangup for each SIGHUP from now on and tick at every interval, one
// after the other, until ctx ends. An interval of 0 has no ticks.
func followHangups(ctx context.Context, every time.Duration, hangup, tick func()) (loop func()) {
	signals := make(chan os.Signal, 1) // one that waits stands for all that came meanwhile
	signal.Notify(signals, syscall.SIGHUP)
	return func() {
		defer signal.Stop(signals)
		var ticks <-chan time.Time
		if every > 0 {
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			ticks = ticker.C
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				hangup()
			case <-ticks:
				tick()
			}
		}
	}
}
