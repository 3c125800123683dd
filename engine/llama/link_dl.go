//go:build llama_dl

package llama

// Shared libllama and ggml; ggml's back ends are plug-ins that Init loads, so that one program
// serves many kinds of CPU, with or without CUDA. The run path is the build's folder, then the
// program's own and the lib folder beside it, where an image keeps them.

// #cgo CPPFLAGS: -I${SRCDIR}/../../third_party/llama.cpp/out/dl/include
// #cgo CXXFLAGS: -O3 -std=c++17 -Wall -Wextra
// #cgo LDFLAGS: -L${SRCDIR}/../../third_party/llama.cpp/out/dl/lib -lllama -lggml -lggml-base
// #cgo LDFLAGS: -Wl,-rpath,${SRCDIR}/../../third_party/llama.cpp/out/dl/lib
// #cgo LDFLAGS: -Wl,-rpath,$ORIGIN -Wl,-rpath,$ORIGIN/../lib
// #cgo LDFLAGS: -lstdc++ -lm -lpthread -ldl
import "C"

const dynamic = true
