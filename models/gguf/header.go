package gguf

import (
	"io"
	"math"
)

const (
	magic            = "GGUF"
	defaultAlignment = 32 // GGUF_DEFAULT_ALIGNMENT
	alignmentKey     = "general.alignment"
)

// header is what one file says of itself.
type header struct {
	path       string
	size       int64
	version    uint32
	alignment  int64
	dataOffset int64
	keys       []string // in the order of the file
	values     map[string]Value
	tensors    []Tensor
}

// Tensor is one entry of a tensor table.
type Tensor struct {
	Name   string
	Type   Type
	Dims   int      // dimensions that the file names, 0 to 4
	Shape  [4]int64 // elements in each dimension, the fastest first; 1 beyond Dims
	Part   int      // index of the file in File.Parts
	Offset int64    // of its first byte in that file
	Bytes  int64
}

// readHeader reads and checks the header of one file of size bytes.
func readHeader(src io.ReaderAt, size int64, path string) (*header, error) {
	h := &header{path: path, size: size, alignment: defaultAlignment, values: make(map[string]Value)}
	s := newScanner(src, size, 0)
	keys, tensors := h.preamble(s)
	h.metadata(s, keys)
	h.tensorTable(s, tensors)
	if s.err != nil {
		s.err.Path = path
		return nil, s.err
	}
	return h, nil
}

// preamble reads magic, version and counts.
func (h *header) preamble(s *scanner) (keys, tensors int) {
	s.what = "field"
	if h.size == 0 {
		s.fail(Empty, -1, hintDownload, "the file is empty")
		return 0, 0
	}
	if head := peek(s); string(head[:min(len(head), len(magic))]) != magic {
		what, hint := looksLike(s.src, head, h.size)
		s.fail(NotGGUF, -1, hint, "not a GGUF file: it looks like %s", what)
		return 0, 0
	}
	s.next(len(magic))
	s.entry = 1
	h.version = s.uint32()
	switch v := h.version; {
	case s.err != nil:
	case v == 2 || v == 3:
	case v != 0 && v&0xffff == 0:
		s.fail(BigEndian, 4, "take the usual little-endian file, or convert it with gguf_convert_endian.py of llama.cpp",
			"written for a big-endian machine")
	case v == 1:
		s.fail(Version, 4, "convert the original model again, or download a newer conversion",
			"GGUF version 1, which llama.cpp no longer reads")
	case v > 3 && v < 1<<10:
		s.fail(Version, 4, "update this program, or take a file of version 2 or 3",
			"GGUF version %d is newer than this program, which reads 2 and 3", v)
	default:
		s.fail(Damaged, 4, hintDamaged, "GGUF version %d does not exist", v)
	}
	s.entry = 2
	at := s.pos
	if n := s.uint64(); n > MaxTensors {
		s.fail(Damaged, at, hintDamaged, "claims %d tensors, the limit is %d", n, MaxTensors)
	} else {
		tensors = int(n)
	}
	s.entry = 3
	at = s.pos
	if n := s.uint64(); n > MaxKeys {
		s.fail(Damaged, at, hintDamaged, "claims %d metadata entries, the limit is %d", n, MaxKeys)
	} else {
		keys = int(n)
	}
	return keys, tensors
}

// peek returns the first bytes of the file without passing over them.
func peek(s *scanner) []byte {
	head := s.next(int(min(s.size, sniffBytes)))
	s.lo, s.pos = 0, 0
	return head
}

func (h *header) metadata(s *scanner, count int) {
	s.what = "metadata entry"
	for s.entry = 0; s.entry < count && s.err == nil; s.entry++ {
		at := s.pos
		key := s.text(MaxKeyLength, "a key")
		if s.err != nil {
			return
		}
		if !printable(key) {
			s.damaged(at, "has the key %q", Clip(key))
			return
		}
		if _, twice := h.values[key]; twice {
			s.damaged(at, "has the key %q a second time", Clip(key))
			return
		}
		if v := h.value(s, key); s.err == nil {
			h.keys = append(h.keys, key)
			h.values[key] = v
		}
	}
	if v, ok := h.values[alignmentKey]; ok && s.err == nil {
		n, _ := v.Uint()
		if v.Type != Uint32Value || n == 0 || n&(n-1) != 0 || n > MaxAlignment {
			s.fail(Damaged, -1, hintDamaged, "%s is %s %s, it must be a u32 power of two up to %d", alignmentKey, v.Type, v, MaxAlignment)
			return
		}
		h.alignment = int64(n)
	}
}

func (h *header) value(s *scanner, key string) Value {
	at := s.pos
	v := Value{Type: ValueType(s.uint32())}
	switch {
	case s.err != nil:
	case v.Type >= valueTypeCount:
		s.damaged(at, "(%s) has the unknown %s", Clip(key), v.Type)
	case v.Type == StringValue:
		v.text = s.text(MaxString, "a text")
	case v.Type == ArrayValue:
		v.array = h.array(s, key)
	default:
		v.bits = s.scalar(valueTypes[v.Type].bytes)
	}
	return v
}

