package llama

import (
	"fmt"
	"strconv"
	"strings"
)

// CacheType is the number format of keys or values in the KV cache. The zero value is F16.
type CacheType int32

// Cache types. Bits for each number include the scale of a block.
const (
	CacheF16   CacheType = iota
	CacheF32             // 32 bits
	CacheBF16            // 16 bits
	CacheQ8_0            // 8.5 bits, blocks of 32
	CacheQ4_0            // 4.5 bits
	CacheQ4_1            // 5 bits
	CacheQ5_0            // 5.5 bits
	CacheQ5_1            // 6 bits
	CacheIQ4NL           // 4.5 bits
)

// cacheTypes gives the name that llama.cpp's tools use, the number in enum ggml_type and how many
// numbers make a block.
var cacheTypes = [...]struct {
	name  string
	ggml  int32
	block int
}{
	CacheF16:   {"f16", 1, 1},
	CacheF32:   {"f32", 0, 1},
	CacheBF16:  {"bf16", 30, 1},
	CacheQ8_0:  {"q8_0", 8, 32},
	CacheQ4_0:  {"q4_0", 2, 32},
	CacheQ4_1:  {"q4_1", 3, 32},
	CacheQ5_0:  {"q5_0", 6, 32},
	CacheQ5_1:  {"q5_1", 7, 32},
	CacheIQ4NL: {"iq4_nl", 20, 32},
}

// ParseCacheType reads a name such as "q8_0"; case does not matter.
func ParseCacheType(name string) (CacheType, error) {
	var names []string
	for t, c := range cacheTypes {
		if strings.EqualFold(name, c.name) {
			return CacheType(t), nil
		}
		names = append(names, c.name)
	}
	return 0, fmt.Errorf("%w %q: use one of %s", ErrCacheType, name, strings.Join(names, ", "))
}

func (t CacheType) valid() bool { return t >= 0 && int(t) < len(cacheTypes) }

// String is the name that ParseCacheType reads.
func (t CacheType) String() string {
	if !t.valid() {
		return fmt.Sprintf("CacheType(%d)", int32(t))
	}
	return cacheTypes[t].name
}

// Quantized tells whether numbers share a scale; as the V cache that needs flash attention.
func (t CacheType) Quantized() bool { return t.valid() && cacheTypes[t].block > 1 }

// cacheShape is what a model demands of cache types.
type cacheShape struct {
	kHeads, vHeads []int // numbers in a head, of each kind of layer
	oneType        bool  // K and V must be of one type: latent attention (MLA) keeps both in one
}

// cacheShape reads the sizes of heads, which llama.h does not tell, from the metadata.
func (m *Model) cacheShape() cacheShape {
	arch, _ := m.Meta("general.architecture")
	size := func(key string) int {
		text, _ := m.Meta(arch + ".attention." + key)
		n, _ := strconv.Atoi(text) // 0 where there is none
		return n
	}
	sizes := func(side string) []int {
		head := size(side)
		if head == 0 && m.Heads() > 0 {
			head = m.Embedding() / m.Heads()
		}
		return []int{head, size(side + "_mla"), size(side + "_swa")}
	}
	return cacheShape{
		kHeads:  sizes("key_length"),
		vHeads:  sizes("value_length"),
		oneType: size("key_length_mla") > 0,
	}
}

// check refuses cache types that llama.cpp or ggml would abort on, or read as garbage: a head must
// be a whole number of blocks.
func (shape cacheShape) check(o ContextOptions) error {
	if !o.TypeK.valid() || !o.TypeV.valid() {
		return fmt.Errorf("%w: K %d, V %d", ErrCacheType, o.TypeK, o.TypeV)
	}
	if o.TypeV.Quantized() && o.FlashAttention == FlashOff {
		return fmt.Errorf("%w: V is %s and flash attention is off", ErrQuantizedV, o.TypeV)
	}
	if shape.oneType && o.TypeK != o.TypeV {
		return fmt.Errorf("%w: K is %s, V is %s", ErrCacheMismatch, o.TypeK, o.TypeV)
	}
	for _, side := range []struct {
		name  string
		t     CacheType
		heads []int
	}{{"K", o.TypeK, shape.kHeads}, {"V", o.TypeV, shape.vHeads}} {
		for _, head := range side.heads {
			if block := cacheTypes[side.t].block; head%block != 0 {
				return fmt.Errorf("%w: a %s head has %d numbers, %s needs a multiple of %d", ErrCacheBlock, side.name, head, side.t, block)
			}
		}
	}
	return nil
}
