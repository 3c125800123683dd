package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/models"
)

// generation is a request on its way through the engine. Fields without a word about it are
// guarded by Engine.mu.
type generation struct {
	id      sched.ID
	req     Request
	sampler *llama.Sampler
	text    TextStream
	out     *outbox // has a lock of its own

	inFlight bool // its tokens are in the step under way
	over     bool // it has its result; the sampler goes when no step uses it
	noted    bool // in the journal
	hash     Fingerprint

	submitted, started, first, last time.Time
	cached, count                   int
	ended                           models.Token // the stop token; -1 before there is one
	drawn                           drawn        // only where the request asks for tokens
}

// Generate runs a request and hands its text to emit as it is decoded, whole characters at a
// time. It returns when the generation is over: normally with a Result, with *BusyError or
// *models.TooLongError or ErrPoisonous when it was refused, with ctx's or emit's error when nobody wants the
// rest, with ErrNoContinuation when its grammar leads nowhere, and with ErrClosed when the engine shuts down. emit is called on the caller's goroutine
// and never holds up the model; it may return ErrEnough.
func (e *Engine) Generate(ctx context.Context, req Request, emit func(text string) error) (Result, error) {
	if err := e.check(req); err != nil {
		return Result{}, err
	}
	var hash Fingerprint
	if e.journal != nil {
		if hash = fingerprint(req); e.journal.Refuses(hash) {
			return Result{}, ErrPoisonous
		}
	}
	sampler, err := e.sampler(req)
	if err != nil {
		return Result{}, err
	}
	g := &generation{req: req, sampler: sampler, text: TextStream{stops: req.Stops.Texts}, out: newOutbox(), hash: hash, ended: -1}
	if err := e.submit(ctx, g); err != nil {
		g.release(e)
		return Result{}, err
	}
	stop := context.AfterFunc(ctx, func() { e.cancel(g, context.Cause(ctx)) })
	defer stop()
	for {
		text, tokens, over := g.out.take()
		if len(tokens) > 0 {
			req.Tokens(tokens)
		}
		if text != "" {
			if err := emit(text); err != nil {
				e.cancel(g, err)
				if errors.Is(err, ErrEnough) {
					return g.out.result, g.out.err
				}
				return Result{}, err
			}
		}
		if over {
			return g.out.result, g.out.err
		}
	}
}

// check refuses what the model could not compute or llama.cpp would die of.
func (e *Engine) check(req Request) error {
	switch {
	case len(req.Prompt) == 0:
		return wrongf("the prompt is empty; a model needs at least one token to go on from")
	case req.MaxTokens < 1:
		return wrongf("%d tokens wanted; ask for at least 1", req.MaxTokens)
	case slices.Contains(req.Stops.Texts, ""):
		return wrongf("a stop text is empty")
	}
	if want := len(req.Prompt) + req.MaxTokens; want > e.set.limit {
		return &models.TooLongError{Tokens: want, Limit: e.set.limit}
	}
	size := models.Token(e.vocab.Size())
	for i, t := range req.Prompt {
		if t < 0 || t >= size {
			return wrongf("token %d at %d is not in the vocabulary of %d", t, i, size)
		}
	}
	return nil
}

// newSampler makes the sampler of one generation.
func (v *Vocabulary) newSampler(req Request) (*llama.Sampler, error) {
	s := req.Sampling
	o := llama.SamplerOptions{
		Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP,
		RepeatPenalty: s.RepeatPenalty, RepeatLastN: or(s.RepeatLastN, 64),
		FrequencyPenalty: s.FrequencyPenalty, PresencePenalty: s.PresencePenalty, Counted: req.MaxTokens, Bias: req.Bias,
		Grammar: req.Grammar, Choice: req.Choice, Ends: req.Stops.Tokens,
	}
	if req.Tokens != nil {
		o.Logprobs = 1 + min(max(req.Best, 0), MaxBest)
	}
	if s.Seed != nil {
		o.Seed = *s.Seed
	} else {
		o.Seed = rand.Uint32()
	}
	return llama.NewSampler(v.v, o)
}

// Patience is how long a request of a class waits for its turn where Options.MaxWait is maxWait: what comes later is of no use
// to somebody who types, and of some to somebody who reads. A class that does not exist does not wait.
func Patience(class Class, maxWait time.Duration) time.Duration {
	if class < 0 || class >= sched.Classes {
		return 0
	}
	return maxWait * time.Duration(patience[class])
}

