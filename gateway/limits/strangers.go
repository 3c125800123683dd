package limits

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

const (
	// DefaultStrangers is how many refusals a second are answered at once unless an operator says otherwise.
	DefaultStrangers = 500
	// strangerWait is the longest that a refusal waits. GitLab's clients have read limits of seconds.
	strangerWait = time.Second
)

// Stranger holds up a refusal where there are more of them than Options.Strangers a second. It is called
// when a token was found bad, never before: nobody whose token is good waits. Whoever floods the gateway
// with tokens waits on each of his connections, so that their number bounds what he can take from others.
func (l *Limiter) Stranger(ctx context.Context) {
	wait := l.stranger(time.Now())
	if wait == 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stranger returns how long a refusal has to wait.
func (l *Limiter) stranger(now time.Time) time.Duration {
	most := l.options.Load().Strangers
	if most <= 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.strangers == nil || l.strangers.Burst() != most {
		l.strangers = rate.NewLimiter(rate.Limit(most), most)
	}
	turn := l.strangers.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait > strangerWait {
		turn.CancelAt(now) // answered out of turn; the queue does not grow
		return strangerWait
	}
	return wait
}
