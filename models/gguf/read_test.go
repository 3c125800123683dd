package gguf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

// small is a file with one entry of each value type and two tensors.
func small() *gguftest.Builder {
	b := &gguftest.Builder{}
	return b.
		Set("general.architecture", "llama").
		Set("t.u8", uint8(250)).Set("t.i8", int8(-3)).
		Set("t.u16", uint16(65000)).Set("t.i16", int16(-300)).
		Set("t.u32", uint32(4e9)).Set("t.i32", int32(-70000)).
		Set("t.u64", uint64(math.MaxUint64)).Set("t.i64", int64(math.MinInt64)).
		Set("t.f32", float32(0.5)).Set("t.f64", 0.25).
		Set("t.bool", true).Set("t.no", false).
		Set("t.strings", []string{"", "a", "▁b", strings.Repeat("x", 70000)}).
		Set("t.ints", []int32{1, -2, 3}).Set("t.floats", []float32{1, -2.5}).
		Set("t.none", []string{}).
		Tensor("a.weight", gguf.F32, gguftest.Floats(make([]float32, 12)), 4, 3).
		Tensor("b.weight", gguf.Q4K, make([]byte, 2*144), 256, 2)
}

func TestReadRoundTrip(t *testing.T) {
	for _, version := range []uint32{2, 3} {
		for _, alignment := range []uint32{0, 8, 4096} {
			b := small()
			b.Version, b.Alignment = version, alignment
			f := b.File(t)
			if f.Version != int(version) || alignment != 0 && f.Alignment != int64(alignment) {
				t.Errorf("version %d alignment %d, want %d and %d", f.Version, f.Alignment, version, alignment)
			}
			checkSmall(t, f)
		}
	}
}

func checkSmall(t *testing.T, f *gguf.File) {
	t.Helper()
	for key, want := range map[string]string{
		"general.architecture": `"llama"`, "t.u8": "250", "t.i8": "-3", "t.u16": "65000", "t.i16": "-300",
		"t.u32": "4000000000", "t.i32": "-70000", "t.u64": "18446744073709551615", "t.i64": "-9223372036854775808",
		"t.f32": "0.5", "t.f64": "0.25", "t.bool": "true", "t.no": "false",
		"t.strings": "[4 × string]", "t.ints": "[3 × i32]", "t.none": "[0 × string]",
	} {
		v, ok := f.Value(key)
		if !ok || v.String() != want {
			t.Errorf("%s = %s, %t, want %s", key, v, ok, want)
		}
	}
	if n, ok := f.Uint("t.i8"); ok {
		t.Errorf("t.i8 is negative, but Uint returned %d", n)
	}
	if n, ok := f.Uint("t.u64"); !ok || n != math.MaxUint64 {
		t.Errorf("t.u64 = %d, %t", n, ok)
	}
	if _, ok := f.Uint("absent"); ok {
		t.Error("an absent key has a value")
	}
	a, _ := f.Array("t.strings")
	s, err := a.Strings()
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{s.At(0), s.At(1), s.At(2)}; !slices.Equal(got, []string{"", "a", "▁b"}) || len(s.At(3)) != 70000 {
		t.Errorf("strings %q and one of %d bytes", got, len(s.At(3)))
	}
	a, _ = f.Array("t.ints")
	if got, err := a.Int32s(); err != nil || !slices.Equal(got, []int32{1, -2, 3}) {
		t.Errorf("ints %v, %v", got, err)
	}
	if _, err := a.Strings(); err == nil {
		t.Error("an array of numbers was read as strings")
	}
	a, _ = f.Array("t.floats")
	if got, err := a.Float32s(); err != nil || !slices.Equal(got, []float32{1, -2.5}) {
		t.Errorf("floats %v, %v", got, err)
	}
	w, ok := f.Tensor("b.weight")
	if !ok || w.Type != gguf.Q4K || w.Dims != 2 || w.Shape != [4]int64{256, 2, 1, 1} || w.Bytes != 288 {
		t.Errorf("tensor %+v, %t", w, ok)
	}
	if w.Offset%f.Alignment != 0 || w.Offset+w.Bytes > f.Size() {
		t.Errorf("tensor at %d in a file of %d bytes, alignment %d", w.Offset, f.Size(), f.Alignment)
	}
}

