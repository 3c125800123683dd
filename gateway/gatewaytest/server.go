package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aigw/gateway"
)

// Server is a gateway that serves on a port of this machine for the duration of a test.
type Server struct {
	*gateway.Server
	Addr       string // host:port of the API
	URL        string // of the API, without a slash at the end
	MetricsURL string

	t   testing.TB
	log *logBuffer
}

// running counts the servers that were started and have not ended.
var running atomic.Int32

// Start starts a server. When the test ends the server is shut down, and the test fails if that
// is not clean or leaves goroutines behind.
func Start(t testing.TB, o gateway.Options) *Server {
	t.Helper()
	s := &Server{t: t, log: &logBuffer{}}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s.Server = gateway.New(o)
	running.Add(1)
	api, metrics := listen(t), listen(t)
	s.Addr, s.URL, s.MetricsURL = api.Addr().String(), "http://"+api.Addr().String(), "http://"+metrics.Addr().String()
	ended := make(chan error, 2)
	go func() { ended <- s.Serve(context.Background(), api) }()
	go func() { ended <- s.ServeMetrics(context.Background(), metrics) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		for range 2 {
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("server does not end after Shutdown")
			}
		}
		if running.Add(-1) == 0 { // the last server of the test
			http.DefaultClient.CloseIdleConnections()
			NoGoroutines(t)
		}
	})
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Answer is a response that was read to its end.
type Answer struct {
	*http.Response
	Text string
}

// Do sends a request. Headers are given as name, value, name, value; a name "Host" sets the host.
func (s *Server) Do(method, path, body string, headers ...string) Answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return Answer{response, string(text)}
}

// Metrics returns the metrics page.
func (s *Server) Metrics() string {
	s.t.Helper()
	response, err := http.Get(s.MetricsURL + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// Log returns everything logged so far.
func (s *Server) Log() string { return s.log.String() }

// LogLine waits for the log line of the request with the given id, and returns its fields.
func (s *Server) LogLine(requestID string) map[string]any {
	s.t.Helper()
	var fields map[string]any
	Eventually(s.t, "a log line for request "+requestID, func() bool {
		for line := range strings.Lines(s.Log()) {
			fields = nil
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				s.t.Fatalf("log line is no JSON: %v: %s", err, line)
			}
			if fields["correlation_id"] == requestID {
				return true
			}
		}
		return false
	})
	return fields
}

// Eventually waits until something is true, and fails the test if it does not become so.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// NoGoroutines fails the test if goroutines of the gateway or of net/http still run.
func NoGoroutines(t testing.TB) {
	t.Helper()
	var left string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if left = Goroutines(); left == "" {
			return
		}
	}
	t.Errorf("goroutines are left behind:\n%s", left)
}

// Goroutines returns the stacks of the gateway's goroutines.
func Goroutines() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var left []string
	for i, stack := range strings.Split(string(stacks), "\n\n") {
		if i > 0 && (strings.Contains(stack, "aigw/gateway") || strings.Contains(stack, "net/http.(*conn)") || strings.Contains(stack, "net/http.(*Server)")) &&
			!strings.Contains(stack, "testing.tRunner") && !strings.Contains(stack, "testing.(*T).Run") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}

// logBuffer is a buffer that may be used concurrently.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
