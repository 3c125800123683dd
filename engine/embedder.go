package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"aigw/engine/llama"
	"aigw/models"
)

// EmbedderDefaults bound an embedder: tokens of a text, and texts that wait for their turn.
const (
	EmbedderContext = 2048
	embedderQueue   = 256
)

// Embedder computes embeddings: lists of numbers that are near each other where texts mean the like. It has a
// model of its own, made for that, and computes one text after the other, whole: in these models every token sees all
// others. It may be used concurrently.
type Embedder struct {
	model *llama.Model
	vocab *Vocabulary
	limit int
	turn  sync.Locker // nil: nobody else computes

	jobs    chan *embedding
	waiting atomic.Int32
	took    atomic.Int64 // ns of the last text
	stop    chan struct{}
	done    chan struct{}
	closing sync.Once
}

// embedding is a text on its way.
type embedding struct {
	ctx    context.Context
	ids    []models.Token
	result chan embedded
}

type embedded struct {
	vector []float32
	err    error
}

// LoadEmbedder reads the weights and returns when the model has computed an embedding. Of o it takes Model,
// Overrides, Context (0 is EmbedderContext, or what the model was trained for), Threads, GPULayers, BackendDir,
// Turn, Progress and Logger.
func LoadEmbedder(ctx context.Context, o Options) (*Embedder, error) {
	model, _, err := o.read(ctx)
	if err != nil {
		return nil, err
	}
	e := &Embedder{
		model: model, vocab: newVocabulary(model), limit: min(or(o.Context, EmbedderContext), model.TrainContext()), turn: o.Turn,
		jobs: make(chan *embedding, embedderQueue), stop: make(chan struct{}), done: make(chan struct{}),
	}
	ready := make(chan error)
	go e.run(o.Threads, ready)
	if err := <-ready; err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", o.Model, err), model.Close())
	}
	return e, nil
}

// run makes the context, which nobody else uses, and computes one embedding after the other.
func (e *Embedder) run(threads int, ready chan<- error) {
	defer close(e.done)
	c, err := e.model.NewContext(llama.ContextOptions{
		Context: e.limit, Batch: e.limit, MicroBatch: e.limit, MaxOutputs: e.limit, MaxSeqs: 1, Unified: true, Threads: threads, Embeddings: true,
	})
	if err == nil {
		err = e.tryOut(c)
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}
	ready <- err
	if err != nil {
		return
	}
	defer c.Close()
	var step llama.Step
	for {
		select {
		case <-e.stop:
			return
		case job := <-e.jobs:
			e.waiting.Add(-1)
			if job.ctx.Err() != nil { // nobody wants it any more
				job.result <- embedded{err: context.Cause(job.ctx)}
				continue
			}
			start := time.Now()
			vector, err := e.compute(c, &step, job.ids)
			e.took.Store(int64(time.Since(start)))
			job.result <- embedded{vector, err}
		}
	}
}

// tryOut shows that the model does what it is for.
func (e *Embedder) tryOut(c *llama.Context) error {
	if !c.Pooled() {
		return errors.New("the model gives numbers for each token and none for a text (its pooling type is none); it was not made for embeddings")
	}
	ids, err := e.Tokenize("ready")
	if err == nil {
		_, err = e.compute(c, &llama.Step{}, ids)
	}
	return err
}

// compute returns the embedding of a text, of length 1.
func (e *Embedder) compute(c *llama.Context, s *llama.Step, ids []models.Token) ([]float32, error) {
	if e.turn != nil {
		e.turn.Lock()
		defer e.turn.Unlock()
	}
	s.Reset()
	if c.HasMemory() {
		s.Ops = append(s.Ops, llama.SeqOp{Kind: llama.OpRemove, Seq: 0, From: 0, To: -1})
	}
	for i, id := range ids {
		s.Tokens, s.Pos, s.Seqs, s.Outputs = append(s.Tokens, id), append(s.Pos, llama.Pos(i)), append(s.Seqs, 0), append(s.Outputs, true)
	}
	if err := c.Step(s); err != nil {
		return nil, fmt.Errorf("compute an embedding: %w", err)
	}
	vector, err := c.Embedding(0)
	if err != nil {
		return nil, err
	}
	return vector, normalize(vector)
}

// normalize gives a vector the length 1, as OpenAI's have, so that an inner product is a cosine.
func normalize(v []float32) error {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return errors.New("compute an embedding: the model gives no usable numbers for this text")
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= scale
	}
	return nil
}

// Tokenize returns the tokens of a text with those that the vocabulary wants around it.
func (e *Embedder) Tokenize(text string) ([]models.Token, error) {
	ids, err := e.vocab.v.Tokenize(text, true, false)
	if err == nil && len(ids) == 0 {
		err = errors.New("the text is empty")
	}
	return ids, err
}

// Embed returns the embedding of a text's tokens. It is refused with *models.TooLongError if it is longer than
// Limit, with *BusyError if too many wait, and with ErrClosed.
func (e *Embedder) Embed(ctx context.Context, ids []models.Token) ([]float32, error) {
	if len(ids) > e.limit {
		return nil, &models.TooLongError{Tokens: len(ids), Limit: e.limit}
	}
	if len(ids) == 0 {
		return nil, wrongf("the text has no tokens")
	}
	for i, id := range ids {
		if id < 0 || int(id) >= e.vocab.Size() {
			return nil, wrongf("token %d at %d is not in the vocabulary of %d", id, i, e.vocab.Size())
		}
	}
	job := &embedding{ctx: ctx, ids: ids, result: make(chan embedded, 1)}
	waiting := e.waiting.Add(1)
	select {
	case e.jobs <- job:
	default:
		e.waiting.Add(-1)
		return nil, &BusyError{Wait: max(time.Second, time.Duration(waiting)*time.Duration(e.took.Load()))}
	}
	select {
	case r := <-job.result:
		return r.vector, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-e.done:
		return nil, ErrClosed
	}
}

// Limit is how many tokens a text may have.
func (e *Embedder) Limit() int { return e.limit }

// Size is how many numbers an embedding has.
func (e *Embedder) Size() int { return e.model.Embedding() }

// Close ends the work; what waits is refused with ErrClosed.
func (e *Embedder) Close() error {
	e.closing.Do(func() { close(e.stop) })
	<-e.done
	return e.model.Close()
}
