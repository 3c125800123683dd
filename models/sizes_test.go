package models

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// dimensions is what a model's config.json says of its tensors.
type dimensions struct {
	vocabulary, width, layers, feedForward int // numbers of rows
	heads, headsKV, headSize               int
	experts                                int  // 0: no mixture
	tied                                   bool // the output matrix is that of the input
}

// The rows of docs/choosing-a-model.md.
var documented = map[string]dimensions{
	"Codestral 22B v0.1":        {32768, 6144, 56, 16384, 48, 8, 128, 0, false},
	"Mistral 7B Instruct v0.3":  {32768, 4096, 32, 14336, 32, 8, 128, 0, false},
	"Mixtral 8x7B Instruct":     {32000, 4096, 32, 14336, 32, 8, 128, 8, false},
	"Mixtral 8x22B Instruct":    {32768, 6144, 56, 16384, 48, 8, 128, 8, false},
	"CodeGemma 2b":              {256000, 2048, 18, 16384, 8, 1, 256, 0, true},
	"CodeGemma 7b, 7b-it":       {256000, 3072, 28, 24576, 16, 16, 256, 0, true},
	"Code Llama 13b":            {32016, 5120, 40, 13824, 40, 40, 128, 0, false},
	"DeepSeek Coder 33b":        {32256, 7168, 62, 19200, 56, 8, 128, 0, false},
	"Llama 3 8B Instruct":       {128256, 4096, 32, 14336, 32, 8, 128, 0, false},
	"Qwen2.5-Coder 7B Instruct": {152064, 3584, 28, 18944, 28, 4, 128, 0, false},
}

// Bits of a weight, with the scales of its block (ggml-quants).
const (
	bitsQ4K, bitsQ5K, bitsQ6K, bitsQ80, bitsF32 = 4.5, 5.5, 6.5625, 8.5, 32
)

// moreBits: a third of the layers, the first and the last among them, keep more precision in a Q4_K_M (src/llama-quant.cpp).
func moreBits(layer, layers int) bool {
	return layer < layers/8 || layer >= 7*layers/8 || (layer-layers/8)%3 == 2
}

// gigabytes is the size of the file that llama-quantize makes. Its vocabulary, a few MB, is not counted.
func (d dimensions) gigabytes(quantisation string) float64 {
	most, output := bitsQ4K, bitsQ6K
	if quantisation == "Q8_0" {
		most, output = bitsQ80, bitsQ80
	}
	var bits float64
	add := func(rows, columns int, of float64) { bits += float64(rows) * float64(columns) * of }
	if d.tied {
		add(d.vocabulary, d.width, output)
	} else {
		add(d.vocabulary, d.width, most)
		add(d.vocabulary, d.width, output)
	}
	for layer := range d.layers {
		some := most
		if quantisation == "Q4_K_M" && moreBits(layer, d.layers) {
			some = bitsQ6K
		}
		key, value, out, experts := most, some, most, 1
		if d.experts == 8 {
			key, value, experts = bitsQ80, bitsQ80, d.experts
			out = max(most, bitsQ5K)
			add(d.experts, d.width, bitsF32)
		}
		add(d.heads*d.headSize, d.width, most)
		add(d.headsKV*d.headSize, d.width, key)
		add(d.headsKV*d.headSize, d.width, value)
		add(d.heads*d.headSize, d.width, out)
		add(2*experts*d.feedForward, d.width, most)
		add(experts*d.feedForward, d.width, some)
		add(2, d.width, bitsF32)
	}
	return bits / 8 / 1e9
}

// cacheGiB is the KV cache of tokens with 16 bits a number.
func (d dimensions) cacheGiB(tokens int) float64 {
	return float64(2*2*d.layers*d.headsKV*d.headSize) * float64(tokens) / (1 << 30)
}

// The sizes in docs/choosing-a-model.md are what llama.cpp's quantisation makes of these models; go test -v prints them.
func TestDocumentedSizes(t *testing.T) {
	page, err := os.ReadFile("../docs/choosing-a-model.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([^|]+) \| [^|]+ \| (Q\w+)[^|]* \| ([0-9.]+)[^|]* \| ([0-9.]+) \|`)
	found := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		d, ok := documented[m[1]]
		if !ok {
			t.Errorf("%s: no dimensions are known", m[1])
			continue
		}
		found[m[1]] = true
		size, _ := strconv.ParseFloat(m[3], 64)
		cache, _ := strconv.ParseFloat(m[4], 64)
		line := fmt.Sprintf("%s %s: %.2f GB; KV cache of 8,192 tokens %.3f GiB", m[1], m[2], d.gigabytes(m[2]), d.cacheGiB(8192))
		t.Log(line)
		if math.Abs(size-d.gigabytes(m[2])) > 0.06 || math.Abs(cache-d.cacheGiB(8192)) > 0.01 {
			t.Errorf("%s; the page says %s", line, strings.TrimSpace(m[0]))
		}
	}
	if len(found) != len(documented) {
		t.Errorf("the page has %d of %d models", len(found), len(documented))
	}
}
