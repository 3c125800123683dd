//go:build llama_dl

package llama

// Shared libllama and ggml; ggml's back ends are plug-ins that Init loads, so that one program
// serves many kinds of CPU, with or without CUDA. They are looked for in the program's own folder and in
// the lib folder beside it, as releases and images have them. Programs that stay in this clone, such as
// tests, are linked with CGO_LDFLAGS=-Wl,-rpath,FOLDER: no release should know where it was built.

// #cgo CPPFLAGS: -I${SRCDIR}/../../third_party/llama.cpp/out/dl/include
// #cgo CXXFLAGS: -O3 -std=c++17 -Wall -Wextra
// #cgo LDFLAGS: -L${SRCDIR}/../../third_party/llama.cpp/out/dl/lib -laigw-jinja -lllama -lggml -lggml-base
// #cgo LDFLAGS: -Wl,-rpath,$ORIGIN -Wl,-rpath,$ORIGIN/../lib
// #cgo LDFLAGS: -lstdc++ -lm -lpthread -ldl
import "C"

const dynamic = true
