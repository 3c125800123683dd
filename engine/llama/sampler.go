package llama

// #include "shim.h"
import "C"

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"unsafe"
)

// SamplerOptions say how the next token is chosen from a row of logits. The filters work in the
// order of the fields from RepeatPenalty upwards as llama.cpp has them: penalty, top-k, top-p,
// min-p, temperature. The zero value takes the most probable token.
type SamplerOptions struct {
	Temperature float32 // below 0.0001 the most probable token is taken, whatever the filters
	TopK        int     // keep the K most probable tokens; 0 keeps all
	TopP        float32 // keep the fewest tokens that together have this probability; 0 or 1 keeps all
	MinP        float32 // drop tokens below this share of the best one's probability; 0 drops none
	// RepeatPenalty divides positive logits of recent tokens and multiplies negative ones; 0 or 1
	// is off. RepeatLastN is how many tokens back it looks; 0 means 64, at most 65,536.
	RepeatPenalty float32
	RepeatLastN   int
	// FrequencyPenalty is taken from the logit of a token for each time that it was drawn, PresencePenalty once
	// if it was: OpenAI's rule. Counted is how many of the last draws count, at most 65,536; 0 means all of these.
	FrequencyPenalty, PresencePenalty float32
	Counted                           int
	// Bias is added to logits before all else.
	Bias []Bias
	// Logprobs, unless 0, has TakeLogprobs tell of each draw, with that many tokens less one beside it.
	Logprobs int
	// Seed starts the random numbers: with equal logits, equal seeds draw equal tokens.
	Seed uint32
	// Grammar, unless nil, confines what is drawn to a text that it derives; control tokens are no
	// text. The token that the filters choose is checked first, and only if it does not fit are they
	// applied to the tokens that do. Ends are the tokens that end a complete text; nothing else does.
	Grammar *Grammar
	Ends    []Token
	// Choice weighs what a text with a grammar goes on with behind its first line; see Weighted.
	Choice []Weighted
}

// maxPenalty bounds what is added to a logit: e^1000 is more than any two tokens differ by.
const maxPenalty = 1000

// maxRepeatLastN bounds the memory of a sampler, 12 bytes for each.
const maxRepeatLastN = 1 << 16

// Bias is added to the logit of a token.
type Bias struct {
	Token Token
	Add   float32
}

// Bounds of what a sampler does beside drawing.
const (
	MaxBias     = 4096
	MaxLogprobs = 1 + 20
)

// randomSeed is LLAMA_DEFAULT_SEED, which llama.cpp takes as a wish for a random one.
const randomSeed = 0xFFFFFFFF

// Sampler chooses the tokens of one generation. It remembers what it has drawn, for the penalty and
// the random numbers. It may be closed at any time, but otherwise belongs to one goroutine.
type Sampler struct {
	refs
	h         *C.aigw_sampler
	vocabSize int
}

