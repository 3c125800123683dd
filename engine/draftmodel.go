package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/models"
)

// drafter is a second, small model that guesses what the first will say. It belongs to the engine's loop, which has it guess
// between two steps, when the scheduler wishes so; the first model verifies every guess (sched/speculate.go), so that the text
// does not depend on it. Its cache follows the texts of the running requests: what was guessed wrong is removed before the next
// guess, and a request that has ended leaves with it. When the cache is full or a step fails, all of it is forgotten and
// computed again, which costs time and nothing else.
type drafter struct {
	c       stepper
	set     settings
	sampler *samplers
	texts   map[sched.ID]*drafted
	free    []llama.SeqID
	pace    float64 // seconds for a token of a prompt; 0: not known
	step    llama.Step
	spoil   func(models.Token) models.Token // tests: guess something else; nil: do not
}

// drafted is what the draft model has of a request in its cache.
type drafted struct {
	seq    llama.SeqID
	tokens []llama.Token
}

// draftSlice is how many tokens of prompts the draft model reads between two steps at most, so that nobody's stream stands
// still: as many as take half the time of a step, but some.
const (
	draftSlice      = 128
	draftSliceLeast = 8
)

// draftCatchUp is how many tokens may have come since the last guess without that being the reading of a prompt.
const draftCatchUp = 32

// draftOptions are those with which the draft model of o is loaded.
func (o Options) draftOptions(cells int) Options {
	d := Options{
		Model: o.DraftModel, Overrides: o.DraftOverrides, Context: cells, Parallel: o.Parallel, Batch: max(draftSlice, or(o.Parallel, DefaultParallel)), Threads: o.Threads,
		Draft: -1, StepTime: o.stepTime(), FlashAttention: o.FlashAttention, BackendDir: o.BackendDir, Logger: o.Logger,
	}
	d.noRemote = true // a guess is worth no question over the network
	if o.GPULayers != 0 {
		d.GPULayers = -1
	}
	return d
}

// readDraft reads the weights of the draft model and makes sure that it can guess for model.
func (o Options) readDraft(model *llama.Model) (*llama.Model, error) {
	if o.DraftModel == "" {
		return nil, nil
	}
	m, err := llama.LoadModel(o.DraftModel, o.draftOptions(0).modelOptions())
	if err != nil {
		return nil, fmt.Errorf("draft model: %w", err)
	}
	err = sameVocabulary(model.Vocab(), m.Vocab())
	if why := noReuse(m, ShareInstance); err == nil && why != "" {
		err = fmt.Errorf("it cannot take back a wrong guess: %s", why)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("draft model %s: %w; use a small model of the same family, or none", filepath.Base(o.DraftModel), err), m.Close())
	}
	return m, nil
}

// sameVocabulary compares the tokens of two models: guesses are ids, which have to mean the same in both.
func sameVocabulary(target, draft *llama.Vocab) error {
	one, two := target.Pieces(), draft.Pieces()
	if len(one) != len(two) {
		return fmt.Errorf("its vocabulary has %d tokens, that of the model %d", len(two), len(one))
	}
	for i := range one {
		if one[i] != two[i] {
			return fmt.Errorf("its vocabulary is another one: token %d is %q, in the model %q", i, two[i], one[i])
		}
	}
	return nil
}

// openDraft makes the context of the draft model. It runs on the loop's goroutine.
func (e *Engine) openDraft(o Options, m *llama.Model) error {
	if m == nil || e.set.sched.DraftTokens == 0 || !e.set.sched.Reuse {
		return nil
	}
	set, err := o.draftOptions(e.set.context.Context).settle(m)
	if err != nil {
		return fmt.Errorf("draft model: %w", err)
	}
	c, err := m.NewContext(set.context)
	if err != nil {
		return fmt.Errorf("draft model: %w", err)
	}
	v := newVocabulary(m)
	if err := warmUp(c, v); err != nil {
		return errors.Join(fmt.Errorf("draft model: %w", err), c.Close())
	}
	d := newDrafter(c, set)
	d.sampler = &samplers{vocab: m.Vocab()}
	if o.Turn != nil {
		d.c = turns{c, o.Turn}
	}
	e.drafter = d
	return nil
}

