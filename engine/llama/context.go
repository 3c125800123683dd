package llama

// #include "shim.h"
import "C"

import (
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// MaxSeq is LLAMA_MAX_SEQ: sequence ids are below it.
const MaxSeq = 256

// maxContext bounds a context so that llama.cpp's 32-bit sums of cells cannot wrap.
const maxContext = 1 << 28

// maxThreads is GGML_MAX_N_THREADS.
const maxThreads = 512

// FlashAttention says whether attention is computed in one fused operation.
type FlashAttention int32

// Automatic means wherever every layer's device can do it.
const (
	FlashAuto FlashAttention = iota
	FlashOff
	FlashOn
)

// cValue is the number in enum llama_flash_attn_type.
func (f FlashAttention) cValue() C.int32_t { return C.int32_t(f) - 1 }

func (f FlashAttention) String() string {
	switch f {
	case FlashAuto:
		return "auto"
	case FlashOff:
		return "off"
	case FlashOn:
		return "on"
	}
	return fmt.Sprintf("FlashAttention(%d)", int32(f))
}

// ContextOptions size a context. Zero values take the defaults named here.
type ContextOptions struct {
	// Context is the number of cells: the pool that all sequences share if Unified, else divided
	// among MaxSeqs. Default: what the model was trained for. Rounded up to a multiple of 256.
	Context int
	// Batch is the most tokens of one step; default 512, at most Context.
	Batch int
	// MicroBatch is the most tokens computed at once; default Batch, but at most 512.
	MicroBatch int
	// MaxSeqs is the most sequences decoded at once; default 1, at most MaxSeq. It sizes buffers.
	// If Unified, ids up to MaxSeq-1 are valid all the same.
	MaxSeqs int
	// MaxOutputs is the most rows with logits in one step; default MaxSeqs, and not below it.
	// Each costs 4 bytes for every token of the vocabulary, twice.
	MaxOutputs int
	// Threads is the size of the thread pool; default the number of CPUs.
	Threads int
	// Poll is how long, from 0 to 100, idle threads of the pool spin before they sleep.
	Poll           int
	FlashAttention FlashAttention
	TypeK, TypeV   CacheType
	// Unified lets sequences share cells, which makes copying a prefix free of copying data.
	Unified bool
	// SWAFull keeps cells outside of a sliding window, at the cost of memory.
	SWAFull bool
	// OffloadKV keeps the cache on the devices that hold the layers.
	OffloadKV bool
	// Embeddings makes every token an output and its embedding readable.
	Embeddings bool
}

// Context is the state of a set of sequences of one model. See the package comment for who may
// call it from where.
type Context struct {
	refs
	busy    atomic.Bool // a call is under way
	h       *C.aigw_context
	step    *C.aigw_step // shared with C for the life of the context
	model   *Model
	options ContextOptions

	size, sizePerSeq, batch int
	seqLimit                SeqID // valid ids are below it
	posLimit                Pos   // valid positions are below it
	unifiedCells            bool  // one pool of cells, which plain sequence copies share
	hasMemory               bool
	pooled                  bool // embeddings are one a sequence, not one a token
	embedding               int  // length of an embedding
	threads                 int

	decoded int // tokens of the last batch if its logits are valid, else 0
	done    *doorbell
}

// NewContext makes a context with a thread pool of its own.
//
//	struct llama_context * llama_init_from_model(struct llama_model * model, struct llama_context_params params);
//	struct ggml_threadpool * ggml_threadpool_new(struct ggml_threadpool_params * params);
//	void llama_attach_threadpool(struct llama_context * ctx, ggml_threadpool_t threadpool, ggml_threadpool_t threadpool_batch);
func (m *Model) NewContext(o ContextOptions) (*Context, error) {
	if !m.acquire() {
		return nil, fmt.Errorf("make context: model: %w", ErrClosed)
	}
	c, err := m.newContext(o)
	if err != nil {
		m.release()
		return nil, fmt.Errorf("make context: %w", err)
	}
	return c, nil // keeps the reference to the model
}

func (m *Model) newContext(o ContextOptions) (*Context, error) {
	if err := m.checkGenerative(); err != nil {
		return nil, err
	}
	o, err := m.defaults(o)
	if err != nil {
		return nil, err
	}
	if err := m.cacheShape().check(o); err != nil {
		return nil, err
	}
	done, err := newDoorbell()
	if err != nil {
		return nil, err
	}
	options := C.aigw_context_options{
		done:            C.int32_t(done.fd),
		n_ctx:           C.uint32_t(o.Context),
		n_batch:         C.uint32_t(o.Batch),
		n_ubatch:        C.uint32_t(o.MicroBatch),
		n_seq_max:       C.uint32_t(o.MaxSeqs),
		n_outputs_max:   C.uint32_t(o.MaxOutputs),
		n_threads:       C.int32_t(o.Threads),
		poll:            C.int32_t(o.Poll),
		flash_attention: o.FlashAttention.cValue(),
		type_k:          C.int32_t(cacheTypes[o.TypeK].ggml),
		type_v:          C.int32_t(cacheTypes[o.TypeV].ggml),
		unified:         C.bool(o.Unified),
		swa_full:        C.bool(o.SWAFull),
		offload_kv:      C.bool(o.OffloadKV),
		embeddings:      C.bool(o.Embeddings),
	}
	var (
		h    *C.aigw_context
		info C.aigw_context_info
		cerr C.aigw_error
	)
	if err := failure(C.aigw_context_new(m.h, &options, &h, &info, &cerr), &cerr); err != nil {
		done.close()
		return nil, err
	}
	if !bool(info.has_memory) && !o.Embeddings {
		C.aigw_context_free(h)
		done.close()
		return nil, fmt.Errorf("%w: %s keeps no context", ErrNotGenerative, m.Description())
	}
	c := &Context{
		h:            h,
		step:         info.step,
		model:        m,
		options:      o,
		size:         int(info.n_ctx),
		sizePerSeq:   int(info.n_ctx_seq),
		batch:        int(info.n_batch),
		seqLimit:     SeqID(o.MaxSeqs),
		posLimit:     1<<31 - 1,
		unifiedCells: o.Unified || o.MaxSeqs == 1,
		hasMemory:    bool(info.has_memory),
		pooled:       info.pooling != 0,
		embedding:    int(info.embedding),
		threads:      o.Threads,
		done:         done,
	}
	// A recurrent state is kept for each of MaxSeqs ids.
	if o.Unified && !m.IsRecurrent() && !m.IsHybrid() {
		c.seqLimit = MaxSeq
	}
	if m.info.learnedPositions {
		c.posLimit = Pos(m.TrainContext())
	}
	c.refs.init(c.free)
	return c, nil
}

func (m *Model) checkGenerative() error {
	switch {
	case m.info.isVocabOnly:
		return ErrVocabOnly
	case m.vocab.kind == VocabNone:
		return ErrNoVocab
	case m.HasEncoder() || !m.HasDecoder():
		return fmt.Errorf("%w: %s has an encoder", ErrNotGenerative, m.Description())
	case m.IsDiffusion():
		return fmt.Errorf("%w token by token: %s is a diffusion model", ErrNotGenerative, m.Description())
	}
	return nil
}

// defaults fills in what is zero and refuses what llama.cpp would abort on.
func (m *Model) defaults(o ContextOptions) (ContextOptions, error) {
	if o.Context == 0 {
		o.Context = m.TrainContext()
	}
	if o.Context <= 0 || o.Context > maxContext {
		return o, fmt.Errorf("%w: %d tokens, need 1 to %d", ErrContextSize, o.Context, maxContext)
	}
	if o.Batch == 0 {
		o.Batch = 512
	}
	if o.Batch < 0 {
		return o, fmt.Errorf("%w: %d tokens", ErrBatchSize, o.Batch)
	}
	o.Batch = min(o.Batch, o.Context)
	if o.MicroBatch == 0 {
		o.MicroBatch = min(o.Batch, 512)
	}
	if o.Embeddings {
		// Models that see the whole text at once need it in one piece.
		o.MicroBatch = o.Batch
	}
	if o.MicroBatch < 0 || o.MicroBatch > o.Batch {
		return o, fmt.Errorf("%w: micro-batch of %d tokens, batch of %d", ErrBatchSize, o.MicroBatch, o.Batch)
	}
	if o.MaxSeqs == 0 {
		o.MaxSeqs = 1
	}
	if o.MaxSeqs < 0 || o.MaxSeqs > MaxSeq || o.MaxSeqs > o.Context {
		return o, fmt.Errorf("%w: %d, need 1 to %d and a cell for each", ErrMaxSeqs, o.MaxSeqs, MaxSeq)
	}
	if o.MaxOutputs == 0 {
		o.MaxOutputs = o.MaxSeqs
		if o.Embeddings {
			o.MaxOutputs = max(o.MaxSeqs, o.Batch)
		}
	}
	if o.MaxOutputs < o.MaxSeqs || o.MaxOutputs > max(o.Batch, o.MaxSeqs) || o.Embeddings && o.MaxOutputs < o.Batch {
		return o, fmt.Errorf("%w: %d, need at least the %d sequences and at most the %d tokens of a batch, which embeddings need all",
			ErrMaxOutputs, o.MaxOutputs, o.MaxSeqs, o.Batch)
	}
	if o.Threads == 0 {
		o.Threads = min(runtime.NumCPU(), maxThreads)
	}
	if o.Threads < 0 || o.Threads > maxThreads {
		return o, fmt.Errorf("%w: %d, need 1 to %d", ErrThreads, o.Threads, maxThreads)
	}
	if o.Poll < 0 || o.Poll > 100 {
		return o, fmt.Errorf("%w: %d, need 0 to 100", ErrPoll, o.Poll)
	}
	if o.FlashAttention < FlashAuto || o.FlashAttention > FlashOn {
		return o, fmt.Errorf("unknown flash attention setting %d", o.FlashAttention)
	}
	return o, nil
}

// enter begins a call; leave must follow if it returns nil.
func (c *Context) enter() error {
	if c.model.info.isPlanOnly {
		return ErrPlanOnly // its buffers are empty
	}
	return c.occupy()
}

// occupy keeps others out, whatever the context is for.
func (c *Context) occupy() error {
	if !c.acquire() {
		return ErrClosed
	}
	if c.busy.Swap(true) {
		c.release()
		return ErrConcurrent
	}
	return nil
}

func (c *Context) leave() {
	c.busy.Store(false)
	c.release()
}

func (c *Context) free() {
	C.aigw_context_free(c.h)
	c.done.close()
	c.model.release()
}

// Close frees the context, its cache and its threads. It may be called twice.
//
//	void llama_free(struct llama_context * ctx);
//	void ggml_threadpool_free(struct ggml_threadpool * threadpool);
func (c *Context) Close() error {
	c.refs.close()
	return nil
}

// Abort ends, while on, a step under way and every later one with ErrAborted. It may be called from
// any goroutine. On a CPU the step ends after the graph node it is at; other devices finish what
// they were given.
//
//	bool (*ggml_abort_callback)(void * data);
func (c *Context) Abort(on bool) {
	if !c.acquire() {
		return
	}
	C.aigw_context_abort(c.h, C.bool(on))
	c.release()
}

// ContextSize is the number of cells.
func (c *Context) ContextSize() int { return c.size }

// SeqContextSize is the most tokens of one sequence; if Unified, all cells.
func (c *Context) SeqContextSize() int { return c.sizePerSeq }

// BatchSize is the most tokens of a step.
func (c *Context) BatchSize() int { return c.batch }

// Options are those that the context was made with, defaults filled in.
func (c *Context) Options() ContextOptions { return c.options }

// Model is the model that the context was made of.
func (c *Context) Model() *Model { return c.model }

// Threads is the number of threads that compute.
func (c *Context) Threads() int { return c.threads }

// SetThreads lets n threads of the pool compute from the next step on.
//
//	void llama_set_n_threads(struct llama_context * ctx, int32_t n_threads, int32_t n_threads_batch);
func (c *Context) SetThreads(n int) error {
	if n < 1 || n > c.options.Threads {
		return fmt.Errorf("set threads: %w: %d, the pool has %d", ErrThreads, n, c.options.Threads)
	}
	if err := c.enter(); err != nil {
		return fmt.Errorf("set threads: %w", err)
	}
	defer c.leave()
	var cerr C.aigw_error
	if err := failure(C.aigw_context_set_threads(c.h, C.int32_t(n), &cerr), &cerr); err != nil {
		return fmt.Errorf("set threads: %w", err)
	}
	c.threads = n
	return nil
}

// DecodedTokens counts the tokens that were given to llama_decode, also in vain. It may be called
// from any goroutine; after Close it is 0.
func (c *Context) DecodedTokens() uint64 {
	if !c.acquire() {
		return 0
	}
	defer c.release()
	return uint64(C.aigw_context_decoded(c.h))
}

// Logits copies a row of the last step: one value for each token of the vocabulary. index counts
// the tokens of that step's batch.
//
//	float * llama_get_logits_ith(struct llama_context * ctx, int32_t i);
func (c *Context) Logits(index int) ([]float32, error) {
	if err := c.enter(); err != nil {
		return nil, fmt.Errorf("read logits: %w", err)
	}
	defer c.leave()
	if index < 0 || index >= c.decoded || unsafe.Slice(c.step.output, c.decoded)[index] == 0 {
		return nil, fmt.Errorf("read logits: %w: token %d of %d in the last batch", ErrNoLogits, index, c.decoded)
	}
	row := make([]float32, c.model.vocab.Size())
	var cerr C.aigw_error
	if err := failure(C.aigw_context_logits(c.h, C.int32_t(index), (*C.float)(unsafe.SliceData(row)), &cerr), &cerr); err != nil {
		return nil, fmt.Errorf("read logits of token %d: %w", index, err)
	}
	return row, nil
}

var _ io.Closer = (*Context)(nil)