// u64 is one field of a hand-made header.
func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// refusals are files that must be refused, with what the message must say.
var refusals = []struct {
	name string
	data []byte
	kind gguf.Kind
	want string
}{
	{"empty", nil, gguf.Empty, "the file is empty; download it again"},
	{"magic only", []byte("GGUF"), gguf.Truncated, "ends inside its header"},
	{"preamble cut", small().Header()[:20], gguf.Truncated, "the file has 20 bytes and ends inside its header"},
	{"metadata cut", small().Header()[:100], gguf.Truncated, "metadata entry"},
	{"tensor table cut", small().Header()[:len(small().Header())-60], gguf.Truncated, "tensor 1"},
	{"big-endian", (&gguftest.Builder{Version: 3 << 24}).Bytes(), gguf.BigEndian, "big-endian machine (at byte 4); take the usual little-endian file"},
	{"version 0", append([]byte("GGUF"), make([]byte, 20)...), gguf.Damaged, "GGUF version 0 does not exist"},
	{"version 1", (&gguftest.Builder{Version: 1}).Bytes(), gguf.Version, "GGUF version 1"},
	{"version 4", (&gguftest.Builder{Version: 4}).Bytes(), gguf.Version, "newer than this program"},
	{"tensor count", (&gguftest.Builder{ExtraTensors: math.MaxInt64}).Bytes(), gguf.Damaged, "claims 9223372036854775807 tensors, the limit is 65536 (at byte 8)"},
	{"key count", (&gguftest.Builder{ExtraKeys: -1}).Bytes(), gguf.Damaged, "claims 18446744073709551615 metadata entries"},
	{"more keys than bytes", (&gguftest.Builder{ExtraKeys: 1000}).Bytes(), gguf.Truncated, "ends inside its header (metadata entry 0)"},
	{"key length", append((&gguftest.Builder{ExtraKeys: 1}).Bytes(), u64(1<<40)...), gguf.Damaged, "a key of 1099511627776 bytes, the limit is 65535 (at byte 24)"},
	{"empty key", (&gguftest.Builder{}).Set("", uint8(1)).Bytes(), gguf.Damaged, `has the key ""`},
	{"key with zero byte", (&gguftest.Builder{}).Set("a\x00b", uint8(1)).Bytes(), gguf.Damaged, `has the key "a\x00b"`},
	{"key twice", (&gguftest.Builder{}).Add("a", uint8(1)).Add("a", uint8(2)).Bytes(), gguf.Damaged, `has the key "a" a second time`},
	{"value type", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 13}).Bytes(), gguf.Damaged, "metadata entry 0 (a) has the unknown value type 13"},
	{"string length", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 8, Bytes: u64(1 << 62)}).Bytes(), gguf.Damaged, "a text of 4611686018427387904 bytes"},
	{"string past the end", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 8, Bytes: u64(100)}).Bytes(), gguf.Truncated, "ends inside its header"},
	{"array of arrays", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 9, Bytes: append([]byte{9, 0, 0, 0}, u64(0)...)}).Bytes(), gguf.Damaged, "array of arrays"},
	{"array count", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 9, Bytes: append([]byte{8, 0, 0, 0}, u64(1<<40)...)}).Bytes(), gguf.Damaged, "claims 1099511627776 elements"},
	{"array past the end", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 9, Bytes: append([]byte{8, 0, 0, 0}, u64(1<<20)...)}).Bytes(), gguf.Truncated, "ends inside its header"},
	{"numbers past the end", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 9, Bytes: append([]byte{12, 0, 0, 0}, u64(1<<20)...)}).Bytes(), gguf.Truncated, "ends inside its header"},
	{"string in array past the end", (&gguftest.Builder{}).Set("a", gguftest.Raw{Type: 9, Bytes: append([]byte{8, 0, 0, 0}, append(u64(1), u64(9)...)...)}).Bytes(), gguf.Truncated, "ends inside its header"},
	{"alignment 0", (&gguftest.Builder{}).Set("general.alignment", uint32(0)).Bytes(), gguf.Damaged, "general.alignment is u32 0"},
	{"alignment 24", (&gguftest.Builder{}).Set("general.alignment", uint32(24)).Bytes(), gguf.Damaged, "power of two"},
	{"alignment huge", (&gguftest.Builder{}).Set("general.alignment", uint32(1<<31)).Bytes(), gguf.Damaged, "general.alignment is u32 2147483648"},
	{"alignment type", (&gguftest.Builder{}).Set("general.alignment", uint64(32)).Bytes(), gguf.Damaged, "general.alignment is u64 32"},
	{"tensor name length", (&gguftest.Builder{}).Tensor(strings.Repeat("n", 64), gguf.F32, nil, 1).Bytes(), gguf.Damaged, "a name of 64 bytes, the limit is 63"},
	{"tensor without name", (&gguftest.Builder{}).Tensor("", gguf.F32, nil, 1).Bytes(), gguf.Damaged, `tensor 0 has the name ""`},
	{"tensor twice", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 1).Tensor("a", gguf.F32, nil, 1).Bytes(), gguf.Damaged, `tensor 1 has the name "a" of tensor 0`},
	{"five dimensions", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 1, 1, 1, 1, 1).Bytes(), gguf.Damaged, "5 dimensions, the limit is 4"},
	{"no elements", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 4, 0).Bytes(), gguf.Damaged, "no elements in dimension 1"},
	{"negative dimension", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, -1).Bytes(), gguf.Damaged, "more than can be counted"},
	{"dimensions overflow", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 1<<32, 1<<32).Bytes(), gguf.Damaged, "more than can be counted"},
	{"bytes overflow", (&gguftest.Builder{}).Tensor("a", gguf.F64, nil, 1<<62).Bytes(), gguf.Damaged, "more bytes than can be counted"},
	{"tensor type", (&gguftest.Builder{}).Tensor("a", 43, nil, 1).Bytes(), gguf.Damaged, `tensor "a" has the unknown type 43`},
	{"removed type", (&gguftest.Builder{}).Tensor("a", 31, nil, 32).Bytes(), gguf.Damaged, "Q4_0_4_4, which ggml no longer reads; take a file quantised as"},
	{"half a block", (&gguftest.Builder{}).Tensor("a", gguf.Q4K, nil, 128).Bytes(), gguf.Damaged, "rows of 128 elements, Q4_K needs a multiple of 256"},
	{"overlap", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 64).Tensor("b", gguf.F32, nil, 64).MoveTensor(32).Bytes(), gguf.Damaged, "(b) begins at offset 32 and overlaps the tensors before it, which end at 256"},
	{"gap", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 64).Tensor("b", gguf.F32, nil, 64).MoveTensor(512).Bytes(), gguf.Damaged, "there is a gap"},
	{"misaligned", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 64).Tensor("b", gguf.F32, nil, 64).MoveTensor(257).Bytes(), gguf.Damaged, "not aligned to 32"},
	{"offset overflow", (&gguftest.Builder{}).Tensor("a", gguf.F32, nil, 64).MoveTensor(math.MaxUint64 - 31).Bytes(), gguf.Damaged, "begins at offset 18446744073709551584"},
	{"weights cut", small().Bytes()[:len(small().Bytes())-1], gguf.Truncated, `tensor "b.weight" ends at`},
	{"weights missing", small().Header(), gguf.Truncated, `tensor "a.weight" ends at`},
}

