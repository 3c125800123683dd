//go:build !llama_dl

package llama

// #cgo CPPFLAGS: -I${SRCDIR}/../../third_party/llama.cpp/out/static/include
// #cgo CXXFLAGS: -O3 -std=c++17 -Wall -Wextra
// #cgo LDFLAGS: -L${SRCDIR}/../../third_party/llama.cpp/out/static/lib
// #cgo LDFLAGS: -laigw-jinja -Wl,--start-group -lllama -lggml -lggml-cpu -lggml-base -Wl,--end-group
// #cgo LDFLAGS: -lstdc++ -lm -lpthread -ldl
import "C"

const dynamic = false
