package llama

import (
	"errors"
	"fmt"
)

// Errors that say what a caller did wrong. All but the first few stand for a check inside
// llama.cpp that would end the process; they are returned wrapped, with the values at fault.
var (
	ErrNotInitialized = errors.New("llama.cpp is not initialised: call llama.Init first")
	ErrClosed         = errors.New("used after Close")
	ErrConcurrent     = errors.New("context is in use by another goroutine")
	ErrLoadCancelled  = errors.New("loading was cancelled")
	ErrNotGGUF        = errors.New("not a GGUF file")
	ErrOverride       = errors.New("metadata override cannot be passed to llama.cpp")

	ErrVocabOnly     = errors.New("only the vocabulary of the model was loaded")
	ErrPlanOnly      = errors.New("the model was loaded to plan its memory, without weights")
	ErrNoVocab       = errors.New("model has no vocabulary")
	ErrNotGenerative = errors.New("model does not generate text")
	ErrContextSize   = errors.New("context size out of range")
	ErrBatchSize     = errors.New("batch size out of range")
	ErrMaxSeqs       = errors.New("number of sequences out of range")
	ErrMaxOutputs    = errors.New("number of output rows out of range")
	ErrThreads       = errors.New("number of threads out of range")
	ErrPoll          = errors.New("polling level out of range")
	ErrCacheType     = errors.New("unknown KV cache type")
	ErrQuantizedV    = errors.New("a quantised V cache needs flash attention")
	ErrCacheBlock    = errors.New("KV cache type does not fit the model's head size")
	ErrCacheMismatch = errors.New("model needs one type for the K and V cache")

	ErrBatchTooLong   = errors.New("batch is longer than the context's batch size")
	ErrBatchShape     = errors.New("slices of a step differ in length")
	ErrTooManyOutputs = errors.New("more output rows than the context was made for")
	ErrTokenRange     = errors.New("token id out of range")
	ErrSeqRange       = errors.New("sequence id out of range")
	ErrPosRange       = errors.New("position out of range")
	ErrNoLogits       = errors.New("row has no logits")
	ErrNoSampler      = errors.New("row has no sampler")
	ErrSampler        = errors.New("sampler is for a vocabulary of another size")
	ErrSamplerOptions = errors.New("sampler option out of range")
	ErrTemplate       = errors.New("chat template cannot be used")
	ErrGrammar        = errors.New("grammar cannot be used")
	ErrUnknownOp      = errors.New("unknown sequence operation")
	ErrPartialCopy    = errors.New("a part of a sequence can be copied only in a unified cache")
	ErrPartialRemove  = errors.New("model's memory cannot remove this part of a sequence")

	ErrTextTooLong   = errors.New("text is too long to tokenize")
	ErrNoSpecial     = errors.New("vocabulary lacks the special tokens that it asks for")
	ErrNoEmbeddings  = errors.New("context computes no embeddings")
	ErrUnsupported   = errors.New("not known for this kind of memory")
	ErrStateSeq      = errors.New("state can be saved only for sequence ids below MaxSeqs")
	ErrStateEmpty    = errors.New("sequence is empty")
	ErrStateCorrupt  = errors.New("saved state is damaged")
	ErrStateTooLarge = errors.New("saved state does not fit the cache")
	ErrStateMismatch = errors.New("saved state belongs to another model, build or setting")
)

// What a step may end with. Nothing is sampled then, and Step says what to do.
var (
	ErrNoSlot  = errors.New("no room in the KV cache for the batch")
	ErrAborted = errors.New("decode was aborted")
)

// DecodeError is any other failure of llama_decode. Like ErrAborted it leaves the cache with some
// of the batch's tokens; see Step.
type DecodeError struct {
	Code   DecodeCode
	Reason string // what llama.cpp logged or threw, if anything
}

func (e *DecodeError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("llama_decode failed with code %d", e.Code)
	}
	return fmt.Sprintf("llama_decode failed with code %d: %s", e.Code, e.Reason)
}

// OpError says which sequence operation of a step was refused. Those before it were done, those
// behind it and the batch were not.
type OpError struct {
	Index int
	Op    SeqOp
	Err   error
}

func (e *OpError) Error() string {
	return fmt.Sprintf("sequence operation %d (sequence %d, positions %d to %d): %v", e.Index, e.Op.Seq, e.Op.From, e.Op.To, e.Err)
}

func (e *OpError) Unwrap() error { return e.Err }
