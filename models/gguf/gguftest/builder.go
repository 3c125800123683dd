// Package gguftest builds small GGUF files for tests: arbitrary metadata and tensors, split
// sets, files with one wrong field, and tiny models that llama.cpp can run.
package gguftest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"aigw/models/gguf"
)

// Builder collects what a file shall contain. Its methods return it, so that calls chain. The
// zero value is an empty version 3 file.
type Builder struct {
	Version   uint32 // 0 means 3
	Alignment uint32 // 0 means 32, and no general.alignment is written

	// Wrong fields, for tests of refusals. Counts are added to the true ones.
	ExtraKeys, ExtraTensors int64

	entries []entry
	tensors []tensor
}

type entry struct {
	key   string
	value any
}

type tensor struct {
	name  string
	typ   gguf.Type
	shape []int64
	data  []byte // nil leaves a hole of zeros
	// offset replaces the true offset if set.
	offset *uint64
}

// Set adds a metadata entry, or replaces the one of that key. The value's Go type decides the
// GGUF type: bool, (u)int8 to (u)int64, float32, float64, string, a slice of one of them, or
// Raw.
func (b *Builder) Set(key string, value any) *Builder {
	for i := range b.entries {
		if b.entries[i].key == key {
			b.entries[i].value = value
			return b
		}
	}
	return b.Add(key, value)
}

// Add adds a metadata entry even if the key is there already.
func (b *Builder) Add(key string, value any) *Builder {
	b.entries = append(b.entries, entry{key, value})
	return b
}

// Remove drops a metadata entry.
func (b *Builder) Remove(key string) *Builder {
	var kept []entry
	for _, e := range b.entries {
		if e.key != key {
			kept = append(kept, e)
		}
	}
	b.entries = kept
	return b
}

// Raw is a value written as it is: type and bytes, both perhaps wrong.
type Raw struct {
	Type  uint32
	Bytes []byte
}

// Tensor adds a tensor. Data of nil leaves a hole, which takes no room on disk.
func (b *Builder) Tensor(name string, typ gguf.Type, data []byte, shape ...int64) *Builder {
	b.tensors = append(b.tensors, tensor{name: name, typ: typ, data: data, shape: shape})
	return b
}

// MoveTensor gives the last tensor a wrong offset in the data section.
func (b *Builder) MoveTensor(offset uint64) *Builder {
	b.tensors[len(b.tensors)-1].offset = &offset
	return b
}

// Floats returns values as the data of an F32 tensor.
func Floats(values []float32) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// Header returns the bytes before the data section, padded.
func (b *Builder) Header() []byte {
	le := binary.LittleEndian
	version := b.Version
	if version == 0 {
		version = 3
	}
	entries := b.entries
	if b.Alignment != 0 {
		entries = append(append([]entry(nil), entries...), entry{"general.alignment", b.Alignment})
	}
	out := append([]byte("GGUF"), le.AppendUint32(nil, version)...)
	out = le.AppendUint64(out, uint64(int64(len(b.tensors))+b.ExtraTensors))
	out = le.AppendUint64(out, uint64(int64(len(entries))+b.ExtraKeys))
	for _, e := range entries {
		out = appendString(out, e.key)
		out = appendValue(out, e.value)
	}
	var offset int64
	for _, t := range b.tensors {
		out = appendString(out, t.name)
		out = le.AppendUint32(out, uint32(len(t.shape)))
		for _, n := range t.shape {
			out = le.AppendUint64(out, uint64(n))
		}
		out = le.AppendUint32(out, uint32(t.typ))
		if t.offset != nil {
			out = le.AppendUint64(out, *t.offset)
		} else {
			out = le.AppendUint64(out, uint64(offset))
		}
		offset += pad(t.bytes(), b.align())
	}
	if len(b.tensors) == 0 {
		return out
	}
	return append(out, make([]byte, pad(int64(len(out)), b.align())-int64(len(out)))...)
}

// Bytes returns the whole file.
func (b *Builder) Bytes() []byte {
	var out bytes.Buffer
	out.Write(b.Header())
	for _, t := range b.tensors {
		start := out.Len()
		out.Write(t.data)
		out.Write(make([]byte, int64(start)+pad(t.bytes(), b.align())-int64(out.Len())))
	}
	return out.Bytes()
}

