package bearer

import (
	"context"
	"crypto/rsa"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// While as many signatures are checked as may, a token that is known passes at once; a new one waits, and
// goes when its request does.
func TestKnownTokensDoNotWaitForStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t)
		v := newVerifier(&ring{set: keys(1, map[string]*rsa.PrivateKey{"a": key})})
		known, next := sign(t, jose.RS256, key, "a", claimed(nil)), sign(t, jose.RS256, key, "a", claimed(fields{"jti": "next"}))
		if _, err := v.Verify(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		for range cap(v.strangers.turns) {
			if _, err := v.strangers.turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if _, err := v.Verify(t.Context(), known); err != nil || time.Since(began) != 0 {
			t.Errorf("known: %v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Verify(ctx, next); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("new: %v after %s", err, time.Since(began))
		}
		<-v.strangers.turns
		if _, err := v.Verify(t.Context(), next); err != nil {
			t.Errorf("new, when there is room: %v", err)
		}
	})
}

// A forged token is checked once, until keys or time have changed; one of an unknown key each time, and asks for
// keys each time, as far as the ring lets it.
func TestForgedTokensAreCheckedOnce(t *testing.T) {
	key, other := newKey(t), newKey(t)
	at := now
	r := &ring{set: keys(1, map[string]*rsa.PrivateKey{"a": key})}
	v := New(Options{Keys: r, Audience: audience, now: func() time.Time { return at }})
	forged, unknown := sign(t, jose.RS256, other, "a", claimed(nil)), sign(t, jose.RS256, other, "b", claimed(nil))
	for range 10_000 {
		if _, err := v.Verify(t.Context(), forged); err == nil {
			t.Fatal("it passes")
		}
	}
	// No check can be made now, so whoever is answered is remembered.
	for range cap(v.strangers.turns) {
		if _, err := v.strangers.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	checked := func(token string) bool {
		_, err := v.Verify(gone, token)
		return errors.Is(err, context.Canceled)
	}
	if checked(forged) {
		t.Error("a forged token is checked again")
	}
	if !checked(unknown) {
		t.Error("a token of an unknown key is not checked")
	}
	at = at.Add(refusedFor)
	if !checked(forged) {
		t.Error("it is refused for ever")
	}
	at = now
	r.set = keys(2, map[string]*rsa.PrivateKey{"a": other})
	<-v.strangers.turns
	if _, err := v.Verify(t.Context(), forged); err != nil {
		t.Errorf("with the key that made it: %v", err)
	}
	if v.strangers.refused.Len() > 1 {
		t.Errorf("%d are remembered", v.strangers.refused.Len())
	}
}