func TestRefusals(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			_, err := gguf.Read(bytes.NewReader(tt.data), int64(len(tt.data)), "models/x.gguf")
			checkError(t, err, tt.kind, "models/x.gguf: ", tt.want)
		})
	}
}

// checkError checks kind and text of an error that must be one line.
func checkError(t *testing.T, err error, kind gguf.Kind, want ...string) {
	t.Helper()
	var e *gguf.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a *gguf.Error", err)
	}
	if e.Kind != kind {
		t.Errorf("kind %d, want %d: %v", e.Kind, kind, err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.ContainsRune(err.Error(), '\n') {
		t.Errorf("error %q has several lines", err)
	}
}

// TestTruncation cuts a file everywhere: each beginning of it is refused, and as truncated.
func TestTruncation(t *testing.T) {
	data := small().Bytes()
	// The last 32 bytes may be padding behind the last tensor.
	for n := 4; n < len(data)-32; n += 1 + n/1000 {
		_, err := gguf.Read(bytes.NewReader(data[:n]), int64(n), "x")
		var e *gguf.Error
		if !errors.As(err, &e) || e.Kind != gguf.Truncated {
			t.Fatalf("the first %d of %d bytes: %v", n, len(data), err)
		}
	}
}

// TestMemoryIsBounded gives claims of every kind to the reader and measures what it allocates.
func TestMemoryIsBounded(t *testing.T) {
	const limit = 1 << 20 // bytes; the read buffer has 64 kB
	for _, tt := range refusals {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := gguf.Read(bytes.NewReader(tt.data), int64(len(tt.data)), "x")
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > limit || err == nil {
			t.Errorf("%s: %d bytes allocated, error %v", tt.name, used, err)
		}
	}
}

// endless is a file of any size that repeats one header entry.
type endless struct{ head, entry []byte }

func (e endless) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		if pos := at + int64(i); pos < int64(len(e.head)) {
			p[i] = e.head[pos]
		} else {
			p[i] = e.entry[(pos-int64(len(e.head)))%int64(len(e.entry))]
		}
	}
	return len(p), nil
}

