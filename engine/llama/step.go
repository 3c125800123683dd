package llama

// #include "shim.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// SeqID names a sequence of a context.
type SeqID = int32

// Pos is the place of a token in its sequence, from 0.
type Pos = int32

// OpKind is a kind of sequence operation.
type OpKind int32

// Sequence operations. None of them moves data in a unified cache.
const (
	// OpRemove takes the positions From to To-1 from Seq; a cell is free when its last sequence is gone.
	OpRemove OpKind = iota
	// OpCopy makes the cells of Seq at these positions belong to Dst too, which must not have any there.
	OpCopy
	// OpKeep removes every other sequence; where sequences do not share a cache, it does nothing to others.
	OpKeep
)

// SeqOp is an operation on the cache. A To of -1 means the end of the sequence.
type SeqOp struct {
	Kind     OpKind
	Seq, Dst SeqID
	From, To Pos
}

// Row asks for a token to be sampled behind one token of the batch.
type Row struct {
	Batch   int32 // index into the batch; that token must have Outputs set
	Sampler *Sampler
	// Draft: that token is a guess at what the row before samples. If it is wrong the row's
	// logits follow a text that is none: nothing is sampled and the sampler is left alone.
	Draft bool
}

// RowState is what became of a row.
type RowState int8

const (
	RowDrawn RowState = C.AIGW_ROW_DRAWN
	// RowBad: the logits hold NaN or +Inf, or nothing but -Inf.
	RowBad RowState = C.AIGW_ROW_BAD
	// RowComplete: the grammar's text is complete, nothing may follow, and Ends names no token.
	RowComplete RowState = C.AIGW_ROW_COMPLETE
	// RowStuck: no token of the vocabulary goes on with the grammar's text, or following it exceeds a
	// bound of memory or time.
	RowStuck RowState = C.AIGW_ROW_STUCK
)

// DecodeCode is what llama_decode returned.
type DecodeCode int32

// Codes of llama_decode, and one of the shim.
const (
	DecodeOK           DecodeCode = 0
	DecodeNoSlot       DecodeCode = 1
	DecodeAborted      DecodeCode = 2
	DecodeInvalidBatch DecodeCode = -1
	DecodeAllocFailed  DecodeCode = -2
	DecodeFailed       DecodeCode = -3
	DecodeThrew        DecodeCode = -128 // an exception was caught; the cache is in an unknown state
)

// Step is one round of work for a context, done in one crossing into C: first the sequence
// operations in order, then the batch, then sampling. Reuse one Step: its slices keep their room.
type Step struct {
	Ops []SeqOp

	// The batch; all four slices have the length of Tokens, which may be 0.
	Tokens  []Token
	Pos     []Pos
	Seqs    []SeqID
	Outputs []bool // compute logits behind this token

	Rows []Row

	// Sampled has a token for each row, or -1 behind a wrong guess and where States says that none
	// was drawn. The sampler has accepted it as part of its text.
	Sampled []Token
	States  []RowState
	// Code is what llama_decode returned.
	Code DecodeCode
}

// Reset empties s for the next round and keeps its memory.
func (s *Step) Reset() {
	s.Ops, s.Tokens, s.Pos, s.Seqs, s.Outputs = s.Ops[:0], s.Tokens[:0], s.Pos[:0], s.Seqs[:0], s.Outputs[:0]
	clear(s.Rows) // do not hold samplers
	s.Rows, s.Sampled, s.States, s.Code = s.Rows[:0], s.Sampled[:0], s.States[:0], DecodeOK
}

