package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const accessLog = `{"logger":"aigw","message":"listening"}
no JSON
{"logger":"api.access","correlation_id":"other","duration_s":1}
{"logger":"api.access","correlation_id":"one","path":"/v2/code/completions","status_code":200,"request_arrived_at":"2026-01-02T03:04:05Z","duration_s":2,"duration_request":0.5,"auth_duration_s":0.001,"queue_duration_s":1.2,"prefill_duration_s":0.5,"decode_duration_s":0.2,"prompt_tokens":100,"cached_tokens":60,"output_tokens":11,"generation_end":"stop"}
{"logger":"api.payload","correlation_id":"one","request":"somebody's code"}
`

func TestExplain(t *testing.T) {
	log := write(t, "aigw.log", accessLog)
	code, stdout, stderr := call(t, "explain", "--log", log, "one")
	for _, want := range []string{"status 200, 2s in all", "queue", "1.2s", "100 tokens, 60 of them reused", "11 tokens, 50.0 a second, ended by stop", "most of it: queue"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("code %d, %q is missing in %s%s", code, want, stdout, stderr)
		}
	}
	t.Setenv("AIGW_LOGGING__TO_FILE", log)
	code, stdout, stderr = call(t, "explain", "--json", "one")
	var out struct {
		Most  string
		Parts []part
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil || code != 0 || out.Most != "queue" || len(out.Parts) != 6 {
		t.Errorf("code %d, %v, %s%s", code, err, stdout, stderr)
	}
	if code, _, stderr := call(t, "explain", "nobody"); code != exitFailed || !strings.Contains(stderr, "nobody") {
		t.Errorf("code %d, %s", code, stderr)
	}
	if code, _, _ := call(t, "explain"); code != exitUsage {
		t.Errorf("code %d", code)
	}
}

// What a helper gets has everything but prompts and keys.
func TestSupport(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	t.Setenv("AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "top-secret")
	t.Setenv("AIGW_LOGGING__TO_FILE", write(t, "aigw.log", accessLog))
	path := filepath.Join(t.TempDir(), "s.tar.gz")
	if code, _, stderr := call(t, "support", "-o", path, "--metrics-listen", "127.0.0.1:1"); code != 0 {
		t.Fatal(stderr)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "aigw-support/")] = string(text)
		if strings.Contains(string(text), "top-secret") || strings.Contains(string(text), "somebody's code") {
			t.Errorf("%s: %s", h.Name, text)
		}
	}
	for name, want := range map[string]string{
		"version.json": "llama_cpp", "settings.json": "AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "doctor.json": `"signing-key"`,
		"metrics.txt.missing": "connection refused", "log.jsonl": `"correlation_id":"other"`, "machine.txt": "MemTotal",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q", name, files[name])
		}
	}
	if code, _, stderr := call(t, "support", "-o", path); code != exitFailed || !strings.Contains(stderr, "exists") {
		t.Errorf("an archive that is there is overwritten: code %d, %s", code, stderr)
	}
}
