package llama

// #include "shim.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// SeqPosMin returns the smallest position of a sequence in the cache, or -1 if it is empty. It is
// above 0 where a sliding window has forgotten what lies behind it.
//
//	llama_pos llama_memory_seq_pos_min(llama_memory_t mem, llama_seq_id seq_id);
func (c *Context) SeqPosMin(seq SeqID) (Pos, error) {
	low, _, err := c.SeqRange(seq)
	return low, err
}

// SeqPosMax returns the largest position of a sequence in the cache, or -1 if it is empty.
//
//	llama_pos llama_memory_seq_pos_max(llama_memory_t mem, llama_seq_id seq_id);
func (c *Context) SeqPosMax(seq SeqID) (Pos, error) {
	_, high, err := c.SeqRange(seq)
	return high, err
}

// SeqRange returns what SeqPosMin and SeqPosMax do. All positions between them are there.
func (c *Context) SeqRange(seq SeqID) (low, high Pos, err error) {
	if err := c.enter(); err != nil {
		return -1, -1, fmt.Errorf("positions of sequence %d: %w", seq, err)
	}
	defer c.leave()
	if err := c.checkSeq(seq); err != nil {
		return -1, -1, fmt.Errorf("positions: %w", err)
	}
	var (
		cmin, cmax C.int32_t
		cerr       C.aigw_error
	)
	if err := failure(C.aigw_seq_pos(c.h, C.int32_t(seq), &cmin, &cmax, &cerr), &cerr); err != nil {
		return -1, -1, fmt.Errorf("positions of sequence %d: %w", seq, err)
	}
	return Pos(cmin), Pos(cmax), nil
}

// ClearAll removes all sequences and overwrites the cache with zeros, which also gets rid of NaN
// and Inf: with flash attention off these would poison other rows even from free cells.
//
//	void llama_memory_clear(llama_memory_t mem, bool data);
func (c *Context) ClearAll() error {
	if err := c.enter(); err != nil {
		return fmt.Errorf("clear: %w", err)
	}
	defer c.leave()
	var cerr C.aigw_error
	if err := failure(C.aigw_memory_clear(c.h, true, &cerr), &cerr); err != nil {
		return fmt.Errorf("clear: %w", err)
	}
	return nil
}

// UsedCells counts the cells that hold a token, in the cache itself; a cell that several sequences
// share counts once. Of a model with a sliding window these are the cells of the layers that see
// everything. It looks at every cell, so it is for tests and metrics, not for each step. Contexts
// without one pool of cells return ErrUnsupported.
//
//	size_t llama_state_seq_get_data(struct llama_context * ctx, uint8_t * dst, size_t size, llama_seq_id seq_id);
func (c *Context) UsedCells() (int, error) {
	if err := c.enter(); err != nil {
		return 0, fmt.Errorf("used cells: %w", err)
	}
	defer c.leave()
	if !c.unifiedCells || !c.hasMemory || c.model.IsRecurrent() || c.model.IsHybrid() {
		return 0, fmt.Errorf("used cells: %w", ErrUnsupported)
	}
	var (
		n    C.int64_t
		cerr C.aigw_error
	)
	if err := failure(C.aigw_used_cells(c.h, &n, &cerr), &cerr); err != nil {
		return 0, fmt.Errorf("used cells: %w", err)
	}
	return int(n), nil
}

// MemoryUse is the memory of one kind of buffer, in bytes.
type MemoryUse struct {
	Name    string // such as "CPU", "CPU_REPACK" or "CUDA0"
	Device  string // whose it is, as in Info
	Host    bool   // the CPU can read it
	Model   uint64 // weights, shared by all contexts of the model
	Context uint64 // the KV cache
	Compute uint64 // intermediate results
}

// MemoryBytes lists the memory of the context and its model by kind of buffer. Output rows, the
// vocabulary and samplers are not in it.
//
//	llama_memory_breakdown llama_get_memory_breakdown(const struct llama_context * ctx);
func (c *Context) MemoryBytes() ([]MemoryUse, error) {
	if err := c.occupy(); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	defer c.leave()
	buf := make([]C.aigw_memory_use, 16)
	for {
		n := C.int32_t(len(buf))
		var cerr C.aigw_error
		code := C.aigw_memory_breakdown(c.h, unsafe.SliceData(buf), &n, &cerr)
		if err := failure(code, &cerr); err != nil {
			return nil, fmt.Errorf("memory: %w", err)
		}
		if int(n) > len(buf) {
			buf = make([]C.aigw_memory_use, n)
			continue
		}
		uses := make([]MemoryUse, n)
		for i := range uses {
			uses[i] = MemoryUse{
				Name:    C.GoString(&buf[i].name[0]),
				Device:  C.GoString(&buf[i].device[0]),
				Host:    bool(buf[i].host),
				Model:   uint64(buf[i].model),
				Context: uint64(buf[i].context),
				Compute: uint64(buf[i].compute),
			}
		}
		return uses, nil
	}
}
