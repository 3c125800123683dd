package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// llamaBench is llama.cpp's own measure of llama_decode: no text, no sampling, no requests. It is
// run anew for every figure of every repetition, warms up by itself, and gives itself a context
// just as long as the test.
type llamaBench struct {
	program     string
	set         settings
	environment []string
	about       string // version, as the last result said it: llama-bench has no flag for that
}

// llamaBenchLimit bounds one run: load, warm up, one test.
const llamaBenchLimit = 10 * time.Minute

// decodeTest is one of llama-bench's tests: read prompt tokens, or decode output tokens, with
// depth tokens in the cache before.
type decodeTest struct {
	prompt, output, depth int
}

func (t decodeTest) String() string {
	if t.prompt > 0 {
		return fmt.Sprintf("pp%d @ d%d", t.prompt, t.depth)
	}
	return fmt.Sprintf("tg%d @ d%d", t.output, t.depth)
}

// tokens is what is timed.
func (t decodeTest) tokens() int { return t.prompt + t.output }

func (b *llamaBench) command(t decodeTest) []string {
	command := append([]string{b.program}, b.set.llamaFlags()...)
	return append(command, "-p", strconv.Itoa(t.prompt), "-n", strconv.Itoa(t.output),
		"-d", strconv.Itoa(t.depth), "-r", "1", "-o", "json")
}

// speed runs a test and returns tokens a second.
func (b *llamaBench) speed(ctx context.Context, t decodeTest) (float64, error) {
	stdout, _, err := outputOf(ctx, llamaBenchLimit, b.command(t), b.environment)
	if err != nil {
		return 0, err
	}
	run, err := parseLlamaBench([]byte(stdout), t)
	if err != nil {
		return 0, err
	}
	if err := run.check(b.set); err != nil {
		return 0, err
	}
	b.about = fmt.Sprintf("commit %s, build %d, back ends %s", run.Commit, run.Build, run.Backends)
	return float64(t.tokens()) / run.elapsed().Seconds(), nil
}

// benchRun is one element of llama-bench's JSON output; its fields are listed in
// tools/llama-bench/llama-bench.cpp, test::get_fields.
type benchRun struct {
	Commit         string   `json:"build_commit"`
	Build          int      `json:"build_number"`
	Backends       string   `json:"backends"`
	Batch          int      `json:"n_batch"`
	MicroBatch     int      `json:"n_ubatch"`
	Threads        int      `json:"n_threads"`
	Poll           int      `json:"poll"`
	CacheTypeK     string   `json:"type_k"`
	CacheTypeV     string   `json:"type_v"`
	GPULayers      int      `json:"n_gpu_layers"`
	FlashAttention int      `json:"flash_attn"` // enum llama_flash_attn_type: 0 off, 1 on, -1 auto
	Prompt         int      `json:"n_prompt"`
	Output         int      `json:"n_gen"`
	Depth          int      `json:"n_depth"`
	Nanoseconds    []uint64 `json:"samples_ns"`
}

func (r benchRun) elapsed() time.Duration { return time.Duration(r.Nanoseconds[0]) }

// parseLlamaBench finds the result of a test in what llama-bench printed.
func parseLlamaBench(output []byte, t decodeTest) (benchRun, error) {
	var runs []benchRun
	if err := json.Unmarshal(output, &runs); err != nil {
		return benchRun{}, fmt.Errorf("llama-bench printed no JSON: %w: %s", err, excerpt(output))
	}
	for _, run := range runs {
		if run.Prompt != t.prompt || run.Output != t.output || run.Depth != t.depth {
			continue
		}
		if len(run.Nanoseconds) != 1 || run.Nanoseconds[0] == 0 {
			return benchRun{}, fmt.Errorf("llama-bench reported %v nanoseconds for %s; one repetition was asked for", run.Nanoseconds, t)
		}
		return run, nil
	}
	return benchRun{}, fmt.Errorf("llama-bench reported %d results, none for %s", len(runs), t)
}

// check holds what llama-bench says it did against what it was told.
func (r benchRun) check(s settings) error {
	flash := map[string]int{"on": 1, "off": 0}[s.FlashAttention]
	got := []any{r.Batch, r.MicroBatch, r.Threads, r.Poll, r.CacheTypeK, r.CacheTypeV, r.GPULayers, r.FlashAttention}
	want := []any{s.Batch, s.Batch, s.Threads, s.Poll, s.CacheTypeK, s.CacheTypeV, s.GPULayers, flash}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Errorf("llama-bench ran with other settings than it was told: %v, not %v (n_batch, n_ubatch, n_threads, poll, type_k, type_v, n_gpu_layers, flash_attn)", got, want)
		}
	}
	return nil
}
