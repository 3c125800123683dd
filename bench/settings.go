package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

// settings are the same for all peers. What a peer cannot be told it has by construction: aigw and
// the engine always poll at 0, share one unified KV cache, and micro-batches are as long as batches.
type settings struct {
	Model          string `json:"model"`
	Threads        int    `json:"threads"`
	Poll           int    `json:"poll"`    // ggml's polling level while a thread waits
	Context        int    `json:"context"` // KV cells, of the two servers
	Batch          int    `json:"batch"`   // tokens of a batch and of a micro-batch
	Parallel       int    `json:"parallel"`
	FlashAttention string `json:"flash_attention"`
	CacheTypeK     string `json:"cache_type_k"`
	CacheTypeV     string `json:"cache_type_v"`
	GPULayers      int    `json:"gpu_layers"`
}

const (
	// promptTokens is the prompt of all single requests, and the depth at which decoding is
	// measured: llama-bench's pp512 and tg128 @ d512 (issue 3, section 6).
	promptTokens = 512
	// outputTokens is what GitLab's wire format gives a completion at most.
	outputTokens = 128
	// crowd is how many people ask at once, and crowdPromptTokens is what each sends: half a
	// prompt, so that a repetition stays below a minute on two cores.
	crowd             = 8
	crowdPromptTokens = 256
)

func (s settings) validate() error {
	if s.Model == "" {
		return errors.New("no model; name a GGUF file with -model")
	}
	if info, err := os.Stat(s.Model); err != nil {
		return fmt.Errorf("model: %w", err)
	} else if info.IsDir() {
		return fmt.Errorf("model %s is a folder; name a GGUF file", s.Model)
	}
	switch {
	case s.Threads < 1:
		return fmt.Errorf("%d threads; at least 1 is needed", s.Threads)
	case s.Batch < promptTokens:
		return fmt.Errorf("a batch of %d tokens; at least %d are needed, or prefill would be measured in slices", s.Batch, promptTokens)
	case s.Parallel < crowd:
		return fmt.Errorf("%d requests in parallel; the benchmark sends %d at once", s.Parallel, crowd)
	case s.Context < crowd*(promptTokens+outputTokens):
		return fmt.Errorf("a context of %d cells; at least %d are needed", s.Context, crowd*(promptTokens+outputTokens))
	case s.FlashAttention != "on" && s.FlashAttention != "off":
		// "auto" may be decided differently on the two sides.
		return fmt.Errorf("flash attention %q; say on or off", s.FlashAttention)
	}
	return nil
}

// llamaFlags are the settings as all programs of llama.cpp spell them.
func (s settings) llamaFlags() []string {
	return []string{
		"-m", s.Model, "-t", strconv.Itoa(s.Threads), "--poll", strconv.Itoa(s.Poll),
		"-b", strconv.Itoa(s.Batch), "-ub", strconv.Itoa(s.Batch), "-fa", s.FlashAttention,
		"-ctk", s.CacheTypeK, "-ctv", s.CacheTypeV, "-ngl", strconv.Itoa(s.GPULayers),
	}
}
