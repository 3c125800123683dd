package limits_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"aigw/gateway/limits"
)

func TestRefusalsBeyondTheirPaceWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Strangers: 4})
		waits := func(n int) time.Duration {
			began := time.Now()
			for range n {
				l.Stranger(t.Context())
			}
			return time.Since(began)
		}
		if got := waits(4); got != 0 {
			t.Errorf("the burst waited %s", got)
		}
		if got := waits(4); got != time.Second {
			t.Errorf("four more took %s", got)
		}
		time.Sleep(time.Second)
		if got := waits(4); got != 0 {
			t.Errorf("after a pause they waited %s", got)
		}
	})
}

// However many wait, none does so for more than a second, and none is left of it afterwards.
func TestNoRefusalWaitsForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Strangers: 4})
		began := time.Now()
		for range 1000 {
			go l.Stranger(t.Context())
		}
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait() // no goroutine is left when the test ends, or it fails
		if got := time.Since(began); got != time.Second {
			t.Errorf("took %s", got)
		}
		time.Sleep(time.Second)
		began = time.Now()
		if l.Stranger(t.Context()); time.Since(began) != 0 {
			t.Errorf("one that came later waited %s", time.Since(began))
		}
	})
}

func TestRefusalOfWhoeverHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{Strangers: 1})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		for range 5 {
			l.Stranger(ctx)
		}
		if got := time.Since(began); got != 0 {
			t.Errorf("waited %s", got)
		}
		l.Set(limits.Options{})
		for range 5 {
			l.Stranger(t.Context())
		}
		if got := time.Since(began); got != 0 {
			t.Errorf("waited %s without a limit", got)
		}
	})
}
