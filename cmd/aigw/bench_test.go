package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/internal/testmodel"
)

// The real model, loaded here, is asked as GitLab asks. Objectives that nothing can keep decide every question at once, however
// slow this machine is.
func TestBenchOfTheRealModel(t *testing.T) {
	code, stdout, stderr := call(t, "bench", "--model", testmodel.Path(t), "--ctx", "2048", "--calibrate", "off", "--state-dir", t.TempDir(), "--chat-warmup", "off",
		"--mix", "typing", "--people", "3", "--for", "4s", "--completion-p95", "1ms", "--opening-p95", "1ms", "--generation-p95", "1ms", "--chat-p95", "1ms", "--worst-gap", "0", "--json")
	if code != exitFailed {
		t.Fatalf("code %d, %s", code, stderr)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		t.Fatalf("%v: %s %s", err, stdout, stderr)
	}
	for _, key := range []string{"version", "gateway", "models", "mix", "objectives_ms", "stages", "people_served", "people_missed", "verdict"} {
		if _, ok := out[key]; !ok {
			t.Errorf("there is no %s", key)
		}
	}
	stage := out["stages"].([]any)[0].(map[string]any)
	judged := 0.0
	for class, v := range stage["classes"].(map[string]any) {
		f := v.(map[string]any)
		if f["failed"] != 0.0 || f["refused"] != 0.0 {
			t.Errorf("%s: %v", class, f)
		}
		judged += f["answered"].(float64) + f["late"].(float64)
	}
	if judged == 0 || !strings.Contains(out["verdict"].(string), "does not serve 3 people at once (3 type)") {
		t.Errorf("%s", stdout)
	}
	if !strings.Contains(stderr, `"people":3`) {
		t.Errorf("no line of progress: %s", stderr)
	}
}

// A gateway that runs is asked in the same words, and as different people.
func TestBenchAsksAGateway(t *testing.T) {
	s, g := gatewayOf(t, "one ", "two")
	code, stdout, stderr := call(t, "bench", "--url", s.URL, "--people", "8", "--for", "4s", "--generation-p95", "1s", "--chat-p95", "1s", "--completion-p95", "1s")
	if code == exitUsage || !strings.Contains(stdout, "at once (6 type, 1 asks for code, 1 chats)") && !strings.Contains(stdout, "8 people") {
		t.Fatalf("%d %s %s", code, stdout, stderr)
	}
	if !slices.ContainsFunc(g.Requests(), func(r engine.Request) bool { return strings.Contains(gatewaytest.PromptText(r.Prompt), "ErrGivenUp") }) {
		t.Error("nobody typed")
	}
}

func TestMistakesOfBench(t *testing.T) {
	closed := gatewaytest.Start(t, gateway.Options{})
	loading := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{BypassExternal: true}})
	codeOnly := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{BypassExternal: true}})
	codeOnly.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"x"}}))
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"left over":       {[]string{"x"}, exitUsage, `"x"`},
		"no model":        {nil, exitUsage, "--url URL"},
		"no such mix":     {[]string{"--mix", "x"}, exitUsage, "mixed"},
		"too short":       {[]string{"--for", "3s"}, exitUsage, "at least 3m0s"},
		"negative":        {[]string{"--chat-p95", "-1s"}, exitUsage, "--chat-p95"},
		"too many":        {[]string{"--people", "9999"}, exitUsage, "--people 9999"},
		"nobody tried":    {[]string{"--most", "0"}, exitUsage, "--most 0"},
		"no recording":    {[]string{"--recording", "/nowhere.yaml"}, exitFailed, "/nowhere.yaml"},
		"not a recording": {[]string{"--recording", write(t, "r.yaml", "a: 1")}, exitFailed, "is no recording"},
		"nobody answers":  {[]string{"--url", "http://127.0.0.1:1"}, exitFailed, "no gateway answers"},
		"no token":        {[]string{"--url", closed.URL}, exitFailed, "--token-file"},
		"still loading":   {[]string{"--url", loading.URL}, exitFailed, "try again"},
		"cannot chat":     {[]string{"--url", codeOnly.URL}, exitFailed, "--mix"},
		"two sources":     {[]string{"--url", closed.URL, "--model", "x.gguf"}, exitUsage, "exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"bench"}, test.args...)...)
			if last := strings.TrimSpace(stderr); code != test.code || stdout != "" || !strings.Contains(last, test.says) {
				t.Errorf("code %d (want %d), %q, want %q", code, test.code, stderr, test.says)
			}
		})
	}
}
