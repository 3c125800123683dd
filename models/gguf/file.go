package gguf

import (
	"io"
)

// File is a model file, or a whole split set seen as one. It is immutable and may be used
// concurrently; arrays can be read until it is closed.
type File struct {
	// Path is what llama.cpp must be given: the file, or the first part of a split set.
	Path      string
	Parts     []Part
	Version   int
	Alignment int64    // of tensors in the first part, in bytes
	Tensors   []Tensor // of all parts

	keys   []string
	values map[string]Value
	closer io.Closer
}

// Part is one file of a split set, or the only one.
type Part struct {
	Path       string
	Size       int64 // in bytes
	DataOffset int64 // where the weights begin, in bytes
}

// Read reads the header of a single file of size bytes that need not be on disk. The name is
// for messages.
func Read(src io.ReaderAt, size int64, name string) (*File, error) {
	h, err := readHeader(src, size, name)
	if err != nil {
		return nil, err
	}
	return newFile(h), nil
}

func newFile(h *header) *File {
	return &File{
		Path:      h.path,
		Parts:     []Part{{Path: h.path, Size: h.size, DataOffset: h.dataOffset}},
		Version:   int(h.version),
		Alignment: h.alignment,
		Tensors:   h.tensors,
		keys:      h.keys,
		values:    h.values,
	}
}

// Close gives the file back to the operating system. Closing twice is harmless.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	c := f.closer
	f.closer = nil
	return c.Close()
}

// Keys returns the metadata keys in the order of the file.
func (f *File) Keys() []string { return f.keys }

// Value returns a metadata entry.
func (f *File) Value(key string) (Value, bool) {
	v, ok := f.values[key]
	return v, ok
}

// Text returns a string entry; ok is false if it is absent or of another type.
func (f *File) Text(key string) (text string, ok bool) { return f.values[key].Text() }

// Uint returns a non-negative whole-number entry; ok is false if it is absent or of another
// type.
func (f *File) Uint(key string) (n uint64, ok bool) {
	v, present := f.values[key]
	n, ok = v.Uint()
	return n, ok && present
}

// Bool returns a truth-value entry; ok is false if it is absent or of another type.
func (f *File) Bool(key string) (b, ok bool) { return f.values[key].Bool() }

// Array returns an array entry; ok is false if it is absent or no array.
func (f *File) Array(key string) (a *Array, ok bool) { return f.values[key].Array() }

// Architecture returns general.architecture, the prefix of the keys that describe the network.
func (f *File) Architecture() (string, bool) { return f.Text("general.architecture") }

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (Tensor, bool) {
	for _, t := range f.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// Size returns the bytes of all parts.
func (f *File) Size() int64 {
	var n int64
	for _, p := range f.Parts {
		n += p.Size
	}
	return n
}
