package bearer

import (
	"context"
	"crypto/sha256"
	"runtime"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// What tokens of strangers cost is bounded, so that a flood of them slows nobody much whose token is known:
// that one is a look-up, which waits for nothing here.
//
// Signatures are checked by a part of the processors only; the others wait for their turn, and go with
// their request. And a token that a known key has not signed is remembered, so that repeating it costs no
// second check. One with an unknown key is not: GitLab may have changed its keys a moment ago.

const (
	// refusedKept bounds how many refused tokens are remembered, about 200 bytes each with their reason.
	refusedKept = 4096
	// refusedFor is how long. Whatever made a token bad may be mended: a clock, the keys.
	refusedFor = 10 * time.Second
)

// checkers is how many signatures are checked at once.
func checkers() int { return max(1, runtime.GOMAXPROCS(0)/4) }

// strangers is safe for concurrent use.
type strangers struct {
	turns   chan struct{}
	refused *lru.Cache[[sha256.Size]byte, refused]
}

type refused struct {
	reason  error
	version uint64 // of the set of keys
	until   time.Time
}

func newStrangers() *strangers {
	cache, err := lru.New[[sha256.Size]byte, refused](refusedKept)
	if err != nil {
		panic(err) // only a size below one
	}
	return &strangers{turns: make(chan struct{}, checkers()), refused: cache}
}

// turn waits until a signature may be checked. done must be called then.
func (s *strangers) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// known returns why a token was refused lately, with the same keys.
func (s *strangers) known(id [sha256.Size]byte, version uint64, now time.Time) error {
	if r, ok := s.refused.Get(id); ok && r.version == version && now.Before(r.until) {
		return r.reason
	}
	return nil
}

func (s *strangers) remember(id [sha256.Size]byte, version uint64, now time.Time, reason error) {
	s.refused.Add(id, refused{reason, version, now.Add(refusedFor)})
}
