// Package llama is the binding to llama.cpp v0.5.0: the only package of this program that uses
// cgo and unsafe.
//
// One Go file stands for one area of llama.h and quotes the C signature above each wrapper:
//
//	backend.go, info.go   llama_backend_init, ggml back ends and devices
//	log.go                llama_log_set, into log/slog
//	model.go, meta.go     llama_model_*
//	vocab.go, tokenize.go llama_vocab_*, llama_tokenize
//	context.go            llama_init_from_model, ggml thread pool
//	step.go               llama_memory_seq_*, llama_decode, sampling: one crossing a step
//	doorbell.go           how a step on the context's own thread is waited for
//	memory.go             positions, cells and bytes of a context
//	embedding.go          llama_get_embeddings_*
//	sampler.go            llama_sampler_*
//	grammar.go, gbnf.go   what a sampler may draw; ours, llama.cpp's aborts the process
//	template.go           common/jinja
//	state.go              llama_state_seq_*
//	quantize.go           llama_model_quantize
//	open.go               what is alive
//
// Calls go through a C++ shim (shim.h), which catches every exception. What would make llama.cpp
// abort the process is checked in Go beforehand and returned as one of the errors of errors.go.
//
// # Life and threads
//
// Everything with a Close must be closed; nothing is finalised. Close may be called twice, and a
// call after it returns ErrClosed. A model that is closed keeps its weights until the last of its
// contexts is closed. Open counts what is alive in C, so that a test can find leaks.
//
// A Model and its Vocab may be used by many goroutines. A Context may be used by one goroutine at
// a time; overlapping calls are refused with ErrConcurrent, but Abort, DecodedTokens and the plain
// numbers may be asked for at any time. It computes on a thread of its own (shim_worker.cpp). A
// Sampler belongs to the context that it is given to.
//
// # Building
//
// third_party/llama.cpp/build.sh makes the libraries that link_static.go or, with the tag
// llama_dl, link_dl.go names. The ignored files llama_build_*.cpp beside this one hold the key of
// that build: they change when the libraries do, so that Go links again.
package llama
