package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// Array is a metadata array that is still in the file. Reading it needs the File to be open. It
// may be used concurrently.
type Array struct {
	Type ValueType // of the elements
	Len  int       // number of elements

	path   string
	src    io.ReaderAt
	size   int64 // of the file
	offset int64 // of the first element
	bytes  int64 // of all elements
}

// Strings is an array of strings in one block of memory.
type Strings struct {
	text string
	ends []uint32 // string i is text[ends[i-1]:ends[i]]
}

// Len returns the number of strings.
func (s *Strings) Len() int { return len(s.ends) }

// At returns string i without copying it.
func (s *Strings) At(i int) string {
	if i == 0 {
		return s.text[:s.ends[0]]
	}
	return s.text[s.ends[i-1]:s.ends[i]]
}

// Strings reads an array of strings: in memory they take their bytes and four more each.
func (a *Array) Strings() (*Strings, error) {
	if a.Type != StringValue {
		return nil, a.mismatch("strings")
	}
	s := a.scanner()
	out := &Strings{ends: make([]uint32, 0, a.Len)}
	var b strings.Builder
	b.Grow(int(max(0, a.bytes-8*int64(a.Len))))
	for i := range a.Len {
		s.entry = i
		s.copyTo(&b, s.length(MaxString, "text"))
		if s.err != nil || s.pos > a.offset+a.bytes {
			return nil, a.changed(s)
		}
		out.ends = append(out.ends, uint32(b.Len()))
	}
	out.text = b.String()
	return out, nil
}

// Int32s reads an array of 32-bit whole numbers.
func (a *Array) Int32s() ([]int32, error) {
	if a.Type != Int32Value && a.Type != Uint32Value {
		return nil, a.mismatch("32-bit whole numbers")
	}
	out := make([]int32, 0, a.Len)
	err := a.words(func(w uint32) { out = append(out, int32(w)) })
	return out, err
}

// Float32s reads an array of 32-bit floating-point or whole numbers as floating-point numbers.
func (a *Array) Float32s() ([]float32, error) {
	if a.Type != Float32Value && a.Type != Int32Value {
		return nil, a.mismatch("32-bit numbers")
	}
	out := make([]float32, 0, a.Len)
	err := a.words(func(w uint32) {
		if a.Type == Int32Value {
			out = append(out, float32(int32(w)))
		} else {
			out = append(out, math.Float32frombits(w))
		}
	})
	return out, err
}

// words calls each with the elements of an array of 32-bit values.
func (a *Array) words(each func(uint32)) error {
	s := a.scanner()
	for left := a.Len; left > 0; {
		n := min(left, scanBuffer/4)
		block := s.next(4 * n)
		if s.err != nil {
			return a.changed(s)
		}
		for ; len(block) > 0; block = block[4:] {
			each(binary.LittleEndian.Uint32(block))
		}
		left -= n
	}
	return nil
}

func (a *Array) scanner() *scanner {
	s := newScanner(a.src, a.size, a.offset)
	s.what = "array element"
	return s
}

func (a *Array) mismatch(want string) error {
	return fmt.Errorf("%s: array of %s where %s are expected", a.path, a.Type, want)
}

// changed reports an array that could be passed over when the file was opened and now cannot be
// read: the file was closed, replaced, or its disk fails.
func (a *Array) changed(s *scanner) error {
	if s.err == nil {
		s.fail(Damaged, a.offset, "keep the file unchanged while it is in use", "an array changed while it was read")
	}
	s.err.Path = a.path
	return s.err
}
