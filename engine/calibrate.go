package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"aigw/engine/llama"
)

// Which settings are fastest differs between machines, and by more than one would guess: whether
// attention in one fused operation pays on a CPU, whether keys in 8 bits do, whether the second
// thread of a core does. So at the first load of a model on a machine the settings that the
// operator left open are measured, for some seconds, and the best are kept (calibration.go).
//
// What is measured is the time to a suggestion: a prompt of 64 tokens that are not in the cache, and
// 24 steps of decoding, for one person alone and for 8 at once, with 0, 25, 50 and 100 % of the
// cells in use; a setting that wins alone and empty can lose full and busy. The objective is the
// mean of these eight. The cache is not filled for that: attention takes time in proportion to the
// cells, so two depths are measured and the others follow. The cells belong to those who are
// measured, each has his share of a long text: attention may pass by what is somebody else's.

const (
	calibrationPrompt = 64
	calibrationOutput = 24
	calibrationRows   = 8
	calibrationRepeat = 3    // of each measurement; the shortest counts, as what disturbs only ever adds
	calibrationDepth  = 1024 // cells at which costs are measured, or half of the cache
	// calibrationTime bounds the whole: what is not measured by then is not chosen.
	calibrationTime = 6 * time.Second
	// calibrationGain is how much better than the default a setting has to be to be chosen.
	calibrationGain = 0.95
)

// setting is what calibration chooses.
type setting struct {
	FlashAttention string `json:"flash_attention"`
	CacheTypeK     string `json:"cache_type_k"`
	Threads        int    `json:"threads"`
}

func (s setting) String() string {
	return fmt.Sprintf("%d threads, flash attention %s, keys in %s", s.Threads, s.FlashAttention, s.CacheTypeK)
}

// apply returns o with the setting.
func (s setting) apply(o llama.ContextOptions) (llama.ContextOptions, error) {
	var err error
	if o.FlashAttention, err = parseFlashAttention(s.FlashAttention); err != nil {
		return o, err
	}
	if o.TypeK, err = llama.ParseCacheType(s.CacheTypeK); err != nil {
		return o, err
	}
	o.Threads = s.Threads
	return o, nil
}

// open lists the settings that the operator left open; the first one is the default.
func (o Options) open(c llama.ContextOptions) []setting {
	flash, keys, threads := []string{o.FlashAttention}, []string{orText(o.CacheTypeK, "f16")}, []int{c.Threads}
	if o.FlashAttention == "" || o.FlashAttention == "auto" {
		flash = []string{"on", "off"}
	}
	if o.CacheTypeK == keysAuto {
		keys = []string{"f16", "q8_0"}
	}
	if o.Threads == 0 && c.Threads >= 4 {
		threads = append(threads, c.Threads/2) // two threads of a core share its arithmetic
	}
	var all []setting
	for _, k := range keys {
		for _, f := range flash {
			all = append(all, setting{f, k, c.Threads})
		}
	}
	for _, n := range threads[1:] {
		all = append(all, setting{flash[0], keys[0], n})
	}
	return all
}

// keysAuto as Options.CacheTypeK allows keys in 8 bits where they are faster.
const keysAuto = "auto"

// result is what was measured of a setting.
type result struct {
	setting
	Suggestion time.Duration `json:"suggestion_ns"` // the objective
	Failed     string        `json:"failed,omitempty"`
}

// errSlow ends a measurement that takes too long.
var errSlow = errors.New("too slow to be measured in the time there is")

// calibrate measures settings, for about that long, and returns the best one and all results; with
// an error only if ctx ended. It runs on the thread that will own the context.
func calibrate(ctx context.Context, m *llama.Model, base llama.ContextOptions, open []setting, most time.Duration) (setting, []result, error) {
	var results []result
	end := time.Now().Add(most)
	for i, s := range open {
		share := time.Until(end) / time.Duration(len(open)-i) // what the first ones leave is for the others
		p := &probe{ctx: ctx, end: time.Now().Add(share), fillTime: share / 3}
		r := result{setting: s}
		var err error
		if r.Suggestion, err = p.measure(m, base, s); err != nil {
			r.Failed = err.Error()
		}
		if ctx.Err() != nil {
			return setting{}, nil, context.Cause(ctx)
		}
		results = append(results, r)
	}
	return choose(results), results, nil
}

// choose is the best of results, the first of which is the default.
func choose(results []result) setting {
	best := results[0]
	limit := time.Duration(float64(best.Suggestion) * calibrationGain)
	for _, r := range results[1:] {
		if r.Failed == "" && (best.Failed != "" || r.Suggestion <= limit) {
			best, limit = r, r.Suggestion
		}
	}
	return best.setting
}

// probe is a context on which a setting is measured.
type probe struct {
	ctx      context.Context
	end      time.Time     // when to give up
	fillTime time.Duration // for a long text

	*llama.Context
	rows int
	step llama.Step
	next map[llama.SeqID]llama.Pos
}