// File parses what was built.
func (b *Builder) File(t testing.TB) *gguf.File {
	t.Helper()
	data := b.Bytes()
	f, err := gguf.Read(bytes.NewReader(data), int64(len(data)), "built")
	if err != nil {
		t.Fatalf("gguftest: %v", err)
	}
	return f
}

// WriteFile writes the file into dir and returns its path. Holes stay holes on disk.
func (b *Builder) WriteFile(t testing.TB, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	file, err := os.Create(path)
	if err == nil {
		err = b.writeSparse(file)
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatalf("gguftest: %v", err)
	}
	return path
}

func (b *Builder) writeSparse(file *os.File) error {
	header := b.Header()
	if _, err := file.Write(header); err != nil {
		return err
	}
	at := int64(len(header))
	for _, t := range b.tensors {
		if _, err := file.WriteAt(t.data, at); err != nil {
			return err
		}
		at += pad(t.bytes(), b.align())
	}
	_, err := file.Seek(0, io.SeekStart)
	if err == nil {
		err = file.Truncate(at)
	}
	return err
}

func (b *Builder) align() int64 {
	if b.Alignment == 0 {
		return 32
	}
	return int64(b.Alignment)
}

// bytes is the size of a tensor; 0 where its type or shape is wrong.
func (t tensor) bytes() int64 {
	block, bytes, ok := t.typ.Block()
	if !ok {
		return 0
	}
	n := int64(1)
	for _, d := range t.shape {
		if d <= 0 || n > 1<<50/d {
			return 0
		}
		n *= d
	}
	return n / block * bytes
}

func pad(n, alignment int64) int64 {
	if alignment <= 0 {
		return n
	}
	return (n + alignment - 1) / alignment * alignment
}

func appendString(out []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(out, uint64(len(s))), s...)
}

func appendValue(out []byte, value any) []byte {
	le := binary.LittleEndian
	if raw, ok := value.(Raw); ok {
		return append(le.AppendUint32(out, raw.Type), raw.Bytes...)
	}
	if typ, ok := valueType(value); ok {
		return appendScalar(le.AppendUint32(out, uint32(typ)), value)
	}
	typ, elements := sliceOf(value)
	out = le.AppendUint32(out, uint32(gguf.ArrayValue))
	out = le.AppendUint32(out, uint32(typ))
	out = le.AppendUint64(out, uint64(len(elements)))
	for _, e := range elements {
		out = appendScalar(out, e)
	}
	return out
}

func valueType(value any) (gguf.ValueType, bool) {
	switch value.(type) {
	case uint8:
		return gguf.Uint8Value, true
	case int8:
		return gguf.Int8Value, true
	case uint16:
		return gguf.Uint16Value, true
	case int16:
		return gguf.Int16Value, true
	case uint32:
		return gguf.Uint32Value, true
	case int32:
		return gguf.Int32Value, true
	case float32:
		return gguf.Float32Value, true
	case bool:
		return gguf.BoolValue, true
	case string:
		return gguf.StringValue, true
	case uint64:
		return gguf.Uint64Value, true
	case int64:
		return gguf.Int64Value, true
	case float64:
		return gguf.Float64Value, true
	}
	return 0, false
}

func sliceOf(value any) (gguf.ValueType, []any) {
	switch v := value.(type) {
	case []string:
		return gguf.StringValue, elements(v)
	case []int32:
		return gguf.Int32Value, elements(v)
	case []uint32:
		return gguf.Uint32Value, elements(v)
	case []float32:
		return gguf.Float32Value, elements(v)
	case []uint8:
		return gguf.Uint8Value, elements(v)
	case []int8:
		return gguf.Int8Value, elements(v)
	case []bool:
		return gguf.BoolValue, elements(v)
	case []uint16:
		return gguf.Uint16Value, elements(v)
	case []int64:
		return gguf.Int64Value, elements(v)
	}
	panic(fmt.Sprintf("gguftest: no GGUF type for %T", value))
}

func elements[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

func appendScalar(out []byte, value any) []byte {
	if s, ok := value.(string); ok {
		return appendString(out, s)
	}
	out, err := binary.Append(out, binary.LittleEndian, value)
	if err != nil {
		panic("gguftest: " + err.Error())
	}
	return out
}
