package llama

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"unsafe"
)

// A saved sequence is a header of ours and what llama.cpp wrote. All numbers are little-endian.
//
//	 0  8 bytes  magic
//	 8  uint64   fingerprint of model, build and settings
//	16  uint64   length of the payload
//	24  uint32   CRC-32C of the payload and the 24 bytes before
//	28  payload  of llama_state_seq_get_data
const (
	stateMagic  = "aigwseq1"
	stateHeader = 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SaveSeq returns the cells of a sequence as bytes for RestoreSeq, in memory that alloc gives.
// Sharing is lost: each saved sequence carries all its cells. Only ids below MaxSeqs can be saved;
// copy another one there first (llama.cpp v0.5.0 writes no sequence ids from n_seq_max on).
//
//	size_t llama_state_seq_get_size(struct llama_context * ctx, llama_seq_id seq_id);
//	size_t llama_state_seq_get_data(struct llama_context * ctx, uint8_t * dst, size_t size, llama_seq_id seq_id);
func (c *Context) SaveSeq(seq SeqID, alloc func(bytes int) ([]byte, error)) ([]byte, error) {
	if err := c.enter(); err != nil {
		return nil, fmt.Errorf("save sequence %d: %w", seq, err)
	}
	defer c.leave()
	if err := c.checkSeq(seq); err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	if int(seq) >= c.options.MaxSeqs {
		return nil, fmt.Errorf("save sequence %d: %w: that is %d", seq, ErrStateSeq, c.options.MaxSeqs)
	}
	var (
		low, high C.int32_t
		size, n   C.uint64_t
		cerr      C.aigw_error
	)
	if err := failure(C.aigw_seq_pos(c.h, C.int32_t(seq), &low, &high, &cerr), &cerr); err != nil {
		return nil, fmt.Errorf("save sequence %d: %w", seq, err)
	}
	if high < 0 {
		return nil, fmt.Errorf("save sequence %d: %w", seq, ErrStateEmpty)
	}
	if err := failure(C.aigw_state_size(c.h, C.int32_t(seq), &size, &cerr), &cerr); err != nil {
		return nil, fmt.Errorf("save sequence %d: %w", seq, err)
	}
	data, err := alloc(stateHeader + int(size))
	if err != nil {
		return nil, fmt.Errorf("save sequence %d: %w", seq, err)
	}
	payload := data[stateHeader:]
	code := C.aigw_state_get(c.h, C.int32_t(seq), (*C.uint8_t)(unsafe.SliceData(payload)), size, &n, &cerr)
	if err := failure(code, &cerr); err != nil {
		return nil, fmt.Errorf("save sequence %d: %w", seq, err)
	}
	data = data[:stateHeader+int(n)]
	copy(data, stateMagic)
	binary.LittleEndian.PutUint64(data[8:], c.fingerprint())
	binary.LittleEndian.PutUint64(data[16:], uint64(n))
	binary.LittleEndian.PutUint32(data[24:], stateSum(data))
	return data, nil
}

// RestoreSeq puts a saved sequence into the cache in place of what seq holds. The bytes are
// checked before C sees them: that they are whole, and that model dimensions, build, cache types,
// flash attention and memory layout are those of this context. Two sets of weights of equal shape
// cannot be told apart here: keep saved states by the hash of the model file. After a failure in
// C the sequence is empty.
//
//	size_t llama_state_seq_set_data(struct llama_context * ctx, const uint8_t * src, size_t size, llama_seq_id dest_seq_id);
func (c *Context) RestoreSeq(seq SeqID, data []byte) error {
	if err := c.enter(); err != nil {
		return fmt.Errorf("restore sequence %d: %w", seq, err)
	}
	defer c.leave()
	if err := c.checkSeq(seq); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	payload, err := c.checkState(data)
	if err != nil {
		return fmt.Errorf("restore sequence %d: %w", seq, err)
	}
	var (
		n    C.uint64_t
		cerr C.aigw_error
	)
	code := C.aigw_state_set(c.h, C.int32_t(seq), (*C.uint8_t)(unsafe.SliceData(payload)), C.uint64_t(len(payload)), &n, &cerr)
	if err := failure(code, &cerr); err != nil {
		return fmt.Errorf("restore sequence %d: %w", seq, err)
	}
	return nil
}

// checkState returns the payload of a saved state that is whole and fits this context.
func (c *Context) checkState(data []byte) ([]byte, error) {
	switch {
	case len(data) <= stateHeader || string(data[:8]) != stateMagic:
		return nil, fmt.Errorf("%w: not a saved sequence", ErrStateCorrupt)
	case binary.LittleEndian.Uint64(data[16:]) != uint64(len(data)-stateHeader):
		return nil, fmt.Errorf("%w: it was cut", ErrStateCorrupt)
	case binary.LittleEndian.Uint32(data[24:]) != stateSum(data):
		return nil, fmt.Errorf("%w: its checksum differs", ErrStateCorrupt)
	case binary.LittleEndian.Uint64(data[8:]) != c.fingerprint():
		return nil, ErrStateMismatch
	}
	payload := data[stateHeader:]
	if cells := firstCells(payload); cells < 0 || cells > int64(c.size) {
		return nil, fmt.Errorf("%w: it has %d cells, the cache %d", ErrStateTooLarge, cells, c.size)
	}
	return payload, nil
}

// firstCells reads how many cells a saved state is about to fill, or -1: llama.cpp allocates for
// them before it looks whether they fit. In v0.5.0 the payload starts with magic, sequence id and
// number of streams, then for each stream the number of its cells and these themselves; only one
// stream has any.
func firstCells(payload []byte) int64 {
	word := func(i int) int64 {
		if len(payload) < 4*i+4 {
			return -1
		}
		return int64(binary.LittleEndian.Uint32(payload[4*i:]))
	}
	streams := word(2)
	for i := int64(0); i < streams && i < MaxSeq; i++ {
		if cells := word(3 + int(i)); cells != 0 {
			return cells
		}
	}
	return 0
}

// stateSum covers everything but itself.
func stateSum(data []byte) uint32 {
	return crc32.Update(crc32.Checksum(data[:24], castagnoli), castagnoli, data[stateHeader:])
}

// fingerprint stands for everything that must be equal for a saved state to mean the same.
func (c *Context) fingerprint() uint64 {
	h := fnv.New64a()
	m, o := c.model, c.options
	fmt.Fprintln(h, C.GoString(C.aigw_llama_version()),
		m.Description(), m.SizeBytes(), m.Parameters(), m.Layers(), m.Embedding(), m.Heads(), m.HeadsKV(), m.vocab.Size(),
		o.TypeK, o.TypeV, o.FlashAttention, o.SWAFull, c.unifiedCells)
	return h.Sum64()
}