// measure makes a context with the setting and returns the objective.
func (p *probe) measure(m *llama.Model, base llama.ContextOptions, s setting) (time.Duration, error) {
	o, err := s.apply(base)
	if err != nil {
		return 0, err
	}
	if p.Context, err = m.NewContext(o); err != nil {
		return 0, err
	}
	defer p.Close()
	p.rows, p.next = min(calibrationRows, o.MaxSeqs), map[llama.SeqID]llama.Pos{}
	if _, err := p.run(1, 1, 0); err != nil { // the first one touches all weights
		return 0, err
	}
	empty, err := p.costs(0)
	if err != nil {
		return 0, err
	}
	depth, err := p.fill(min(p.ContextSize()/2, calibrationDepth))
	if err != nil {
		return 0, err
	}
	full, err := p.costs(depth)
	if err != nil {
		return 0, err
	}
	return objective(empty, full, depth, p.ContextSize()), nil
}

// costs is what a prompt takes, and a step of decoding with one row and with several.
type costs struct{ prompt, one, several time.Duration }

// objective is the mean time to a suggestion. empty was measured with no cells in use and full
// with depth of them.
func objective(empty, full costs, depth, cells int) time.Duration {
	at := func(a, b time.Duration, used int) time.Duration {
		return a + max(b-a, 0)*time.Duration(used)/time.Duration(depth)
	}
	var sum time.Duration
	for _, quarter := range []int{0, 1, 2, 4} {
		used := cells * quarter / 4
		prompt := at(empty.prompt, full.prompt, used)
		sum += prompt + calibrationOutput*at(empty.one, full.one, used)
		sum += prompt + calibrationOutput*at(empty.several, full.several, used)
	}
	return sum / 8
}

// costs are measured behind a text of depth tokens, which fill has computed, or behind a part of it for each row.
func (p *probe) costs(depth int) (c costs, err error) {
	for _, one := range []struct {
		took         *time.Duration
		tokens, rows int
	}{{&c.prompt, calibrationPrompt, 1}, {&c.one, 1, 1}, {&c.several, 1, p.rows}} {
		times := make([]time.Duration, calibrationRepeat)
		for i := range times {
			if times[i], err = p.run(one.tokens, one.rows, depth/one.rows); err != nil {
				return c, err
			}
		}
		*one.took = slices.Min(times)
	}
	return c, nil
}

// fill computes a long text and returns its length.
func (p *probe) fill(most int) (int, error) {
	began, filled := time.Now(), 0
	slice := min(p.BatchSize(), 128)
	for filled == 0 || filled+slice <= most && time.Since(began) < p.fillTime {
		if err := p.decode(0, slice, 1); err != nil {
			return 0, err
		}
		filled += slice
	}
	return filled, nil
}

// run computes tokens for each of rows sequences of their own, and takes them back. Each begins with depth cells of what
// fill has computed, no two with the same ones.
func (p *probe) run(tokens, rows, depth int) (time.Duration, error) {
	var lend llama.Step
	for r := range rows {
		if depth > 0 {
			lend.Ops = append(lend.Ops, llama.SeqOp{Kind: llama.OpCopy, Seq: 0, Dst: llama.SeqID(1 + r), From: llama.Pos(r * depth), To: llama.Pos((r + 1) * depth)})
			p.next[llama.SeqID(1+r)] = llama.Pos((r + 1) * depth)
		}
	}
	if err := p.Step(&lend); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := p.decode(1, min(tokens, p.BatchSize()/rows), rows); err != nil {
		return 0, err
	}
	took := time.Since(began)
	undo := llama.Step{}
	for r := range rows {
		undo.Ops = append(undo.Ops, llama.SeqOp{Kind: llama.OpRemove, Seq: llama.SeqID(1 + r), To: -1})
		delete(p.next, llama.SeqID(1+r))
	}
	return took, p.Step(&undo)
}

// decode computes tokens that mean nothing for rows sequences from seq on, with logits for the last of each.
func (p *probe) decode(seq llama.SeqID, tokens, rows int) error {
	if p.ctx.Err() != nil || time.Now().After(p.end) {
		return errSlow
	}
	p.step.Reset()
	for r := range rows {
		id := seq + llama.SeqID(r)
		for i := range tokens {
			pos := p.next[id]
			p.next[id]++
			p.step.Tokens = append(p.step.Tokens, llama.Token((int(pos)*7+r)%min(p.Model().Vocab().Size(), 1000)))
			p.step.Pos = append(p.step.Pos, pos)
			p.step.Seqs = append(p.step.Seqs, id)
			p.step.Outputs = append(p.step.Outputs, i == tokens-1)
		}
	}
	return p.Step(&p.step)
}
