package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/report.txt anew")

func sampleReport() (head, section) {
	h := head{
		Date: "2026-01-02T03:04:05Z",
		Machine: machine{
			CPU: "Some CPU", Cores: 2, Memory: "8000000 kB", OS: "linux/amd64, kernel 6.1", Load: "0.01 0.10 0.20", Busy: 0.3,
		},
		Settings: settings{Model: "model.gguf", Threads: 2, Context: 8192, Batch: 512, Parallel: 8, FlashAttention: "on", CacheTypeK: "f16", CacheTypeV: "f16"},
		Versions: []string{"aigw dev"},
		Commands: []command{{"llama-server", "bin/llama-server -m model.gguf"}},
	}
	s := section{
		title: "stream", repetitions: 6, ours: "aigw", theirs: "llama-server",
		comparisons: []comparison{
			{figure{"decode", "tok/s", more, 1.1}, samples{120, 121, 122, 120, 121, 122}, samples{100, 101, 102, 100, 101, 102}},
			{figure{"prefill", "tok/s", more, 1}, samples{990, 1100, 990, 1100, 990, 1100}, samples{1000, 1000, 1000, 1000, 1000, 1000}},
			{figure{"one completion", "s", less, 0}, samples{0.51234}, samples{0.75}},
		},
		notes: []string{"output tokens of an answer: ours 128, theirs 128; same text in 6 of 6"},
	}
	return h, s
}

func TestReport(t *testing.T) {
	var got bytes.Buffer
	h, s := sampleReport()
	if err := printHead(&got, h); err != nil {
		t.Fatal(err)
	}
	if err := printSection(&got, s); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "report.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the report differs from %s (go test ./bench -run TestReport -update writes it):\n%s", golden, got.String())
	}
}

func TestRawReport(t *testing.T) {
	h, s := sampleReport()
	path := filepath.Join(t.TempDir(), "raw.json")
	if err := writeRaw(path, rawReport{head: h, Figures: rawFigures(s)}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back rawReport
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	decode, latency := back.Figures[0], back.Figures[2]
	if len(decode.Ours.Samples) != 6 || decode.Ours.Samples[5] != 122 || decode.Theirs.Median != 101 || decode.Verdict != "pass" || *decode.Target != 1.1 {
		t.Errorf("decode %+v", decode)
	}
	if latency.Noise != nil || latency.Target != nil || latency.Better != "less" {
		t.Errorf("latency %+v: one sample has no noise, and there is no target", latency)
	}
	if back.Machine.CPU != h.Machine.CPU || back.Settings != h.Settings {
		t.Errorf("head %+v", back.head)
	}
}

func TestNumber(t *testing.T) {
	tests := map[float64]string{0.0012345: "0.001234", 0.5: "0.5000", 99.999: "100.0", 123.456: "123.5", 999.96: "1000", 12345.6: "12346"}
	for v, want := range tests {
		if got := number(v); got != want {
			t.Errorf("%v is printed %s, want %s", v, got, want)
		}
	}
}

func TestParseFlags(t *testing.T) {
	model := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(model, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := [][]string{
		{"-model", model},
		{"-model", model, "-n", "1", "-only", "stream,crowd", "-fa", "off"},
		{"-model", model, "-server", "a/llama-server", "-llama-bench", "b/llama-bench", "-aigw", "c/aigw"},
	}
	for _, args := range good {
		if _, err := parseFlags(args, &bytes.Buffer{}); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	o, err := parseFlags([]string{"-model", model, "-bin", "folder", "-aigw", "c/aigw"}, &bytes.Buffer{})
	if err != nil || o.llamaServer != "folder/llama-server" || o.llamaBench != "folder/llama-bench" || o.aigw != "c/aigw" {
		t.Errorf("programs %s, %s, %s: %v", o.llamaServer, o.llamaBench, o.aigw, err)
	}
	bad := []struct {
		args []string
		want string
	}{
		{nil, "name a GGUF file"},
		{[]string{"-model", model + "x"}, "no such file"},
		{[]string{"-model", filepath.Dir(model)}, "is a folder"},
		{[]string{"-model", model, "-n", "0"}, "at least 1"},
		{[]string{"-model", model, "-only", "steam"}, `no scenario "steam"`},
		{[]string{"-model", model, "-fa", "auto"}, "say on or off"},
		{[]string{"-model", model, "-parallel", "4"}, "sends 8 at once"},
		{[]string{"-model", model, "-ctx", "1024"}, "at least 5120"},
		{[]string{"-model", model, "more"}, `"more"`},
	}
	for _, test := range bad {
		if _, err := parseFlags(test.args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one with %q", test.args, err, test.want)
		}
	}
}
