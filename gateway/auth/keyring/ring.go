package keyring

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Options says where keys come from. The zero value of a duration is a sensible choice.
type Options struct {
	Local     []Key // of this gateway itself; always there
	File      string
	Providers []Provider
	Client    getter // asks the providers
	// Dir keeps each provider's last good keys; empty: nowhere.
	Dir string
	// Every is how long keys are used before they are asked for again; 0: 1 h. GitLab rotates
	// them rarely, and an unknown key id asks at once.
	Every time.Duration
	// Retry is how soon a source that failed is asked again, and how often tokens with unknown keys
	// may have keys asked for once refreshBurst is used up; 0: 60 s.
	Retry time.Duration
	// MaxAge is how long keys are used while their provider does not answer; 0: 7 days.
	MaxAge time.Duration
	Logger *slog.Logger // nil: slog.Default
}

// refreshBurst is how many askings tokens may cause at once. One would do for an honest GitLab; with
// it, a stranger's token just before GitLab changes its key would keep everybody out for a minute.
const refreshBurst = 4

// Ring is all keys that are valid now. It may be used concurrently.
type Ring struct {
	options Options
	set     atomic.Pointer[Set]

	mu      sync.Mutex
	sources []*source
	tokens  *rate.Limiter // askings that tokens cause
	asking  chan struct{} // closed when the asking under way is over; nil: none is
	news    chan struct{} // closed when a source has answered
}

// source is where keys come from, and what it gave last.
type source struct {
	name     string
	load     func(context.Context) ([]Key, error)
	provider *Provider // nil for a file
	keys     []Key
	fetched  time.Time
	err      error // of the last attempt
}

// Set is a snapshot of the ring.
type Set struct {
	Keys []Key
	// Version differs between any two sets with different keys.
	Version uint64
	trouble []string
}

// ByID returns the keys with an id.
func (s *Set) ByID(id string) []Key {
	var found []Key
	for _, k := range s.Keys {
		if k.ID == id && id != "" {
			found = append(found, k)
		}
	}
	return found
}

// Describe lists the keys by id and source, and what is wrong with sources.
func (s *Set) Describe() string {
	var parts []string
	for _, k := range s.Keys {
		parts = append(parts, fmt.Sprintf("%q of %s", k.ID, k.From))
	}
	text := "no key is known"
	if len(parts) > 0 {
		text = "known keys: " + strings.Join(parts, ", ")
	}
	if len(s.trouble) > 0 {
		text += "; " + strings.Join(s.trouble, "; ")
	}
	return text
}