// Step runs s. Everything that llama.cpp would abort on is checked first; if such a check fails
// nothing was done. Later failures:
//
//   - *OpError: the operations before this one were done, this and all that follows was not.
//   - ErrNoSlot: the operations were done; the cache is otherwise as before.
//   - ErrAborted, *DecodeError: the operations were done, and the cache may hold some tokens of the
//     batch, for a moment even without their data. The caller must remove each sequence of the
//     batch back to its last confirmed position, and check with SeqPosMax that it is there.
//
// In all these cases nothing was sampled and Sampled is empty. The logits of an earlier step are
// gone as soon as a batch was tried.
//
//	bool llama_memory_seq_rm(llama_memory_t mem, llama_seq_id seq_id, llama_pos p0, llama_pos p1);
//	void llama_memory_seq_cp(llama_memory_t mem, llama_seq_id seq_id_src, llama_seq_id seq_id_dst, llama_pos p0, llama_pos p1);
//	void llama_memory_seq_keep(llama_memory_t mem, llama_seq_id seq_id);
//	int32_t llama_decode(struct llama_context * ctx, struct llama_batch batch);
//	float * llama_get_logits_ith(struct llama_context * ctx, int32_t i);
func (c *Context) Step(s *Step) error {
	s.Sampled, s.States, s.Code = s.Sampled[:0], s.States[:0], DecodeOK
	if err := c.enter(); err != nil {
		return fmt.Errorf("step: %w", err)
	}
	defer c.leave()
	if err := c.checkOps(s.Ops); err != nil {
		return err
	}
	if err := c.checkBatch(s); err != nil {
		return fmt.Errorf("step: %w", err)
	}
	if err := c.acquireSamplers(s); err != nil {
		return fmt.Errorf("step: %w", err)
	}
	defer releaseSamplers(s.Rows)
	if err := c.fill(s); err != nil {
		return fmt.Errorf("step: %w", err)
	}
	if len(s.Tokens) > 0 {
		c.decoded = 0
	}
	code, err := c.runStep()
	if err != nil {
		return fmt.Errorf("step: %w", err)
	}
	if code != C.AIGW_OK {
		return c.stepError(code, s)
	}
	if len(s.Tokens) > 0 {
		c.decoded = len(s.Tokens)
	}
	rows := len(s.Rows)
	if rows > 0 {
		s.Sampled = append(s.Sampled, unsafe.Slice((*int32)(c.step.sampled), rows)...)
		s.States = append(s.States, unsafe.Slice((*RowState)(unsafe.Pointer(c.step.state)), rows)...)
	}
	return nil
}

// runStep runs what fill has prepared. While a batch is computed no call into C is under way: Go
// would watch it, and so take the cores from what it watches (shim_worker.cpp).
func (c *Context) runStep() (C.int32_t, error) {
	if c.step.n_tokens == 0 {
		return C.aigw_step_run(c.h), nil
	}
	C.aigw_step_post(c.h)
	if err := c.done.wait(); err != nil {
		return 0, err
	}
	return C.aigw_step_code(c.h), nil
}

// checkOps refuses what aborts in llama_memory_seq_*.
func (c *Context) checkOps(ops []SeqOp) error {
	for i, op := range ops {
		if err := c.checkOp(op); err != nil {
			return &OpError{Index: i, Op: op, Err: err}
		}
	}
	return nil
}

func (c *Context) checkOp(op SeqOp) error {
	if op.Kind < OpRemove || op.Kind > OpKeep {
		return fmt.Errorf("%w: %d", ErrUnknownOp, op.Kind)
	}
	if err := c.checkSeq(op.Seq); err != nil {
		return err
	}
	if op.Kind == OpKeep {
		return nil
	}
	if op.From < 0 || op.To < -1 || op.To >= 0 && op.To < op.From {
		return ErrPosRange
	}
	if op.Kind == OpCopy {
		if err := c.checkSeq(op.Dst); err != nil {
			return err
		}
		if !c.unifiedCells && op.Seq != op.Dst && (op.From != 0 || op.To != -1) {
			return ErrPartialCopy
		}
	}
	return nil
}

func (c *Context) checkSeq(seq SeqID) error {
	if seq < 0 || seq >= c.seqLimit {
		return fmt.Errorf("%w: %d, ids are below %d", ErrSeqRange, seq, c.seqLimit)
	}
	return nil
}

// checkBatch refuses what aborts in llama_decode and llama_get_logits_ith.
func (c *Context) checkBatch(s *Step) error {
	n := len(s.Tokens)
	if len(s.Pos) != n || len(s.Seqs) != n || len(s.Outputs) != n {
		return fmt.Errorf("%w: %d tokens, %d positions, %d sequences, %d outputs", ErrBatchShape, n, len(s.Pos), len(s.Seqs), len(s.Outputs))
	}
	if n > c.batch {
		return fmt.Errorf("%w: %d tokens, at most %d", ErrBatchTooLong, n, c.batch)
	}
	vocab := Token(c.model.vocab.Size())
	outputs := 0
	for i, t := range s.Tokens {
		if t < 0 || t >= vocab {
			return fmt.Errorf("%w: token %d of the batch is %d, the vocabulary has %d", ErrTokenRange, i, t, vocab)
		}
		if p := s.Pos[i]; p < 0 || p >= c.posLimit {
			return fmt.Errorf("%w: token %d of the batch is at %d, positions are below %d", ErrPosRange, i, p, c.posLimit)
		}
		if err := c.checkSeq(s.Seqs[i]); err != nil {
			return fmt.Errorf("token %d of the batch: %w", i, err)
		}
		if s.Outputs[i] {
			outputs++
		}
	}
	if outputs > c.options.MaxOutputs {
		return fmt.Errorf("%w: %d, at most %d", ErrTooManyOutputs, outputs, c.options.MaxOutputs)
	}
	for i, r := range s.Rows {
		if r.Batch < 0 || int(r.Batch) >= n || !s.Outputs[r.Batch] {
			return fmt.Errorf("%w: row %d is token %d of a batch of %d", ErrNoLogits, i, r.Batch, n)
		}
		if r.Draft && (i == 0 || s.Rows[i-1].Batch >= r.Batch) {
			return fmt.Errorf("%w: row %d guesses what no row before it samples", ErrNoLogits, i)
		}
		if r.Sampler == nil {
			return fmt.Errorf("%w: row %d", ErrNoSampler, i)
		}
		if r.Sampler.vocabSize != int(vocab) {
			return fmt.Errorf("%w: row %d: %d tokens, the model has %d", ErrSampler, i, r.Sampler.vocabSize, vocab)
		}
	}
	return nil
}

