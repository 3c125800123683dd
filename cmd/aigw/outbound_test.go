package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"aigw/internal/testmodel"
)

// inNamespaceVar tells the test that it runs in a network namespace of its own.
const inNamespaceVar = "AIGW_TEST_IN_NAMESPACE"

// In a network namespace in which every address in the world is this machine, the kernel counts each
// connection that is begun and each datagram that is sent. The program, whatever requests name, begins
// only those to the configured GitLab.
func TestOnlyGitLabIsConnectedTo(t *testing.T) {
	if os.Getenv(inNamespaceVar) == "" {
		if _, err := exec.LookPath("unshare"); err != nil {
			t.Skip("no unshare here")
		}
		if text, err := exec.Command("unshare", "-rn", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Skipf("no network namespaces here: %v: %s", err, text)
		}
		cmd := exec.Command("unshare", "-rn", os.Args[0], "-test.run=^TestOnlyGitLabIsConnectedTo$", "-test.v")
		cmd.Env = append(os.Environ(), inNamespaceVar+"=1", asProgramVar+"=") // this one is the test again
		text, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(text), "--- PASS") {
			t.Errorf("%v\n%s", err, text)
		}
		return
	}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"route", "add", "local", "0.0.0.0/0", "dev", "lo"}} {
		if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, text)
		}
	}
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	key := filepath.Join(t.TempDir(), "k.pem")
	jwks := token(t, "--key", key, "--make-key", "--jwks")
	var accepted atomic.Int64
	gitlab := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			fmt.Fprintf(w, `{"jwks_uri":"https://gitlab.com/oauth/discovery/keys"}`)
			return
		}
		fmt.Fprint(w, jwks)
	}))
	gitlab.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			accepted.Add(1)
		}
	}
	gitlab.Start()
	defer gitlab.Close()

	opens, _ := counted(t)
	if c, err := net.Dial("tcp", "198.51.100.1:4000"); err == nil {
		c.Close()
	}
	if now, _ := counted(t); now != opens+1 {
		t.Fatalf("the kernel counted %d connections for one", now-opens)
	}

	opens, datagrams := counted(t)
	var own int64
	http.DefaultTransport = countingTransport(&own)
	r := startClosed(t, "--model", testmodel.Path(t), "--ctx", "2048", "--gitlab-url", gitlab.URL, "--completion-time", "200ms")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	headers := token(t, "--key", key, "--headers", "--issuer", "https://customers.gitlab.com")
	for _, test := range codeRequests[:2] { // what later ones name is the same
		body := strings.ReplaceAll(fmt.Sprintf(test.body, false), "http://x.test", "http://198.51.100.1:4000")
		if got := r.withToken(test.path, body, headers); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", test.name, got.status, got.text)
		}
	}
	r.end()
	nowOpens, nowDatagrams := counted(t)
	if begun := nowOpens - opens; begun != atomic.LoadInt64(&own)+accepted.Load() || accepted.Load() == 0 {
		t.Errorf("%d connections were begun: %d by the test, %d to GitLab", begun, own, accepted.Load())
	}
	if nowDatagrams != datagrams {
		t.Errorf("%d datagrams were sent", nowDatagrams-datagrams)
	}
}

// countingTransport counts the connections that it begins.
func countingTransport(n *int64) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		atomic.AddInt64(n, 1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
}

// counted returns how many TCP connections were begun and UDP datagrams sent in this namespace.
func counted(t *testing.T) (opens, datagrams int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		t.Fatal(err)
	}
	number := func(protocol, field string) int64 {
		var names []string
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if words[0] != protocol+":" {
				continue
			}
			if names == nil {
				names = words
				continue
			}
			n, err := strconv.ParseInt(words[slices.Index(names, field)], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		t.Fatalf("the kernel does not count %s", field)
		return 0
	}
	return number("Tcp", "ActiveOpens"), number("Udp", "OutDatagrams")
}
