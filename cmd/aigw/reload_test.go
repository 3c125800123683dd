package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A hangup at the supervisor reaches the worker, which takes what it can and names the rest.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	config, logFile, jwks := filepath.Join(dir, "aigw.yaml"), filepath.Join(dir, "aigw.log"), filepath.Join(dir, "jwks.json")
	first, second := filepath.Join(dir, "first.pem"), filepath.Join(dir, "second.pem")
	settings := "user-rate: 0\nqueue: 9\nlogging: {level: INFO, to_file: " + logFile + "}\n"
	writeAll(t, map[string]string{config: settings, jwks: token(t, "--key", first, "--make-key", "--jwks")})
	t.Setenv("AIGW_STATE_DIR", filepath.Join(dir, "state"))
	p := startWorker(t, "--config", config, "--jwks-file", jwks)
	ask := func(key string) int {
		return p.withToken("/v1/code/user_access_token", "", token(t, "--key", key, "--make-key", "--headers")).status
	}
	if a, b := ask(first), ask(second); a != http.StatusOK || b != http.StatusUnauthorized {
		t.Fatalf("%d %d", a, b)
	}

	writeAll(t, map[string]string{config: strings.Replace(settings, "user-rate: 0\nqueue: 9", "user-rate: 2\nqueue: 8", 1), jwks: token(t, "--key", second, "--jwks")})
	if err := os.Rename(logFile, logFile+".1"); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.wait("the settings", func() bool {
		return strings.Contains(p.log.String(), `"changed":["user-rate"]`) && strings.Contains(p.log.String(), "need a restart: queue")
	})
	p.wait("the new key", func() bool { return ask(second) == http.StatusOK })
	if got := ask(first); got != http.StatusUnauthorized {
		t.Errorf("with the key that was withdrawn: %d", got)
	}
	p.wait("the limit", func() bool { return ask(second) == http.StatusTooManyRequests })
	for path, want := range map[string]string{logFile + ".1": `"message":"listening"`, logFile: `"logger":"api.access"`} {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %s, %v", path, text, err)
		}
	}

	writeAll(t, map[string]string{config: "queu: 1\n"})
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.wait("the error", func() bool { return strings.Contains(p.log.String(), `did you mean \"queue\"?`) })
	if got := p.get("/monitoring/healthz"); got != http.StatusOK {
		t.Errorf("after bad settings: %d", got)
	}
}

// systemd is told when the model answers, and that the program stops.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	said := func() string {
		b := make([]byte, 100)
		if err := socket.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	p := startWorker(t)
	if got := said(); got != "READY=1" {
		t.Errorf("%q", got)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := said(); got != "STOPPING=1" {
		t.Errorf("%q", got)
	}
	<-p.over
	if p.err != nil {
		t.Error(p.err)
	}
}

// startWorker starts supervisor and worker without a model, with authentication on.
func startWorker(t *testing.T, args ...string) *process {
	t.Helper()
	p := newProcess(t, nil, args...)
	p.wait("a worker", func() bool { return len(p.workers()) == 1 })
	p.url = p.workers()[0].URL
	return p
}

// The lines are JSON with the original's names.
func TestLogLinesOfTheProgram(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	r := startClosed(t)
	r.get("/monitoring/healthz")
	r.wait("an access line", func() bool { return strings.Contains(r.log.String(), "api.access") })
	for line := range strings.Lines(r.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["type"] != "mlops" || fields["stage"] != "main" || fields["timestamp"] == nil || fields["logger"] == nil {
			t.Errorf("%v: %s", err, line)
		}
	}
}
