package limits_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aigw/gateway/limits"
)

func reason(err error) string {
	var r *limits.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

func TestRunning(t *testing.T) {
	l := limits.New(limits.Options{User: limits.Limit{Running: 2}, Instance: limits.Limit{Running: 3}})
	var ends []func()
	for _, step := range []struct{ instance, user, refused string }{
		{"a", "1", ""}, {"a", "1", ""}, {"a", "1", "user_running"}, {"a", "1", "user_running"},
		{"a", "2", ""}, {"a", "3", "instance_running"},
		{"b", "1", ""}, // another's user of the same name
		{"a", "", "instance_running"},
		{"", "", ""},
	} {
		end, err := l.Begin(step.instance, step.user)
		if got := reason(err); got != step.refused {
			t.Errorf("%+v: refused with %q", step, got)
		}
		if err == nil {
			ends = append(ends, end)
		}
	}
	for _, end := range ends {
		end()
	}
	// All places are free again, those of refused requests too.
	for range 2 {
		if _, err := l.Begin("a", "1"); err != nil {
			t.Error(err)
		}
	}
	l.Set(limits.Options{})
	if _, err := l.Begin("a", "1"); err != nil {
		t.Errorf("without limits: %v", err)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{User: limits.Limit{PerMinute: 60}})
		ask := func() error {
			end, err := l.Begin("a", "1")
			if err == nil {
				end()
			}
			return err
		}
		for range 60 {
			if err := ask(); err != nil {
				t.Fatal(err)
			}
		}
		var refusal *limits.Refusal
		if err := ask(); !errors.As(err, &refusal) || refusal.Reason != "user_rate" || refusal.Wait <= 0 || refusal.Wait > time.Second {
			t.Fatalf("%+v", err)
		}
		time.Sleep(refusal.Wait)
		if err := ask(); err != nil {
			t.Errorf("after the wait that was named: %v", err)
		}
	})
}

func TestManyAccountsAtOnce(t *testing.T) {
	l := limits.New(limits.Options{User: limits.Limit{Running: 1, PerMinute: 1000}, Instance: limits.Limit{Running: 1 << 20}})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 4000 {
				end, err := l.Begin("a", fmt.Sprint(i, n))
				if err != nil {
					t.Error(err)
					return
				}
				end()
			}
		})
	}
	group.Wait()
}
