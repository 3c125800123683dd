package gguf_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

// FuzzRead gives arbitrary bytes to the reader. What it accepts must be consistent: tensors
// inside the file, without overlap, and every array readable; what it refuses must be refused
// in one line.
func FuzzRead(f *testing.F) {
	f.Add((&gguftest.Builder{Version: 2, Alignment: 8}).
		Set("s", []string{"", "ab"}).Set("n", []int32{1, 2}).Set("f", float32(1)).
		Tensor("a", gguf.F32, nil, 2, 3).Tensor("b", gguf.Q8_0, nil, 32).Bytes())
	for _, tt := range refusals {
		if len(tt.data) < 1<<12 { // small seeds mutate faster
			f.Add(tt.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := gguf.Read(bytes.NewReader(data), int64(len(data)), "fuzz")
		if err != nil {
			var e *gguf.Error
			if !errors.As(err, &e) || strings.ContainsRune(err.Error(), '\n') {
				t.Fatalf("error %q", err)
			}
			return
		}
		end := int64(0)
		for _, w := range file.Tensors {
			if w.Offset < end || w.Offset%file.Alignment != 0 || w.Bytes <= 0 {
				t.Fatalf("tensor %+v after byte %d", w, end)
			}
			end = w.Offset + w.Bytes
		}
		if end > int64(len(data)) {
			t.Fatalf("tensors end at %d of %d bytes", end, len(data))
		}
		for _, key := range file.Keys() {
			v, ok := file.Value(key)
			if !ok || v.String() == "" {
				t.Fatalf("key %q has no value", key)
			}
			a, ok := v.Array()
			if !ok {
				continue
			}
			switch a.Type {
			case gguf.StringValue:
				s, err := a.Strings()
				if err != nil || s.Len() != a.Len {
					t.Fatalf("key %q: %d strings, %v", key, a.Len, err)
				}
				for i := range s.Len() {
					_ = s.At(i)
				}
			case gguf.Int32Value, gguf.Uint32Value:
				if n, err := a.Int32s(); err != nil || len(n) != a.Len {
					t.Fatalf("key %q: %d of %d numbers, %v", key, len(n), a.Len, err)
				}
			}
		}
	})
}

// BenchmarkOpen13GB opens a sparse file of the size of a 22B model with a vocabulary of 256,000
// pieces and 260,000 merges, and reads its pieces.
func BenchmarkOpen13GB(b *testing.B) {
	builder := &gguftest.Builder{}
	pieces, merges := make([]string, 256_000), make([]string, 260_000)
	for i := range pieces {
		pieces[i] = fmt.Sprintf("piece%d", i)
	}
	for i := range merges {
		merges[i] = fmt.Sprintf("a%d b%d", i, i)
	}
	builder.Set("general.architecture", "llama").
		Set("tokenizer.ggml.tokens", pieces).Set("tokenizer.ggml.merges", merges).
		Set("tokenizer.ggml.scores", make([]float32, len(pieces))).
		Set("tokenizer.ggml.token_type", make([]int32, len(pieces)))
	for i := range 56 {
		for j := range 9 {
			builder.Tensor(fmt.Sprintf("blk.%d.%d.weight", i, j), gguf.Q4K, nil, 6144, 7360)
		}
	}
	path := builder.WriteFile(b, b.TempDir(), "m.gguf")
	var size int64
	for b.Loop() {
		f, err := gguf.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		a, _ := f.Array("tokenizer.ggml.tokens")
		if _, err := a.Strings(); err != nil {
			b.Fatal(err)
		}
		size = f.Size()
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/1e9, "GB/file")
}
