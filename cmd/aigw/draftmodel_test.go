package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// The program serves with a draft model, here the model itself, and refuses one that cannot guess for it.
func TestRunWithADraftModel(t *testing.T) {
	model := testmodel.Path(t)
	r := start(t, "--model", model, "--draft-model", model, "--ctx", "1024", "--parallel", "2")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	got := r.post("/v2/code/completions", `{"prompt_version":1,"project_path":"","project_id":0,"current_file":{"file_name":"a.go","content_above_cursor":"func add(a, b int) int {\n\treturn ","content_below_cursor":"\n}\n"},"telemetry":[]}`)
	if got.status != http.StatusOK || !strings.Contains(got.text, `"choices"`) {
		t.Errorf("%d %s", got.status, got.text)
	}
	r.end()
	needed := func(args ...string) (mib int) {
		_, checks := examine(t, append([]string{"--model", model}, args...)...)
		if _, err := fmt.Sscanf(checks["memory"].Found, "%d MiB are needed", &mib); err != nil {
			t.Errorf("%v: %+v", args, checks["memory"])
		}
		return mib
	}
	if one, two := needed(), needed("--draft-model", model); two <= one {
		t.Errorf("doctor: %d MiB, with a draft model %d", one, two)
	}
	if _, checks := examine(t, "--model", model, "--draft-model", "/nowhere/small.gguf"); !strings.Contains(checks["memory"].Found, "/nowhere/small.gguf") {
		t.Errorf("doctor: %+v", checks["memory"])
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--draft-model", testmodel.Tiny(t, testmodel.Plain)}, "vocabulary"},
		{[]string{"--draft-model", "/nowhere/small.gguf"}, "/nowhere/small.gguf"},
		{[]string{"--draft-model", model, "--draft-tokens", "0"}, "--draft-tokens 0"},
		{[]string{"--draft-model", model, "--model", "other=" + model, "--model", testmodel.Tiny(t, testmodel.Plain)}, "one model"},
	} {
		code, _, stderr := call(t, append([]string{"run", "--model", model, "--supervise", "off", "--ctx", "512", "--parallel", "2", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"}, test.args...)...)
		if code == 0 || !strings.Contains(stderr, test.says) {
			t.Errorf("%v: %d %s", test.args, code, stderr)
		}
	}
}
