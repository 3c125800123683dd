package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"aigw/cmd/aigw/top"
	"aigw/internal/testmodel"
)

// aigw top reads a gateway that works.
func TestTopWatchesAGateway(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "1024", "--completion-time", "200ms")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	metrics := strings.TrimSuffix(regexp.MustCompile(`"metrics":"(http://[^"]+)"`).FindStringSubmatch(r.log.String())[1], "/metrics")
	asked := make(chan bool)
	go func() {
		defer close(asked)
		r.post(codeRequests[1].path, fmt.Sprintf(codeRequests[1].body, false))
	}()
	code, stdout, stderr := call(t, "top", "--url", metrics, "--interval", "300ms", "--count", "2", "--json")
	<-asked
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != 0 || len(lines) != 2 {
		t.Fatalf("code %d: %s%s", code, stdout, stderr)
	}
	var last top.Rates
	if err := json.Unmarshal([]byte(lines[1]), &last); err != nil || len(last.Models) != 1 || last.Models[0].Cells != 1024 || last.Memory < 1<<20 || !last.Bypassed {
		t.Errorf("%v: %s", err, lines[1])
	}
	code, stdout, stderr = call(t, "top", "--url", metrics+"/metrics", "--interval", "50ms", "--count", "1")
	if code != 0 || !strings.Contains(stdout, " requests ") || strings.Contains(stdout, "\x1b") {
		t.Errorf("code %d: %q%s", code, stdout, stderr)
	}
	for _, test := range []struct {
		url  string
		code int
		want string
	}{{r.url, exitFailed, "--metrics-listen"}, {"http://127.0.0.1:1", exitFailed, "is a gateway running"}, {"127.0.0.1:8082", exitUsage, "--url"}} {
		if code, _, stderr := call(t, "top", "--url", test.url, "--count", "1"); code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: code %d, %s", test.url, code, stderr)
		}
	}
}