// NewSampler makes a sampler for rows of v.Size() logits.
//
//	struct llama_sampler * llama_sampler_init_top_p(float p, size_t min_keep);
//	struct llama_sampler * llama_sampler_init_min_p(float p, size_t min_keep);
//	struct llama_sampler * llama_sampler_init_temp(float t);
//	struct llama_sampler * llama_sampler_init_dist(uint32_t seed);
func NewSampler(v *Vocab, o SamplerOptions) (*Sampler, error) {
	if v.Size() == 0 {
		return nil, fmt.Errorf("make sampler: %w", ErrNoVocab)
	}
	o, err := o.defaults()
	if err != nil {
		return nil, fmt.Errorf("make sampler: %w", err)
	}
	options := C.aigw_sampler_options{
		temperature:    C.float(o.Temperature),
		top_k:          C.int32_t(min(o.TopK, math.MaxInt32)),
		top_p:          C.float(o.TopP),
		min_p:          C.float(o.MinP),
		repeat_penalty: C.float(o.RepeatPenalty),
		repeat_last_n:  C.int32_t(o.RepeatLastN),
		seed:           C.uint32_t(o.Seed),

		frequency_penalty: C.float(o.FrequencyPenalty), presence_penalty: C.float(o.PresencePenalty), n_counted: C.int32_t(o.Counted),
		logprobs: C.int32_t(o.Logprobs),
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	if err := o.bias(v, &options, &pinner); err != nil {
		return nil, fmt.Errorf("make sampler: %w", err)
	}
	var (
		h    *C.aigw_sampler
		cerr C.aigw_error
		code C.int32_t
	)
	if o.Grammar == nil {
		code = C.aigw_sampler_new(C.int32_t(v.Size()), &options, nil, nil, nil, 0, nil, &h, &cerr)
	} else {
		if !v.model.acquire() {
			return nil, fmt.Errorf("make sampler: %w", ErrClosed)
		}
		defer v.model.release()
		grammar, choice := o.Grammar.tables(&pinner), choiceTables(o.Choice, &pinner)
		code = C.aigw_sampler_new(C.int32_t(v.Size()), &options, v.model.h, &grammar,
			(*C.int32_t)(unsafe.SliceData(o.Ends)), C.int32_t(len(o.Ends)), &choice, &h, &cerr)
	}
	if err := failure(code, &cerr); err != nil {
		return nil, fmt.Errorf("make sampler: %w", err)
	}
	s := &Sampler{h: h, vocabSize: v.Size()}
	s.refs.init(func() { C.aigw_sampler_free(s.h) })
	return s, nil
}

// bias points C at the biases, which pinner keeps where they are.
func (o SamplerOptions) bias(v *Vocab, to *C.aigw_sampler_options, pinner *runtime.Pinner) error {
	if len(o.Bias) == 0 {
		return nil
	}
	tokens, add := make([]int32, len(o.Bias)), make([]float32, len(o.Bias))
	for i, b := range o.Bias {
		if !v.valid(b.Token) {
			return fmt.Errorf("%w: a bias is for token %d of %d", ErrTokenRange, b.Token, v.Size())
		}
		tokens[i], add[i] = b.Token, b.Add
	}
	pinner.Pin(unsafe.SliceData(tokens))
	pinner.Pin(unsafe.SliceData(add))
	to.bias_tokens, to.bias, to.n_bias = (*C.int32_t)(unsafe.SliceData(tokens)), (*C.float)(unsafe.SliceData(add)), C.int32_t(len(o.Bias))
	return nil
}

// tables points C at the grammar's slices, which pinner keeps where they are.
func (g *Grammar) tables(pinner *runtime.Pinner) C.aigw_grammar {
	ints := func(s []int32) *C.int32_t {
		if len(s) > 0 {
			pinner.Pin(unsafe.SliceData(s))
		}
		return (*C.int32_t)(unsafe.SliceData(s))
	}
	if len(g.ranges) > 0 {
		pinner.Pin(unsafe.SliceData(g.ranges))
	}
	if len(g.negated) > 0 {
		pinner.Pin(unsafe.SliceData(g.negated))
	}
	return C.aigw_grammar{
		items: ints(g.items), sequences: ints(g.sequences), rules: ints(g.rules), classes: ints(g.classes),
		ranges: (*C.uint32_t)(unsafe.SliceData(g.ranges)), negated: (*C.int8_t)(unsafe.SliceData(g.negated)),
		n_items: C.int32_t(len(g.items)), n_sequences: C.int32_t(len(g.sequences)), n_rules: C.int32_t(len(g.rules) - 1),
		n_classes: C.int32_t(len(g.negated)), n_ranges: C.int32_t(len(g.ranges)), root: C.int32_t(g.root),
	}
}

// defaults turns "0 is off" into what C expects and refuses what makes no sense.
func (o SamplerOptions) defaults() (SamplerOptions, error) {
	for _, f := range []struct {
		name       string
		value, max float32
	}{
		{"temperature", o.Temperature, math.MaxFloat32},
		{"top_p", o.TopP, 1},
		{"min_p", o.MinP, 1},
		{"repeat_penalty", o.RepeatPenalty, math.MaxFloat32},
	} {
		if !(f.value >= 0 && f.value <= f.max) {
			return o, fmt.Errorf("%w: %s is %g, need 0 to %g", ErrSamplerOptions, f.name, f.value, f.max)
		}
	}
	for name, value := range map[string]float32{"frequency_penalty": o.FrequencyPenalty, "presence_penalty": o.PresencePenalty} {
		if !(value >= -maxPenalty && value <= maxPenalty) {
			return o, fmt.Errorf("%w: %s is %g, need -%d to %d", ErrSamplerOptions, name, value, maxPenalty, maxPenalty)
		}
	}
	for _, b := range o.Bias {
		if !(b.Add >= -maxPenalty && b.Add <= maxPenalty) {
			return o, fmt.Errorf("%w: the bias of token %d is %g, need -%d to %d", ErrSamplerOptions, b.Token, b.Add, maxPenalty, maxPenalty)
		}
	}
	if len(o.Bias) > MaxBias || o.Logprobs < 0 || o.Logprobs > MaxLogprobs || o.Counted < 0 {
		return o, fmt.Errorf("%w: %d biases, at most %d; %d log probabilities, at most %d; %d draws counted", ErrSamplerOptions, len(o.Bias), MaxBias, o.Logprobs, MaxLogprobs, o.Counted)
	}
	if o.Counted == 0 || o.Counted > maxRepeatLastN {
		o.Counted = maxRepeatLastN
	}
	if o.TopK < 0 {
		return o, fmt.Errorf("%w: top_k is %d", ErrSamplerOptions, o.TopK)
	}
	if o.RepeatLastN < 0 || o.RepeatLastN > maxRepeatLastN {
		return o, fmt.Errorf("%w: repeat_last_n is %d, need 0 to %d", ErrSamplerOptions, o.RepeatLastN, maxRepeatLastN)
	}
	if err := checkChoice(o.Choice); err != nil {
		return o, err
	}
	if o.TopP == 0 {
		o.TopP = 1
	}
	if o.RepeatPenalty == 0 {
		o.RepeatPenalty = 1
	}
	if o.RepeatLastN == 0 {
		o.RepeatLastN = 64
	}
	if o.Seed == randomSeed {
		o.Seed = 0 // any fixed seed will do
	}
	return o, nil
}

// Prime makes tokens count as recent for the penalty, as if they had been drawn. Only generated
// tokens and these count: give the tail of the prompt, or nothing.
//
//	void llama_sampler_accept(struct llama_sampler * smpl, llama_token token);
func (s *Sampler) Prime(tokens []Token) error {
	if len(tokens) > maxRepeatLastN {
		tokens = tokens[len(tokens)-maxRepeatLastN:]
	}
	for _, t := range tokens {
		if t < 0 || int(t) >= s.vocabSize {
			return fmt.Errorf("prime sampler: %w: %d of %d", ErrTokenRange, t, s.vocabSize)
		}
	}
	if !s.acquire() {
		return fmt.Errorf("prime sampler: %w", ErrClosed)
	}
	defer s.release()
	C.aigw_sampler_accept(s.h, (*C.int32_t)(unsafe.SliceData(tokens)), C.int32_t(len(tokens)))
	return nil
}

// Logprobs is what TakeLogprobs tells of a draw: natural logarithms of probabilities by the model alone,
// before penalties, filters and temperature.
type Logprobs struct {
	Token   Token
	Logprob float32
	Best    []TokenLogprob // the most probable tokens, most probable first
}

// TokenLogprob is a token with its log probability.
type TokenLogprob struct {
	Token   Token
	Logprob float32
}

// TakeLogprobs tells of the oldest draw that it has not told of. No step may be using the sampler.
func (s *Sampler) TakeLogprobs() (l Logprobs, ok bool) {
	if !s.acquire() {
		return l, false
	}
	defer s.release()
	var (
		token    C.int32_t
		logprob  C.float
		tokens   [MaxLogprobs]C.int32_t
		logprobs [MaxLogprobs]C.float
	)
	n := C.aigw_sampler_take(s.h, &token, &logprob, &tokens[0], &logprobs[0])
	if n < 0 {
		return l, false
	}
	l = Logprobs{Token: Token(token), Logprob: float32(logprob), Best: make([]TokenLogprob, n)}
	for i := range l.Best {
		l.Best[i] = TokenLogprob{Token(tokens[i]), float32(logprobs[i])}
	}
	return l, true
}

// Draw chooses a token from a row of logits that belongs to no context and is not changed. row tells
// what became of it. Context.Step does the same without copying; this is for tests and experiments.
//
//	void llama_sampler_apply(struct llama_sampler * smpl, llama_token_data_array * cur_p);
func (s *Sampler) Draw(logits []float32) (t Token, row RowState, err error) {
	if len(logits) != s.vocabSize {
		return 0, 0, fmt.Errorf("draw: %w: %d logits, need %d", ErrSampler, len(logits), s.vocabSize)
	}
	if !s.acquire() {
		return 0, 0, fmt.Errorf("draw: %w", ErrClosed)
	}
	defer s.release()
	var (
		token C.int32_t
		state C.int8_t
		cerr  C.aigw_error
	)
	code := C.aigw_sampler_draw(s.h, (*C.float)(unsafe.SliceData(logits)), &token, &state, &cerr)
	if err := failure(code, &cerr); err != nil {
		return 0, 0, fmt.Errorf("draw: %w", err)
	}
	return Token(token), RowState(state), nil
}

// Close frees the sampler. It may be called twice.
//
//	void llama_sampler_free(struct llama_sampler * smpl);
func (s *Sampler) Close() error {
	s.refs.close()
	return nil
}

var _ io.Closer = (*Sampler)(nil)