// acquireSamplers keeps the samplers of a step from being freed during it.
func (c *Context) acquireSamplers(s *Step) error {
	for i, r := range s.Rows {
		if !r.Sampler.acquire() {
			releaseSamplers(s.Rows[:i])
			return fmt.Errorf("sampler of row %d: %w", i, ErrClosed)
		}
	}
	return nil
}

func releaseSamplers(rows []Row) {
	for _, r := range rows {
		r.Sampler.release()
	}
}

// fill copies s into the memory shared with C.
func (c *Context) fill(s *Step) error {
	a := c.step
	if len(s.Ops) > int(a.cap_ops) || len(s.Rows) > int(a.cap_rows) {
		var cerr C.aigw_error
		// Twice what is needed, so that growth is rare.
		code := C.aigw_step_reserve(c.h, C.int32_t(2*len(s.Ops)), C.int32_t(2*len(s.Rows)), &cerr)
		if err := failure(code, &cerr); err != nil {
			return err
		}
	}
	n := len(s.Tokens)
	a.n_ops, a.n_tokens, a.n_rows = C.int32_t(len(s.Ops)), C.int32_t(n), C.int32_t(len(s.Rows))
	ops := unsafe.Slice(a.ops, len(s.Ops))
	for i, op := range s.Ops {
		ops[i] = C.aigw_op{
			kind: C.int32_t(op.Kind),
			seq:  C.int32_t(op.Seq),
			dst:  C.int32_t(op.Dst),
			from: C.int32_t(op.From),
			to:   C.int32_t(op.To),
		}
	}
	if n == 0 {
		return nil // what the last batch left is still of use to Logits
	}
	copy(unsafe.Slice((*int32)(a.token), n), s.Tokens)
	copy(unsafe.Slice((*int32)(a.pos), n), s.Pos)
	copy(unsafe.Slice((*int32)(a.seq), n), s.Seqs)
	output := unsafe.Slice((*int8)(a.output), n)
	for i, on := range s.Outputs {
		output[i] = 0
		if on || c.options.Embeddings {
			output[i] = 1
		}
	}
	row := unsafe.Slice((*int32)(a.row), len(s.Rows))
	sampler := unsafe.Slice(a.sampler, len(s.Rows))
	draft := unsafe.Slice((*int8)(a.draft), len(s.Rows))
	for i, r := range s.Rows {
		row[i] = r.Batch
		sampler[i] = r.Sampler.h
		draft[i] = 0
		if r.Draft {
			draft[i] = 1
		}
	}
	return nil
}

// stepError tells what the shim found, and sets s.Code.
func (c *Context) stepError(code C.int32_t, s *Step) error {
	a := c.step
	text := C.GoString(&a.err.text[0])
	switch code {
	case C.AIGW_BAD_OP:
		i := int(a.failed_op)
		return &OpError{Index: i, Op: s.Ops[i], Err: ErrPartialRemove}
	case C.AIGW_DECODE:
		s.Code = DecodeCode(a.decode)
		switch s.Code {
		case DecodeNoSlot:
			return ErrNoSlot
		case DecodeAborted:
			return ErrAborted
		}
		return &DecodeError{Code: s.Code, Reason: text}
	case C.AIGW_NO_ROW:
		return fmt.Errorf("step: %w: %s", ErrNoLogits, text)
	}
	s.Code = DecodeThrew
	return &DecodeError{Code: DecodeThrew, Reason: text}
}
