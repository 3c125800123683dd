package gguf_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

var (
	enumEntry    = regexp.MustCompile(`(?m)^\s*GGML_TYPE_(\w+)\s*=\s*(\d+),`)
	pythonConst  = regexp.MustCompile(`(?m)^(\w+)\s*=\s*(\d+)$`)
	quantSizes   = regexp.MustCompile(`(?m)^\s*GGMLQuantizationType\.(\w+)\s*:\s*\((\w+),\s*([0-9+* ()/A-Z_]+)\),`)
	valueTypesRe = regexp.MustCompile(`(?m)^\s*GGUF_TYPE_(\w+)\s*=\s*(\d+),`)
)

// TestTypesAgreeWithGGML compares names, numbers and block sizes with the pinned sources, so
// that a new release with new types fails here.
func TestTypesAgreeWithGGML(t *testing.T) {
	root := gguftest.LlamaSources(t)
	sizes := pythonQuantSizes(t, read(t, root, "gguf-py", "gguf", "constants.py"))
	seen := 0
	for _, m := range enumEntry.FindAllStringSubmatch(read(t, root, "ggml", "include", "ggml.h"), -1) {
		n, _ := strconv.Atoi(m[2])
		typ := gguf.Type(n)
		if m[1] == "COUNT" {
			if _, _, ok := typ.Block(); ok || typ.String() != "type "+m[2] {
				t.Errorf("GGML_TYPE_COUNT is %d, but type %d is known here", n, n)
			}
			if _, _, ok := (typ - 1).Block(); !ok {
				t.Errorf("GGML_TYPE_COUNT is %d, but type %d is not known here", n, n-1)
			}
			continue
		}
		seen++
		want, ok := sizes[m[1]]
		if !ok {
			t.Errorf("gguf-py has no size for %s", m[1])
			continue
		}
		block, bytes, ok := typ.Block()
		if !ok || typ.String() != m[1] || block != want[0] || bytes != want[1] {
			t.Errorf("type %d is %s with %d elements in %d bytes, want %s with %v", n, typ, block, bytes, m[1], want)
		}
	}
	if seen < 30 {
		t.Fatalf("only %d types found in ggml.h: has its layout changed?", seen)
	}
}

// pythonQuantSizes reads the table GGML_QUANT_SIZES, whose entries are sums and products.
func pythonQuantSizes(t *testing.T, source string) map[string][2]int64 {
	t.Helper()
	constants := map[string]int64{}
	for _, m := range pythonConst.FindAllStringSubmatch(source, -1) {
		constants[m[1]], _ = strconv.ParseInt(m[2], 10, 64)
	}
	sizes := map[string][2]int64{}
	for _, m := range quantSizes.FindAllStringSubmatch(source, -1) {
		sizes[m[1]] = [2]int64{evaluate(t, m[2], constants), evaluate(t, m[3], constants)}
	}
	return sizes
}

// evaluate computes a sum of products and quotients of numbers and names, with parentheses.
func evaluate(t *testing.T, expression string, names map[string]int64) int64 {
	t.Helper()
	tokens := regexp.MustCompile(`\w+|//|[-+*()]`).FindAllString(expression, -1)
	var sum func() int64
	next := func() string {
		if len(tokens) == 0 {
			return ""
		}
		return tokens[0]
	}
	take := func() string { s := next(); tokens = tokens[1:]; return s }
	factor := func() int64 {
		s := take()
		if s == "(" {
			n := sum()
			take()
			return n
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		n, ok := names[s]
		if !ok {
			t.Fatalf("%q in %q is no number", s, expression)
		}
		return n
	}
	product := func() int64 {
		n := factor()
		for next() == "*" || next() == "//" {
			if take() == "*" {
				n *= factor()
			} else {
				n /= factor()
			}
		}
		return n
	}
	sum = func() int64 {
		n := product()
		for next() == "+" {
			take()
			n += product()
		}
		return n
	}
	return sum()
}

func TestValueTypesAgreeWithGGML(t *testing.T) {
	names := map[string]gguf.ValueType{
		"UINT8": gguf.Uint8Value, "INT8": gguf.Int8Value, "UINT16": gguf.Uint16Value, "INT16": gguf.Int16Value,
		"UINT32": gguf.Uint32Value, "INT32": gguf.Int32Value, "FLOAT32": gguf.Float32Value, "BOOL": gguf.BoolValue,
		"STRING": gguf.StringValue, "ARRAY": gguf.ArrayValue, "UINT64": gguf.Uint64Value, "INT64": gguf.Int64Value,
		"FLOAT64": gguf.Float64Value,
	}
	found := valueTypesRe.FindAllStringSubmatch(read(t, gguftest.LlamaSources(t), "ggml", "include", "gguf.h"), -1)
	if len(found) != len(names) {
		t.Errorf("gguf.h has %d value types, %d are known here", len(found), len(names))
	}
	for _, m := range found {
		if n, _ := strconv.Atoi(m[2]); names[m[1]] != gguf.ValueType(n) {
			t.Errorf("GGUF_TYPE_%s is %d, here it is %d", m[1], n, names[m[1]])
		}
	}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
