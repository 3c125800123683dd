// Package upstream lets a server with OpenAI's API play a model of this process: prompts are laid out here, as for a file,
// and sent as text to /v1/completions. Of a model whose format of conversations is not known here, the server lays them
// out itself (/v1/chat/completions).
//
// Conversations of known formats go to /v1/completions, too, because an answer that has already begun is then continued
// by every server, system texts are accepted by all, and what a user writes cannot pass for a turn of somebody else.
package upstream

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"aigw/engine"
	"aigw/gateway/outbound"
	"aigw/models"
)

// Options say which model of which server.
type Options struct {
	Name string
	// Base is the URL of the API, such as https://vllm.example.com/v1.
	Base *url.URL
	// ID is what the server calls the model; empty: the only one that it has, or the one that it calls Name.
	ID       string
	Spelling *models.Spelling
	// Client reaches Base, and is made for streams.
	Client *outbound.Client
	// Key returns the server's API key, empty if it wants none. It is asked for each request.
	Key func() (string, error)
	// Silence bounds how long the server may send nothing: before the first piece of an answer, and between two.
	Silence time.Duration
	// Streams is how many requests are sent at once, Queue how many more wait for a place among these, and MaxWait how
	// long a completion does; generations wait 3 times, conversations 6 times as long.
	Streams, Queue int
	MaxWait        time.Duration
	Logger         *slog.Logger
}

// Defaults and bounds.
const (
	DefaultSilence = 60 * time.Second
	DefaultStreams = 64
	DefaultContext = 8192 // tokens, where the server does not say

	attempts   = 3                      // of one request, as long as nothing of its answer has come
	firstPause = 100 * time.Millisecond // before the second; four times that before the third, and up to half more
	failures   = 5                      // in a row open the circuit
	openFor    = 10 * time.Second       // then one request is let through
)

// Model is a model at a server. It is a serving.Generator, and may be used concurrently.
type Model struct {
	o       Options
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
	id      atomic.Pointer[string] // at the server, once it is known
	limit   atomic.Int64           // tokens of one request
	places  chan struct{}          // has a value for each request that is sent
	waiting atomic.Int64           // requests that wait for a place
	opened  atomic.Int64           // when the circuit opened last, Unix time in ns

	mu     sync.Mutex
	health error // of the last look; nil: it answered
	looked bool
	count  counts
}

// counts are what the metrics say.
type counts struct {
	ends    map[string]uint64 // requests by how they ended
	retries uint64
}

// New returns a model at a server, which is not asked yet.
func New(o Options) *Model {
	m := &Model{o: o, places: make(chan struct{}, max(1, o.Streams)), count: counts{ends: map[string]uint64{}}}
	if o.ID != "" {
		m.id.Store(&o.ID)
	}
	m.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:     openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNotItsFault) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				m.opened.Store(time.Now().UnixNano())
			}
			o.Logger.Warn("circuit of a model server", "model", o.Name, "host", m.Host(), "from", from.String(), "to", to.String())
		},
	})
	return m
}

// Host is where the model is.
func (m *Model) Host() string { return outbound.Origin(m.o.Base) }

// Name is the model's here.
func (m *Model) Name() string { return m.o.Name }

// Generate implements serving.Generator. Grammars are not known to OpenAI's API: the answer is free.
func (m *Model) Generate(ctx context.Context, req engine.Request, emit func(text string) error) (engine.Result, error) {
	if req.Class == engine.Background {
		return engine.Result{}, nil // what is computed ahead is for a cache that the server has, or has not
	}
	result, err := m.inTurn(ctx, req, emit)
	m.counted(ctx, err)
	return result, err
}

// inTurn waits for a place among the requests that are sent.
func (m *Model) inTurn(ctx context.Context, req engine.Request, emit func(text string) error) (engine.Result, error) {
	began := time.Now()
	select {
	case m.places <- struct{}{}:
	default:
		waits := m.waiting.Add(1)
		left := sync.OnceFunc(func() { m.waiting.Add(-1) })
		defer left()
		if waits > int64(m.o.Queue) {
			return engine.Result{}, &engine.BusyError{Wait: time.Second, Why: engine.QueueFull}
		}
		late := time.NewTimer(engine.Patience(req.Class, m.o.MaxWait))
		defer late.Stop()
		select {
		case m.places <- struct{}{}:
			left()
		case <-late.C:
			return engine.Result{}, &engine.BusyError{Wait: time.Since(began), Why: engine.TurnPassed}
		case <-ctx.Done():
			return engine.Result{}, context.Cause(ctx)
		}
	}
	defer func() { <-m.places }()
	waited := time.Since(began)
	result, err := m.generate(ctx, req, emit)
	result.Queue += waited
	return result, err
}

func (m *Model) generate(ctx context.Context, req engine.Request, emit func(text string) error) (engine.Result, error) {
	for attempt := 1; ; attempt++ {
		done, err := m.circuit.Allow()
		if err != nil {
			return engine.Result{}, &Error{Host: m.Host(), Cause: "it has failed several times and is not asked for a while", Retry: m.closesIn()}
		}
		x := &exchange{m: m, req: req, emit: emit, began: time.Now()}
		result, err := x.run(ctx)
		done(blame(ctx, err))
		var failed *Error
		if err == nil || !errors.As(err, &failed) || !failed.again || x.emitted || attempt == attempts || ctx.Err() != nil {
			return result, err
		}
		m.mu.Lock()
		m.count.retries++
		m.mu.Unlock()
		pause := firstPause << (2 * (attempt - 1))
		pause += time.Duration(rand.Int64N(int64(pause/2) + 1))
		m.o.Logger.Info("a model server is asked again", "model", m.o.Name, "attempt", attempt+1, "error", err)
		select {
		case <-ctx.Done():
			return engine.Result{}, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// closesIn is how long the circuit stays open.
func (m *Model) closesIn() time.Duration {
	return max(time.Second, openFor-time.Since(time.Unix(0, m.opened.Load())))
}

// counted notes how a request ended.
func (m *Model) counted(ctx context.Context, err error) {
	end := "answered"
	var busy *engine.BusyError
	switch {
	case err == nil:
	case errors.As(err, &busy):
		end = "busy"
	case ctx.Err() != nil:
		end = "cancelled"
	default:
		end = "failed"
	}
	m.mu.Lock()
	m.count.ends[end]++
	m.mu.Unlock()
}
