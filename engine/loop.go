package engine

import (
	"errors"
	"fmt"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
)

// loop runs step after step until the engine closes. It is the only one to use the context.
func (e *Engine) loop() {
	var step llama.Step
	var flying []*generation
	crew := newCrew(e.set.context.Threads)
	threads := crew.decoding.max
	e.threads.Store(int32(threads))
	for {
		e.guessAhead()
		plan, ok := e.next(&step, &flying)
		if !ok {
			return
		}
		if moves(plan) {
			cells, took, err := e.move(plan)
			if err != nil {
				e.confused(err)
				continue
			}
			e.mu.Lock()
			e.sched.Moved(cells, took)
			e.mu.Unlock()
		}
		tokens, rows := len(step.Tokens), len(step.Rows)
		if n := crew.threads(tokens, rows); n != threads {
			if err := e.ctx.SetThreads(n); err != nil {
				e.log.Error("changing the number of threads", "error", err)
			}
			threads = n
			e.threads.Store(int32(n))
		}
		began := time.Now()
		err := e.ctx.Step(&step)
		if err == nil && plan.Drafted == 0 {
			crew.observe(tokens, rows, time.Since(began))
		}
		e.settle(plan, &step, flying, err, began)
	}
}

// next waits for work and puts it into step. It returns false when the engine is to close.
func (e *Engine) next(step *llama.Step, flying *[]*generation) (*sched.Plan, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.closing {
			return nil, false
		}
		if e.tainted && e.sched.Running() == 0 {
			e.cleanse()
		}
		now := time.Now()
		plan, admission, ok := e.sched.Step(now)
		e.totals.Preempted += uint64(len(admission.Preempted))
		for _, id := range admission.Expired {
			g := e.gens[id]
			e.totals.Expired++
			e.abandon(g, &BusyError{Wait: e.sched.Wait(g.req.Class), Why: TurnPassed})
		}
		for _, s := range admission.Started {
			g := e.gens[s.ID]
			if !g.started.IsZero() { // it had made room and goes on
				continue
			}
			g.started, g.cached = now, s.Cached
			if e.journal != nil && !g.noted {
				e.journal.Begin(g.hash)
				g.noted = true
			}
			e.totals.CachedTokens += uint64(s.Cached)
		}
		if ok {
			e.fill(step, plan, flying)
			return plan, true
		}
		e.mu.Unlock()
		<-e.wakeup
		e.mu.Lock()
	}
}

// fill translates plan into a step and marks who flies with it.
func (e *Engine) fill(step *llama.Step, plan *sched.Plan, flying *[]*generation) {
	step.Ops, step.Rows, *flying = step.Ops[:0], step.Rows[:0], (*flying)[:0]
	if !moves(plan) {
		for _, op := range plan.Ops {
			step.Ops = append(step.Ops, cacheOp(op))
		}
	}
	step.Tokens, step.Pos, step.Seqs, step.Outputs = plan.Tokens, plan.Pos, plan.Seqs, plan.Outputs
	for _, row := range plan.Rows {
		step.Rows = append(step.Rows, llama.Row{Batch: int32(row.Index), Sampler: e.gens[row.ID].sampler, Draft: row.Draft})
	}
	for _, id := range plan.Work {
		g := e.gens[id]
		g.inFlight = true
		*flying = append(*flying, g)
	}
	e.alive, e.began = len(*flying), time.Now()
	e.ctx.Abort(false)
}