var patience = [sched.Classes]int{sched.Completion: 1, sched.Generation: 3, sched.Chat: 6, sched.Background: 60}

// deadline is when a request is given up if its turn has not come.
func (e *Engine) deadline(ctx context.Context, class Class, now time.Time) time.Time {
	if class < 0 || class >= sched.Classes {
		return time.Time{} // the scheduler refuses it
	}
	at := now.Add(Patience(class, e.set.maxWait))
	if end, ok := ctx.Deadline(); ok && end.Before(at) {
		return end
	}
	return at
}

func (e *Engine) submit(ctx context.Context, g *generation) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return ErrClosed
	}
	e.nextID++
	g.id, g.submitted = e.nextID, time.Now()
	r := sched.Request{
		ID: g.id, Tokens: g.req.Prompt, MaxTokens: g.req.MaxTokens, Class: g.req.Class, Keep: g.req.Keep,
		Deadline: e.deadline(ctx, g.req.Class, g.submitted),
	}
	e.set.sharing.scope(&r, g.req.Owner)
	err := e.sched.Submit(r, g.submitted)
	if full := (*sched.FullError)(nil); errors.As(err, &full) {
		e.totals.Refused++
		why := QueueFull
		if full.Late {
			why = TooLate
		}
		return &BusyError{Wait: full.Wait, Why: why}
	}
	if err != nil {
		return err
	}
	e.gens[g.id] = g
	if e.sched.Interrupt(e.began, g.submitted) {
		e.ctx.Abort(true)
	}
	e.wake()
	return nil
}

// cancel ends g because nobody wants it any more. The step under way is cut short if nobody
// wants anything of it.
func (e *Engine) cancel(g *generation, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.abandon(g, err)
}

// abandon gives g an error for a result, takes it out of the scheduler, and lets go of it. With
// ErrEnough the result is what there is.
func (e *Engine) abandon(g *generation, err error) {
	if g.over {
		return
	}
	e.sched.Cancel(g.id)
	if errors.Is(err, ErrEnough) {
		e.end(g, g.result(FinishStop), nil)
	} else {
		e.end(g, Result{}, err)
	}
	if g.inFlight {
		if e.alive--; e.alive == 0 {
			e.ctx.Abort(true)
		}
	}
	e.wake()
}

// finish ends g with all that it wanted.
func (e *Engine) finish(g *generation, why Finish, now time.Time) {
	e.sched.Finish(g.id, now)
	e.end(g, g.result(why), nil)
}

func (g *generation) result(why Finish) Result {
	return Result{
		Finish: why, StopText: g.text.found, StopToken: g.ended, PromptTokens: len(g.req.Prompt), CachedTokens: g.cached, OutputTokens: g.count,
		Queue: g.started.Sub(g.submitted), Prefill: g.first.Sub(g.started), Decode: g.last.Sub(g.first),
	}
}

func (e *Engine) end(g *generation, r Result, err error) {
	g.over = true
	e.totals.Requests++
	delete(e.gens, g.id)
	if g.noted {
		e.journal.End(g.hash)
	}
	g.out.close(r, err)
	if !g.inFlight {
		g.release(e)
	}
}

// release frees the sampler. No step may be using it.
func (g *generation) release(e *Engine) {
	if g.sampler == nil {
		return
	}
	if err := g.sampler.Close(); err != nil {
		e.log.Error("closing a sampler", "error", err)
	}
	g.sampler = nil
}

// outbox carries text from the loop, which never waits, to the one goroutine that wants it.
// What it holds is bounded by the request's MaxTokens.
type outbox struct {
	mu     sync.Mutex
	ready  chan struct{} // has a value when there is something to take
	text   []byte
	tokens []Drawn
	over   bool
	result Result // valid once over
	err    error
}

func newOutbox() *outbox { return &outbox{ready: make(chan struct{}, 1)} }

func (o *outbox) put(text string, tokens []Drawn) {
	o.mu.Lock()
	o.text = append(o.text, text...)
	o.tokens = append(o.tokens, tokens...)
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) close(r Result, err error) {
	o.mu.Lock()
	o.over, o.result, o.err = true, r, err
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take waits for text or for the end, and returns all text and tokens since the last call.
func (o *outbox) take() (text string, tokens []Drawn, over bool) {
	<-o.ready
	o.mu.Lock()
	defer o.mu.Unlock()
	text, o.text = string(o.text), o.text[:0]
	tokens, o.tokens = o.tokens, nil
	return text, tokens, o.over
}