func newDrafter(c stepper, set settings) *drafter {
	d := &drafter{c: c, set: set}
	d.forget()
	return d
}

func (d *drafter) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.sampler.close(), d.c.Close())
}

// forget begins with an empty cache.
func (d *drafter) forget() {
	d.texts, d.free = map[sched.ID]*drafted{}, d.free[:0]
	for i := range d.set.sched.Rows {
		d.free = append(d.free, llama.SeqID(i))
	}
}

// guessAhead has the draft model guess what the scheduler wishes. What it offers is used by the next plan.
func (e *Engine) guessAhead() {
	d := e.drafter
	if d == nil {
		return
	}
	e.mu.Lock()
	d.leave(func(id sched.ID) bool { return e.gens[id] != nil })
	e.wishes = e.sched.Wishes(e.wishes[:0])
	e.mu.Unlock()
	if len(e.wishes) == 0 {
		return
	}
	began := time.Now()
	guesses, read, err := d.guess(e.wishes)
	took := time.Since(began)
	if err != nil {
		e.log.Warn("the draft model guesses no more", "error", err)
		if err := d.close(); err != nil {
			e.log.Error("closing the draft model's context", "error", err)
		}
		e.drafter = nil
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for i, w := range e.wishes {
		if len(guesses[i]) > 0 {
			e.sched.Offer(w.ID, len(w.Tokens), guesses[i])
			n += len(guesses[i])
		}
	}
	if !read { // reading a prompt is done once
		e.sched.Guessed(n, took)
	}
}

// leave takes requests out that have ended.
func (d *drafter) leave(alive func(sched.ID) bool) {
	for id, t := range d.texts {
		if !alive(id) {
			d.cut(t, 0)
			d.free = append(d.free, t.seq)
			delete(d.texts, id)
		}
	}
}

// cut removes what t has behind n tokens with the next step.
func (d *drafter) cut(t *drafted, n int) {
	if n < len(t.tokens) {
		d.step.Ops = append(d.step.Ops, llama.SeqOp{Kind: llama.OpRemove, Seq: t.seq, From: llama.Pos(n), To: -1})
		t.tokens = t.tokens[:n]
	}
}

// guess returns guesses for each wish; none where the draft model has not read the whole text yet, which read says.
func (d *drafter) guess(wishes []sched.Wish) (guesses [][]int32, read bool, err error) {
	guesses = make([][]int32, len(wishes))
	if !d.room(wishes) {
		return guesses, true, nil
	}
	texts := make([]*drafted, len(wishes))
	budget := d.slice()
	var ready []int // wishes whose text is read
	for i, w := range wishes {
		t := d.follow(w)
		if t == nil {
			continue
		}
		texts[i] = t
		pending := w.Tokens[len(t.tokens):]
		n := min(len(pending), budget)
		budget -= n
		read = read || n > draftCatchUp || n < len(pending)
		for j, token := range pending[:n] {
			d.add(t, token, n == len(pending) && j == n-1, len(ready))
		}
		if n == len(pending) {
			ready = append(ready, i)
		}
	}
	for len(d.step.Tokens) > 0 {
		sampled, err := d.run()
		if err != nil {
			return make([][]int32, len(wishes)), true, err
		}
		if sampled == nil { // no room: all is forgotten
			return make([][]int32, len(wishes)), true, nil
		}
		goOn := ready[:0:0]
		for k, i := range ready {
			token := sampled[k]
			if d.spoil != nil {
				token = d.spoil(token)
			}
			guesses[i] = append(guesses[i], token)
			if len(guesses[i]) < wishes[i].N {
				d.add(texts[i], token, true, len(goOn))
				goOn = append(goOn, i)
			}
		}
		ready = goOn
	}
	return guesses, read, nil
}

// slice is how many tokens of prompts are read at once.
func (d *drafter) slice() int {
	if d.pace == 0 {
		return draftSlice / 4
	}
	return min(max(int(d.set.sched.StepTime.Seconds()/2/d.pace), draftSliceLeast), draftSlice)
}

// room reports whether the texts and guesses of wishes fit, if others that have no wish go.
func (d *drafter) room(wishes []sched.Wish) bool {
	needed := 0
	for _, w := range wishes {
		needed += len(w.Tokens) + w.N
	}
	if needed > d.set.context.Context || len(wishes) > d.set.sched.Rows {
		return false
	}
	wished := map[sched.ID]bool{}
	for _, w := range wishes {
		wished[w.ID] = true
	}
	others := 0
	for id, t := range d.texts {
		if !wished[id] {
			others += len(t.tokens)
		}
	}
	if needed+others > d.set.context.Context || len(d.free) < len(wishes) {
		d.leave(func(id sched.ID) bool { return wished[id] })
	}
	return true
}

// follow cuts what is in the cache back to what the text has in common with it. The last token is always computed: its logits
// are wanted. It returns nil where the text is longer than the draft model can read.
func (d *drafter) follow(w sched.Wish) *drafted {
	if len(w.Tokens)+w.N > d.set.limit {
		return nil
	}
	t := d.texts[w.ID]
	if t == nil {
		last := len(d.free) - 1
		t = &drafted{seq: d.free[last]}
		d.free = d.free[:last]
		d.texts[w.ID] = t
	}
	n := 0
	for n < min(len(t.tokens), len(w.Tokens)-1) && t.tokens[n] == w.Tokens[n] {
		n++
	}
	d.cut(t, n)
	return t
}

// add puts a token of t into the coming step; with output, a guess at what follows it is the row-th.
func (d *drafter) add(t *drafted, token llama.Token, output bool, row int) {
	s := &d.step
	s.Tokens, s.Pos, s.Seqs, s.Outputs = append(s.Tokens, token), append(s.Pos, llama.Pos(len(t.tokens))), append(s.Seqs, t.seq), append(s.Outputs, output)
	if output {
		s.Rows = append(s.Rows, llama.Row{Batch: int32(len(s.Tokens) - 1), Sampler: d.sampler.at(row)})
	}
	t.tokens = append(t.tokens, token)
}

// run computes the coming step and returns what was sampled; nil where the cache had no room, and is empty now.
func (d *drafter) run() ([]llama.Token, error) {
	began, n := time.Now(), len(d.step.Tokens)
	err := d.c.Step(&d.step)
	if n >= draftSliceLeast {
		d.pace = time.Since(began).Seconds() / float64(n)
	}
	sampled := append([]llama.Token{}, d.step.Sampled...)
	bad := false
	for _, state := range d.step.States {
		bad = bad || state != llama.RowDrawn
	}
	d.step.Reset()
	switch {
	case errors.Is(err, llama.ErrNoSlot) || err == nil && bad:
		return nil, d.clear()
	case err != nil:
		return nil, err
	}
	return sampled, nil
}

func (d *drafter) clear() error {
	d.step.Reset()
	d.forget()
	return d.c.ClearAll()
}

// samplers take the likeliest token of a row, one for each row of a step.
type samplers struct {
	vocab *llama.Vocab
	all   []*llama.Sampler
}

// at returns the n-th; it is made when it is first asked for. A failure shows as a row without a sampler.
func (s *samplers) at(n int) *llama.Sampler {
	for len(s.all) <= n {
		one, err := llama.NewSampler(s.vocab, llama.SamplerOptions{})
		if err != nil {
			return nil // llama.Context.Step refuses the row
		}
		s.all = append(s.all, one)
	}
	return s.all[n]
}

func (s *samplers) close() error {
	if s == nil {
		return nil
	}
	var err error
	for _, one := range s.all {
		err = errors.Join(err, one.Close())
	}
	return err
}
