//go:build cuda && !llama_dl

package llama

// The CUDA back end, when third_party/llama.cpp was built with AIGW_CUDA=1. The group repeats the
// libraries of link_static.go: ggml's registry names the back end and the back end needs ggml.
// CGO_LDFLAGS=-L... adds a toolkit that lies elsewhere.

// #cgo LDFLAGS: -Wl,--start-group -lggml -lggml-cuda -lggml-base -Wl,--end-group
// #cgo LDFLAGS: -L/usr/local/cuda/lib64 -L/usr/local/cuda/lib64/stubs -lcudart -lcublas -lcublasLt -lcuda -lrt
import "C"
