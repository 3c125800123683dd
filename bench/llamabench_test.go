package main

import (
	"os"
	"strings"
	"testing"
)

// testdata/llama-bench.json is what llama-bench v0.5.0 printed for
//
//	llama-bench -m MODEL -p 0 -n 16 -d 0 -r 1 -b 512 -ub 512 -t 2 --poll 0 -fa on -ctk f16 -ctv f16 -ngl 0 -o json
var (
	recordedTest     = decodeTest{output: 16}
	recordedSettings = settings{Threads: 2, Batch: 512, FlashAttention: "on", CacheTypeK: "f16", CacheTypeV: "f16"}
)

func TestParseLlamaBench(t *testing.T) {
	recorded, err := os.ReadFile("testdata/llama-bench.json")
	if err != nil {
		t.Fatal(err)
	}
	run, err := parseLlamaBench(recorded, recordedTest)
	if err != nil {
		t.Fatal(err)
	}
	if run.elapsed() <= 0 || run.Commit != "de3ff81" || run.Backends != "CPU" {
		t.Errorf("run %+v", run)
	}
	if err := run.check(recordedSettings); err != nil {
		t.Error(err)
	}

	changes := []struct {
		name   string
		change func(*settings)
	}{
		{"threads", func(s *settings) { s.Threads = 4 }},
		{"batch", func(s *settings) { s.Batch = 128 }},
		{"polling", func(s *settings) { s.Poll = 50 }},
		{"flash attention", func(s *settings) { s.FlashAttention = "off" }},
		{"K", func(s *settings) { s.CacheTypeK = "q8_0" }},
		{"V", func(s *settings) { s.CacheTypeV = "q8_0" }},
		{"GPU layers", func(s *settings) { s.GPULayers = 999 }},
	}
	for _, change := range changes {
		other := recordedSettings
		change.change(&other)
		if err := run.check(other); err == nil {
			t.Errorf("%s: a run with other settings was accepted", change.name)
		}
	}
}

func TestParseLlamaBenchRefuses(t *testing.T) {
	const one = `{"n_prompt":0,"n_gen":16,"n_depth":0,"samples_ns":[5]}`
	tests := []struct {
		name, output, want string
	}{
		{"nothing", "", "no JSON"},
		{"text", "error: failed to load model", "failed to load model"},
		{"no results", "[]", "none for tg16 @ d0"},
		{"another test", `[{"n_prompt":512,"n_gen":0,"n_depth":0,"samples_ns":[5]}]`, "none for tg16 @ d0"},
		{"another depth", strings.Replace("["+one+"]", `"n_depth":0`, `"n_depth":512`, 1), "none for tg16 @ d0"},
		{"two repetitions", strings.Replace("["+one+"]", "[5]", "[5,6]", 1), "one repetition"},
		{"no time", strings.Replace("["+one+"]", "[5]", "[0]", 1), "one repetition"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := parseLlamaBench([]byte(test.output), recordedTest); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if run, err := parseLlamaBench([]byte("["+one+"]"), recordedTest); err != nil || run.elapsed() != 5 {
		t.Errorf("the unchanged result: %v, %v", run, err)
	}
}

func TestInProcessLengths(t *testing.T) {
	tests := []struct {
		test           decodeTest
		prompt, output int
	}{
		{decodeTest{prompt: 512}, 512, 1},
		{decodeTest{output: 128}, 1, 129},
		{decodeTest{output: 128, depth: 512}, 512, 129},
	}
	for _, test := range tests {
		prompt, output := (&inProcess{test: test.test}).lengths()
		if prompt != test.prompt || output != test.output {
			t.Errorf("%s: %d + %d tokens, want %d + %d", test.test, prompt, output, test.prompt, test.output)
		}
	}
}
