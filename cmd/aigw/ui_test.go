package main

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// The status page in a browser, with the real model behind it. .ci/ui names the browser and what drives it;
// without them it is only seen that the page is there.
func TestRunShowsTheStatusPage(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("AIGW_STATE_DIR", dir)
	code, stdout, stderr := call(t, "keys", "add", "--admin", "boss")
	if code != 0 {
		t.Fatal(stderr)
	}
	key := strings.TrimSpace(stdout)
	r := startClosed(t, "--model", "smol="+testmodel.Path(t), "--ctx", "512", "--chat-warmup", "off", "--inference-timeout", "10m") // whatever else the machine does
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	if !strings.Contains(r.log.String(), r.url+"/ui") {
		t.Error("the log does not say where the page is")
	}
	if code := r.get("/ui/signin"); code != http.StatusOK {
		t.Fatalf("the form: %d", code)
	}
	modules := os.Getenv("AIGW_UI_MODULES")
	if modules == "" {
		return
	}
	browser := exec.CommandContext(t.Context(), "node", "testdata/ui.mjs", r.url)
	browser.Env = append(os.Environ(), "AIGW_UI_KEY="+key)
	said, err := browser.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Error(err)
	}
	if log := r.log.String(); strings.Contains(log, key) || strings.Contains(log, "fibonacci") || strings.Contains(log, "administrator see") {
		t.Error("the log has a key, a prompt or a question")
	}
}

// Without an admin key, or with --ui off, there is no page.
func TestRunHasNoStatusPage(t *testing.T) {
	r := start(t)
	if code := r.get("/ui"); code != http.StatusNotFound || !strings.Contains(r.log.String(), "aigw keys add --admin") {
		t.Errorf("%d\n%s", code, r.log)
	}
	code, _, stderr := call(t, "run", "--ui", "maybe")
	if code != exitUsage || !strings.Contains(stderr, "--ui") {
		t.Errorf("%d %s", code, stderr)
	}
}