// New returns a ring with the keys that are at hand without asking anybody: local ones, and those
// on disk. A file that is named must be good.
func New(o Options) (*Ring, error) {
	if o.Every == 0 {
		o.Every = time.Hour
	}
	if o.Retry == 0 {
		o.Retry = time.Minute
	}
	if o.MaxAge == 0 {
		o.MaxAge = 7 * 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	r := &Ring{options: o, tokens: rate.NewLimiter(rate.Every(o.Retry), refreshBurst), news: make(chan struct{})}
	if o.File != "" {
		keys, err := ReadFile(o.File)
		if err != nil {
			return nil, fmt.Errorf("JWKS file: %w", err)
		}
		r.sources = append(r.sources, &source{
			name: o.File, keys: keys, fetched: time.Now(),
			load: func(context.Context) ([]Key, error) { return ReadFile(o.File) },
		})
	}
	for _, p := range o.Providers {
		s := &source{name: p.URL.String(), provider: &p, load: func(ctx context.Context) ([]Key, error) { return p.load(ctx, o.Client) }}
		if o.Dir != "" {
			var err error
			if s.keys, s.fetched, err = restore(o.Dir, p); err != nil {
				o.Logger.Warn("the saved keys cannot be used; they are asked for again", "provider", p.Label, "error", err)
			}
		}
		r.sources = append(r.sources, s)
	}
	r.publish(time.Now())
	return r, nil
}

// Keys returns what is known now.
func (r *Ring) Keys() *Set { return r.set.Load() }

// Run asks for keys at once and then again and again, until ctx ends.
func (r *Ring) Run(ctx context.Context) {
	for {
		r.ask(ctx)
		wait := r.options.Every
		if r.failing() {
			wait = r.options.Retry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (r *Ring) failing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sources {
		if s.err != nil {
			return true
		}
	}
	return false
}

// Refresh asks for keys because a token names one that is unknown, unless that was done often lately.
// It waits until that key is known, everybody has answered, or ctx ends, and returns whether keys
// were asked for. An asking that was under way already may have read them before this one was
// published; then one of its own follows.
func (r *Ring) Refresh(ctx context.Context, id string) bool {
	for asked := false; ; asked = true {
		r.mu.Lock()
		joined := r.asking != nil
		if !joined && !r.tokens.Allow() {
			r.mu.Unlock()
			return asked
		}
		done := r.begin()
		r.mu.Unlock()
		switch known, err := r.await(ctx, id, done); {
		case err != nil:
			return false
		case known || !joined || asked: // the second one began after the token came
			return true
		}
	}
}

// await waits until a key is known or the asking is done. It returns whether the key is known; the
// error is that of ctx.
func (r *Ring) await(ctx context.Context, id string, done <-chan struct{}) (bool, error) {
	for {
		r.mu.Lock()
		news := r.news
		r.mu.Unlock()
		if len(r.Keys().ByID(id)) > 0 {
			return true, nil
		}
		select {
		case <-news:
		case <-done:
			return len(r.Keys().ByID(id)) > 0, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// Reload asks for keys now, because an operator wants it, and does not wait.
func (r *Ring) Reload() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sources) > 0 {
		r.begin()
	}
}

// ask asks for keys and waits for the end.
func (r *Ring) ask(ctx context.Context) {
	r.mu.Lock()
	done := r.begin()
	r.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// askLimit bounds one asking: discovery at two places and the keys, each within the client's limit.
const askLimit = 40 * time.Second

// begin starts an asking or joins the one under way, and returns what is closed at its end. r.mu
// is held.
func (r *Ring) begin() <-chan struct{} {
	if r.asking != nil {
		return r.asking
	}
	done := make(chan struct{})
	r.asking = done
	go func() {
		// Whoever asked may go; others may wait for the same.
		ctx, cancel := context.WithTimeout(context.Background(), askLimit)
		defer cancel()
		r.askAll(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asking = nil
		close(done)
	}()
	return done
}

// askAll asks all sources at once; what one answers counts at once.
func (r *Ring) askAll(ctx context.Context) {
	var group sync.WaitGroup
	for _, s := range r.sources {
		group.Go(func() {
			keys, err := s.load(ctx)
			r.answered(s, keys, err)
		})
	}
	group.Wait()
	r.options.Logger.Info("JWKS refreshed", "keys", r.Keys().Describe())
}

// answered takes a source's keys. They replace its last ones: a key that is gone was withdrawn.
// Those of a source that fails stay.
func (r *Ring) answered(s *source, keys []Key, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if s.err = err; err != nil {
		r.options.Logger.Error("keys of tokens cannot be fetched", "source", s.name, "error", err, "known_keys", len(s.keys))
	} else {
		s.keys, s.fetched = keys, now
		if s.provider != nil && r.options.Dir != "" {
			if err := save(r.options.Dir, *s.provider, keys, now); err != nil {
				r.options.Logger.Warn("the keys are not kept for a restart; make the folder writable or choose another with AIGW_STATE_DIR", "error", err)
			}
		}
	}
	r.publish(now)
	close(r.news)
	r.news = make(chan struct{})
}

// publish makes the sources' keys the current set. r.mu is held, or nobody else knows r yet.
func (r *Ring) publish(now time.Time) {
	next := &Set{Keys: append([]Key(nil), r.options.Local...)}
	for _, s := range r.sources {
		switch old := now.Sub(s.fetched); {
		case len(s.keys) > 0 && s.provider != nil && old > r.options.MaxAge:
			next.trouble = append(next.trouble, fmt.Sprintf("the keys of %s are %d days old, %d are the limit", s.name, int(old.Hours()/24), int(r.options.MaxAge.Hours()/24)))
		default:
			next.Keys = append(next.Keys, s.keys...)
		}
		if s.err != nil {
			next.trouble = append(next.trouble, fmt.Sprintf("%s: %v", s.name, s.err))
		} else if len(s.keys) == 0 {
			next.trouble = append(next.trouble, s.name+" was not asked yet")
		}
	}
	if last := r.set.Load(); last != nil {
		next.Version = last.Version
		if !sameKeys(last.Keys, next.Keys) {
			next.Version++
		}
	}
	r.set.Store(next)
}

func sameKeys(a, b []Key) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID || !a[i].Public.Equal(b[i].Public) {
			return false
		}
	}
	return true
}
