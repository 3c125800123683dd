// Package limits bounds what one person and one GitLab may ask for: how much at once, and how much a
// minute. Who asks is what a verified token says, not what a stranger writes into headers.
package limits

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Limit bounds one account. Its zero value bounds nothing.
type Limit struct {
	Running   int // requests at once; 0: any number
	PerMinute int // requests a minute, that many in a burst; 0: any number
}

// Options are the limits. Its zero value bounds nothing.
type Options struct {
	User     Limit
	Instance Limit
	// Strangers is how many requests a second are refused at once for want of a good token, that many in a
	// burst; more wait (see Stranger). 0: any number.
	Strangers int
}

// accountsKept bounds the accounts that are known; the one that was idle longest is forgotten.
const accountsKept = 1 << 14

// Limiter keeps the accounts. It may be used concurrently.
type Limiter struct {
	options  atomic.Pointer[Options]
	mu       sync.Mutex
	accounts *lru.Cache[key, *account]
	// strangers is the pace of refusals; nil until the first.
	strangers *rate.Limiter
}

type key struct {
	kind, name string
}

type account struct {
	running int
	rate    *rate.Limiter
	limit   int // per minute, of rate
}

// New returns a limiter.
func New(o Options) *Limiter {
	cache, err := lru.New[key, *account](accountsKept)
	if err != nil {
		panic(err) // only a size below one
	}
	l := &Limiter{accounts: cache}
	l.options.Store(&o)
	return l
}

// Set changes the limits. What runs is not ended.
func (l *Limiter) Set(o Options) { l.options.Store(&o) }

// Refusal is why a request has to wait.
type Refusal struct {
	Reason string // "user_running", "user_rate", "instance_running", "instance_rate", "key_running" or "key_rate"
	Wait   time.Duration
	text   string
}

func (r *Refusal) Error() string { return r.text }

// Begin notes that a person of an instance asks for something, or returns *Refusal. Empty names are
// not counted. end has to be called when the request is over.
func (l *Limiter) Begin(instance, user string) (end func(), err error) {
	o := l.options.Load()
	if o.User == (Limit{}) && o.Instance == (Limit{}) {
		return func() {}, nil
	}
	// What one person has too much takes nothing from the others.
	return l.begin(who{"user", userName(instance, user), o.User}, who{"instance", instance, o.Instance})
}

// BeginOne is Begin for an account of another kind, with a limit of its own.
func (l *Limiter) BeginOne(kind, name string, limit Limit) (end func(), err error) {
	return l.begin(who{kind, name, limit})
}

// who asks, and how much he may.
type who struct {
	kind, name string
	limit      Limit
}

func (l *Limiter) begin(all ...who) (end func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken []*account
	for _, who := range all {
		if who.name == "" || who.limit == (Limit{}) {
			continue
		}
		a := l.account(key{who.kind, who.name})
		if refusal := a.begin(who.kind, who.limit); refusal != nil {
			for _, t := range taken {
				t.running--
			}
			return nil, refusal
		}
		taken = append(taken, a)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, a := range taken {
			a.running--
		}
	}, nil
}

// userName tells people of different instances apart.
func userName(instance, user string) string {
	if user == "" {
		return ""
	}
	return instance + "\x00" + user
}

func (l *Limiter) account(k key) *account {
	a, ok := l.accounts.Get(k)
	if !ok {
		a = &account{}
		l.accounts.Add(k, a)
	}
	return a
}

func (a *account) begin(kind string, limit Limit) *Refusal {
	if limit.Running > 0 && a.running >= limit.Running {
		return &Refusal{kind + "_running", time.Second, fmt.Sprintf("Too many requests at once: at most %d of one %s", limit.Running, kind)}
	}
	if limit.PerMinute > 0 {
		if a.rate == nil || a.limit != limit.PerMinute {
			a.rate, a.limit = rate.NewLimiter(rate.Every(time.Minute/time.Duration(limit.PerMinute)), limit.PerMinute), limit.PerMinute
		}
		if r := a.rate.Reserve(); r.Delay() > 0 {
			wait := r.Delay()
			r.Cancel()
			return &Refusal{kind + "_rate", wait, fmt.Sprintf("Too many requests: at most %d a minute of one %s", limit.PerMinute, kind)}
		}
	}
	a.running++
	return nil
}