// TestHugeHeaders gives files of 13 GB whose headers really contain what they claim.
func TestHugeHeaders(t *testing.T) {
	preamble := func(tensors, keys uint64) []byte {
		return slices.Concat([]byte("GGUF\x03\x00\x00\x00"), u64(tensors), u64(keys))
	}
	text := func(n int) []byte { return append(u64(uint64(n)), bytes.Repeat([]byte("t"), n)...) }
	array := slices.Concat(preamble(0, 1), text(1), []byte{9, 0, 0, 0, 8, 0, 0, 0}, u64(gguf.MaxArray))
	const size = 13 << 30
	for _, tt := range []struct {
		name string
		src  endless
		want string
	}{
		{"array of texts", endless{array, text(100)}, "reaches past the limit of 134217728 bytes"},
		{"text after text", endless{preamble(0, gguf.MaxKeys), slices.Concat(text(5), []byte{8, 0, 0, 0}, text(1<<20))}, `has the key "ttttt" a second time`},
		{"one large text", endless{slices.Concat(preamble(0, 1), text(1), []byte{8, 0, 0, 0}, u64(gguf.MaxString+1)), []byte("x")}, "a text of 4194305 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := gguf.Read(tt.src, size, "x")
			runtime.ReadMemStats(&after)
			checkError(t, err, gguf.Damaged, tt.want)
			if used := after.TotalAlloc - before.TotalAlloc; used > 4*gguf.MaxString {
				t.Errorf("%d bytes allocated", used)
			}
		})
	}
}

// TestKeptTextIsBounded fills a header with different keys of large texts.
func TestKeptTextIsBounded(t *testing.T) {
	b := &gguftest.Builder{}
	large := strings.Repeat("x", gguf.MaxString-1)
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		b.Set(key, large)
	}
	data := b.Bytes()
	_, err := gguf.Read(bytes.NewReader(data), int64(len(data)), "x")
	checkError(t, err, gguf.Damaged, "metadata entry 4 brings the text of the header to more than 16777216 bytes")
}

// failing reads like a disk that breaks.
type failing struct{ error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.error }

func TestReadErrors(t *testing.T) {
	cause := errors.New("input/output error")
	_, err := gguf.Read(failing{cause}, 1000, "x")
	checkError(t, err, gguf.Unreadable, "cannot be read", "input/output error", "check the disk")
	if !errors.Is(err, cause) {
		t.Errorf("%v does not wrap its cause", err)
	}
	// An array is read later than the header, when the file may have changed.
	dir := t.TempDir()
	path := small().WriteFile(t, dir, "x.gguf")
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := f.Array("t.strings")
	if err := os.Truncate(path, 500); err != nil {
		t.Fatal(err)
	}
	_, err = a.Strings()
	checkError(t, err, gguf.Truncated, filepath.Base(path), "became shorter")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := a.Int32s(); err == nil {
		t.Error("an array of a closed file could be read")
	}
}
