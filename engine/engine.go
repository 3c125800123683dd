package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/models"
)

// Engine is a loaded model with one context. Its methods may be used concurrently.
//
// One goroutine, locked to its thread, owns the context and runs step after step (loop.go).
// Everybody else meets it in the scheduler, under mu, which is never held while the model computes.
type Engine struct {
	log   *slog.Logger
	model *llama.Model
	vocab *Vocabulary
	// sampler makes the sampler of one generation.
	sampler func(Request) (*llama.Sampler, error)
	set     settings
	journal Journal // may be nil
	plan    Plan
	keep    *warm         // nil: prefixes end with the process
	done    chan struct{} // closed when the loop has ended
	wakeup  chan struct{} // has a value when the loop should look again
	threads atomic.Int32  // that compute the step under way

	mu     sync.Mutex
	ctx    stepper
	sched  *sched.Scheduler
	gens   map[sched.ID]*generation
	nextID sched.ID
	lot    lot // what is parked; the loop's

	drafter    *drafter     // the loop's; nil: no draft model
	draftModel *llama.Model // may be nil
	wishes     []sched.Wish // the loop's

	alive   int       // generations in the step under way that somebody still wants
	began   time.Time // when that step was planned
	tainted bool      // NaN was seen; the cache's data is cleared when nobody runs
	closing bool
	totals  Totals
}

// stepper is what the loop needs of a llama.Context. Methods other than Abort are called by the
// loop only.
type stepper interface {
	Step(*llama.Step) error
	SetThreads(n int) error
	Abort(on bool)
	ClearAll() error
	Close() error
}

var _ stepper = (*llama.Context)(nil)

// Load reads the weights and returns when the model has decoded a token. Cancelling ctx
// ends the loading.
func Load(ctx context.Context, o Options) (*Engine, error) {
	model, log, err := o.read(ctx)
	if err != nil {
		return nil, err
	}
	set, err := o.settle(model)
	if err != nil {
		_ = model.Close()
		return nil, err
	}
	if set.noReuse != "" {
		log.Info("this model computes every prompt whole", "because", set.noReuse)
	}
	draft, err := o.readDraft(model)
	if err != nil {
		return nil, errors.Join(err, model.Close())
	}
	e := newEngine(set, log)
	e.draftModel = draft
	e.model, e.vocab = model, newVocabulary(model)
	e.sampler, e.journal, e.keep = e.vocab.newSampler, o.Journal, o.warm(model)
	open := func() (stepper, error) {
		if o.Turn != nil { // a neighbour that computes would be measured, too
			o.Turn.Lock()
		}
		c, err := o.calibrateOnce(ctx, model, set.context, log)
		if o.Turn != nil {
			o.Turn.Unlock()
		}
		if err != nil {
			return nil, err
		}
		if c != nil {
			if set.context, err = c.Chosen.apply(set.context); err != nil {
				return nil, err
			}
			e.set.context, e.plan.Calibration = set.context, c
		}
		opened, err := e.open(model)
		if err == nil {
			if err = e.openDraft(o, draft); err != nil {
				return nil, errors.Join(err, opened.Close())
			}
		}
		e.park(o.parkBytes())
		if err != nil || o.Turn == nil {
			return opened, err
		}
		return turns{opened, o.Turn}, nil
	}
	if err := e.start(open); err != nil {
		_ = model.Close()
		if draft != nil {
			_ = draft.Close()
		}
		return nil, fmt.Errorf("prepare %s: %w", o.Model, err)
	}
	return e, nil
}

// read reads the weights, and says who is told about them from then on.
func (o Options) read(ctx context.Context) (*llama.Model, *slog.Logger, error) {
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	if err := llama.Init(llama.InitOptions{Logger: log, BackendDir: o.BackendDir}); err != nil {
		return nil, nil, err
	}
	mo := o.modelOptions()
	mo.Progress = func(done float32) bool {
		if o.Progress != nil {
			o.Progress(done)
		}
		return ctx.Err() == nil
	}
	model, err := llama.LoadModel(o.Model, mo)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return model, log, err
}

// open makes the context of the loop and shows that it works.
func (e *Engine) open(model *llama.Model) (stepper, error) {
	c, err := model.NewContext(e.set.context)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(warmUp(c, e.vocab), e.describe(c)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	e.restoreWarm(c)
	return c, nil
}

func newEngine(set settings, log *slog.Logger) *Engine {
	return &Engine{
		log: log, set: set, sched: sched.New(set.sched),
		gens: map[sched.ID]*generation{},
		done: make(chan struct{}), wakeup: make(chan struct{}, 1),
	}
}

// start opens the context and runs the loop, which is the only one to use it.
func (e *Engine) start(open func() (stepper, error)) error {
	ready := make(chan error)
	go func() {
		defer close(e.done)
		c, err := open()
		e.ctx = c
		ready <- err
		if err != nil {
			return
		}
		e.loop()
		e.mu.Lock()
		e.saveWarm()
		e.lot.clear()
		e.mu.Unlock()
		if err := errors.Join(e.drafter.close(), c.Close()); err != nil {
			e.log.Error("closing the model's context", "error", err)
		}
	}()
	return <-ready
}

// warmUp decodes one token, so that ready means ready: the first decode allocates buffers and
// touches every weight.
func warmUp(c *llama.Context, v *Vocabulary) error {
	token, ok := v.BOS()
	if !ok {
		token = 0
	}
	err := c.Step(&llama.Step{
		Tokens: []llama.Token{token}, Pos: []llama.Pos{0}, Seqs: []llama.SeqID{0}, Outputs: []bool{true},
	})
	if err != nil {
		return fmt.Errorf("first decode: %w", err)
	}
	return c.ClearAll()
}

// Close ends all generations with ErrClosed and frees the model. It waits for the step under way.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closing {
		e.mu.Unlock()
		<-e.done
		return nil
	}
	e.closing = true
	for _, g := range e.gens {
		e.abandon(g, ErrClosed)
	}
	e.mu.Unlock()
	e.wake()
	<-e.done
	if e.model == nil {
		return nil
	}
	err := errors.Join(e.vocab.closeTemplate(), e.model.Close())
	if e.draftModel != nil {
		err = errors.Join(err, e.draftModel.Close())
	}
	return err
}

// Vocabulary is the model's tokenizer.
func (e *Engine) Vocabulary() *Vocabulary { return e.vocab }

var _ models.Tokenizer = (*Vocabulary)(nil)

// Limit is the number of tokens that one request may hold, prompt and answer together.
func (e *Engine) Limit() int { return e.set.limit }

// Totals counts what an engine has done since it was loaded.
type Totals struct {
	Requests     uint64 // finished, whatever the reason
	Refused      uint64 // refused because the queue was full or the wait too long
	Expired      uint64 // given up because their turn did not come in time
	Preempted    uint64 // times that a running request made room for one of an earlier class
	Steps        uint64
	Aborted      uint64 // steps that ended early because nobody wanted them any more
	PromptTokens uint64 // computed, not those taken from the cache
	CachedTokens uint64 // taken from the cache
	OutputTokens uint64 // generated
	// DraftTokens were guessed and computed along; AcceptedTokens of them came true.
	DraftTokens, AcceptedTokens uint64
	Busy                        time.Duration // time spent in steps
	// DecodeSteps had tokens of answers only, PromptSteps read prompts, too.
	DecodeSteps, PromptSteps StepTimes
	Stalls                   uint64 // times that a second and more passed between two tokens of an answer
}

// wake makes the loop look for work.
func (e *Engine) wake() {
	select {
	case e.wakeup <- struct{}{}:
	default: // it will look anyway
	}
}
