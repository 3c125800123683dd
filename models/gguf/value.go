package gguf

import (
	"fmt"
	"math"
	"strconv"
)

// ValueType is the type of a metadata value: enum gguf_type of ggml/include/gguf.h.
type ValueType uint32

// The value types.
const (
	Uint8Value   ValueType = 0
	Int8Value    ValueType = 1
	Uint16Value  ValueType = 2
	Int16Value   ValueType = 3
	Uint32Value  ValueType = 4
	Int32Value   ValueType = 5
	Float32Value ValueType = 6
	BoolValue    ValueType = 7
	StringValue  ValueType = 8
	ArrayValue   ValueType = 9
	Uint64Value  ValueType = 10
	Int64Value   ValueType = 11
	Float64Value ValueType = 12

	valueTypeCount = 13
)

var valueTypes = [valueTypeCount]struct {
	name  string
	bytes int64 // size of a scalar; 0 for strings and arrays
}{
	Uint8Value:   {"u8", 1},
	Int8Value:    {"i8", 1},
	Uint16Value:  {"u16", 2},
	Int16Value:   {"i16", 2},
	Uint32Value:  {"u32", 4},
	Int32Value:   {"i32", 4},
	Float32Value: {"f32", 4},
	BoolValue:    {"bool", 1},
	StringValue:  {"string", 0},
	ArrayValue:   {"array", 0},
	Uint64Value:  {"u64", 8},
	Int64Value:   {"i64", 8},
	Float64Value: {"f64", 8},
}

func (t ValueType) String() string {
	if t < valueTypeCount {
		return valueTypes[t].name
	}
	return fmt.Sprintf("value type %d", uint32(t))
}

// Value is one metadata entry. Arrays are not in memory: Array reads them.
type Value struct {
	Type  ValueType
	bits  uint64 // scalars, as stored
	text  string // strings
	array *Array // arrays
}

// Uint returns a non-negative whole number of any integer type.
func (v Value) Uint() (uint64, bool) {
	i, ok := v.Int()
	if v.Type == Uint64Value {
		return v.bits, true
	}
	return uint64(i), ok && i >= 0
}

// Int returns a whole number of any integer type that fits 64 bits with sign.
func (v Value) Int() (int64, bool) {
	switch v.Type {
	case Uint8Value, Uint16Value, Uint32Value:
		return int64(v.bits), true
	case Int8Value:
		return int64(int8(v.bits)), true
	case Int16Value:
		return int64(int16(v.bits)), true
	case Int32Value:
		return int64(int32(v.bits)), true
	case Int64Value:
		return int64(v.bits), true
	case Uint64Value:
		return int64(v.bits), v.bits <= math.MaxInt64
	}
	return 0, false
}

// Float returns a floating-point number.
func (v Value) Float() (float64, bool) {
	switch v.Type {
	case Float32Value:
		return float64(math.Float32frombits(uint32(v.bits))), true
	case Float64Value:
		return math.Float64frombits(v.bits), true
	}
	return 0, false
}

// Bool returns a truth value; as in llama.cpp every byte but 0 is true.
func (v Value) Bool() (bool, bool) { return v.bits != 0, v.Type == BoolValue }

// Text returns a string.
func (v Value) Text() (string, bool) { return v.text, v.Type == StringValue }

// Array returns an array, which is still in the file.
func (v Value) Array() (*Array, bool) { return v.array, v.Type == ArrayValue }

// String shows the value for people: numbers and truth values as such, strings quoted, arrays
// by type and length.
func (v Value) String() string {
	switch v.Type {
	case StringValue:
		return strconv.Quote(v.text)
	case ArrayValue:
		return fmt.Sprintf("[%d × %s]", v.array.Len, v.array.Type)
	case BoolValue:
		return strconv.FormatBool(v.bits != 0)
	case Float32Value:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.bits))), 'g', -1, 32)
	case Float64Value:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'g', -1, 64)
	case Uint64Value:
		return strconv.FormatUint(v.bits, 10)
	}
	i, _ := v.Int()
	return strconv.FormatInt(i, 10)
}