// settle tells the scheduler and the generations what became of a step.
func (e *Engine) settle(plan *sched.Plan, step *llama.Step, flying []*generation, err error, began time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.totals.Steps++
	e.totals.Busy += now.Sub(began)
	switch {
	case len(plan.Tokens) == 0: // it only moved cells
	case len(plan.Tokens) == len(plan.Rows):
		e.totals.DecodeSteps.observe(now.Sub(began))
	default:
		e.totals.PromptSteps.observe(now.Sub(began))
	}
	for _, g := range flying {
		g.inFlight = false
	}
	switch {
	case err == nil:
		e.totals.PromptTokens += uint64(len(plan.Tokens) - len(plan.Rows))
		e.totals.DraftTokens += uint64(plan.Drafted)
		e.advance(plan, step, now, now.Sub(began))
	case errors.Is(err, llama.ErrAborted):
		e.totals.Aborted++
		e.sched.Failed()
	case errors.Is(err, llama.ErrNoSlot):
		e.log.Warn("the KV cache had no room for a step that was planned; giving up what costs least", "tokens", len(plan.Tokens))
		if !e.sched.NoRoom() {
			e.fail(flying, fmt.Errorf("no room in the KV cache: %w", err))
		}
	default:
		e.log.Error("a step failed", "tokens", len(plan.Tokens), "requests", len(flying), "error", err)
		e.sched.Failed()
		e.fail(flying, err)
	}
	for _, g := range flying {
		if g.over {
			g.release(e)
		}
	}
}

func (e *Engine) fail(gens []*generation, err error) {
	for _, g := range gens {
		e.abandon(g, fmt.Errorf("the model could not compute this: %w", err))
	}
}

// errNotANumber ends a generation whose logits are of no use.
var errNotANumber = errors.New("the model's output is not a number; the weights or the KV cache are damaged")

// advance gives each row's generation its token. Rows behind a wrong guess have none.
func (e *Engine) advance(plan *sched.Plan, step *llama.Step, now time.Time, took time.Duration) {
	for i, row := range plan.Rows {
		if g := e.gens[row.ID]; g != nil && step.States[i] == llama.RowBad {
			e.log.Error("NaN or infinity in the logits", "prompt_tokens", len(g.req.Prompt), "output_tokens", g.count)
			e.sched.Distrust(row.ID)
			e.abandon(g, errNotANumber)
			e.tainted = true
		}
	}
	e.sched.Computed(step.Sampled, took)
	for i, row := range plan.Rows {
		g := e.gens[row.ID]
		switch {
		case g == nil:
		case step.States[i] == llama.RowComplete:
			g.show(g.text.Flush(), true)
			e.finish(g, FinishStop, now)
		case step.States[i] == llama.RowStuck:
			e.abandon(g, ErrNoContinuation)
		case step.Sampled[i] >= 0:
			if row.Draft {
				e.totals.AcceptedTokens++
			}
			e.give(g, step.Sampled[i], now)
		}
	}
}

// give appends a token to g and ends g if it was the last.
func (e *Engine) give(g *generation, t llama.Token, now time.Time) {
	if g.first.IsZero() {
		g.first = now
	} else if now.Sub(g.last) >= stallAfter {
		e.totals.Stalls++
	}
	g.last = now
	if g.req.trace != nil {
		g.req.trace(t)
	}
	for _, stop := range g.req.Stops.Tokens {
		if t == stop {
			g.ended = t
			g.show(g.text.Flush(), true)
			e.finish(g, FinishStop, now)
			return
		}
	}
	g.count++
	e.totals.OutputTokens++
	if g.req.Tokens != nil {
		g.drawn.add(g.sampler, e.vocab)
	}
	text, stopped := g.text.Push(e.vocab.Piece(t))
	g.show(text, stopped)
	switch {
	case stopped:
		e.finish(g, FinishStop, now)
	case g.count == g.req.MaxTokens:
		g.show(g.text.Flush(), true)
		e.finish(g, FinishLength, now)
	}
}

// show hands text out, with the tokens whose text is out. last says that no more follows.
func (g *generation) show(text string, last bool) {
	var tokens []Drawn
	if g.req.Tokens != nil {
		tokens = g.drawn.take(g.text.shown, last)
	}
	if text != "" || len(tokens) > 0 {
		g.out.put(text, tokens)
	}
}

// cleanse clears the cache's data after NaN was seen in it: a masked cell that holds infinity
// still spoils its neighbours when flash attention is off (0 times infinity).
func (e *Engine) cleanse() {
	e.sched.Forget()
	e.lot.clear()
	if err := e.ctx.ClearAll(); err != nil {
		e.log.Error("clearing the KV cache", "error", err)
	}
	e.tainted = false
}