// array notes where an array lies and passes over it.
func (h *header) array(s *scanner, key string) *Array {
	at := s.pos
	a := &Array{Type: ValueType(s.uint32()), path: h.path, src: s.src, size: h.size}
	n := s.uint64()
	switch {
	case s.err != nil:
		return nil
	case a.Type >= valueTypeCount || a.Type == ArrayValue:
		s.damaged(at, "(%s) is an array of %ss, which GGUF readers do not take", Clip(key), a.Type)
		return nil
	case n > MaxArray:
		s.damaged(at, "(%s) claims %d elements, the limit is %d", Clip(key), n, MaxArray)
		return nil
	}
	a.Len, a.offset = int(n), s.pos
	if a.Type != StringValue {
		s.skip(int64(n) * valueTypes[a.Type].bytes)
	} else if s.require(8 * int64(n)) { // each string has at least its length
		for range a.Len {
			s.skip(s.length(MaxString, "a text"))
			if s.err != nil {
				return nil
			}
		}
	}
	a.bytes = s.pos - a.offset
	return a
}

// tensorTable reads the table and checks it as gguf_init_from_reader does: the data section is
// the tensors in the order of the table, each padded to the alignment.
func (h *header) tensorTable(s *scanner, count int) {
	s.what = "tensor"
	names := make(map[string]int)
	offsets := make([]uint64, 0, min(count, 1<<10))
	for s.entry = 0; s.entry < count && s.err == nil; s.entry++ {
		at := s.pos
		t := Tensor{Name: s.text(MaxTensorName, "a name")}
		if s.err != nil {
			return
		}
		if !printable(t.Name) {
			s.damaged(at, "has the name %q", t.Name)
			return
		}
		if first, twice := names[t.Name]; twice {
			s.damaged(at, "has the name %q of tensor %d", t.Name, first)
			return
		}
		names[t.Name] = s.entry
		h.shape(s, &t)
		offsets = append(offsets, s.uint64())
		h.tensors = append(h.tensors, t)
	}
	if s.err != nil {
		return
	}
	h.dataOffset = s.pos
	if count > 0 {
		h.dataOffset = pad(s.pos, h.alignment)
	}
	h.place(s, offsets)
}

// shape reads dimensions and type of a tensor and works out its size.
func (h *header) shape(s *scanner, t *Tensor) {
	at := s.pos
	dims := s.uint32()
	if dims > MaxDims {
		s.damaged(at, "(%s) has %d dimensions, the limit is %d", t.Name, dims, MaxDims)
		return
	}
	t.Dims = int(dims)
	elements := uint64(1)
	for i := range t.Shape {
		t.Shape[i] = 1
		if i >= t.Dims {
			continue
		}
		at := s.pos
		n := s.uint64()
		switch {
		case s.err != nil:
			return
		case n == 0:
			s.damaged(at, "(%s) has no elements in dimension %d", t.Name, i)
			return
		case n > math.MaxInt64/elements:
			s.damaged(at, "(%s) has %d elements in dimension %d: more than can be counted", t.Name, n, i)
			return
		}
		elements *= n
		t.Shape[i] = int64(n)
	}
	at = s.pos
	t.Type = Type(s.uint32())
	if s.err != nil {
		return
	}
	if why := t.Type.refusal(); why != "" {
		s.fail(Damaged, at, "", "tensor %q %s", t.Name, why)
		return
	}
	block, bytes, _ := t.Type.Block()
	if t.Shape[0]%block != 0 {
		s.damaged(at, "(%s) has rows of %d elements, %s needs a multiple of %d", t.Name, t.Shape[0], t.Type, block)
		return
	}
	blocks := elements / uint64(block)
	if blocks > uint64(math.MaxInt64/4)/uint64(bytes) {
		s.damaged(at, "(%s) has %d elements of type %s: more bytes than can be counted", t.Name, elements, t.Type)
		return
	}
	t.Bytes = int64(blocks) * bytes
}

// place checks the offsets of the tensors, which are relative to the data section, against each
// other and against the end of the file.
func (h *header) place(s *scanner, offsets []uint64) {
	if len(h.tensors) == 0 {
		return
	}
	var expected int64 // offset of the tensor at hand
	for i := range h.tensors {
		t := &h.tensors[i]
		s.entry = i
		switch got := offsets[i]; {
		case got == uint64(expected):
		case got%uint64(h.alignment) != 0:
			s.damaged(-1, "(%s) begins at offset %d, which is not aligned to %d", t.Name, got, h.alignment)
			return
		case got < uint64(expected):
			s.damaged(-1, "(%s) begins at offset %d and overlaps the tensors before it, which end at %d", t.Name, got, expected)
			return
		default:
			s.damaged(-1, "(%s) begins at offset %d where %d is expected: there is a gap, which llama.cpp does not take", t.Name, got, expected)
			return
		}
		if t.Bytes > math.MaxInt64-h.dataOffset-expected-h.alignment {
			s.damaged(-1, "(%s) ends beyond what a file can hold", t.Name)
			return
		}
		t.Offset = h.dataOffset + expected
		expected = pad(expected+t.Bytes, h.alignment)
	}
	last := h.tensors[len(h.tensors)-1]
	want := last.Offset + last.Bytes
	if want <= h.size {
		return
	}
	for _, t := range h.tensors {
		if end := t.Offset + t.Bytes; end > h.size {
			s.fail(Truncated, -1, hintDownload, "truncated: the file has %d of %d bytes, tensor %q ends at %d", h.size, want, t.Name, end)
			return
		}
	}
}

func pad(n, alignment int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// printable reports whether a key or name is not empty and has no control characters; ggml
// would cut it at a zero byte.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// Clip shortens a text of outside origin for a message.
func Clip(s string) string {
	const limit = 80 // bytes
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
