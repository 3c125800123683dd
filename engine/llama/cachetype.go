package llama

import (
	"fmt"
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
