package llama

// #include "shim.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Embedding copies a result of the last step of a context made with Embeddings: for models that
// pool, the embedding of the sequence with that id, else of the token with that index in the batch.
//
//	float * llama_get_embeddings_seq(struct llama_context * ctx, llama_seq_id seq_id);
//	float * llama_get_embeddings_ith(struct llama_context * ctx, int32_t i);
func (c *Context) Embedding(index int32) ([]float32, error) {
	if err := c.enter(); err != nil {
		return nil, fmt.Errorf("read embedding: %w", err)
	}
	defer c.leave()
	if !c.options.Embeddings {
		return nil, fmt.Errorf("read embedding: %w: make it with Embeddings", ErrNoEmbeddings)
	}
	if index < 0 || !c.pooled && int(index) >= c.decoded {
		return nil, fmt.Errorf("read embedding: %w: %d of %d in the last batch", ErrNoLogits, index, c.decoded)
	}
	n := c.embedding
	out := make([]float32, n)
	var cerr C.aigw_error
	code := C.aigw_context_embedding(c.h, C.bool(c.pooled), C.int32_t(index), C.int32_t(n), (*C.float)(unsafe.SliceData(out)), &cerr)
	if err := failure(code, &cerr); err != nil {
		return nil, fmt.Errorf("read embedding %d: %w", index, err)
	}
	return out, nil
}

// Pooled says that embeddings are one a sequence and not one a token; HasMemory, that tokens of earlier steps are kept.
func (c *Context) Pooled() bool    { return c.pooled }
func (c *Context) HasMemory() bool { return c.hasMemory }
