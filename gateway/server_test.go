package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
)

// wait returns a gatewaytest.Generator's Wait that sleeps before each piece.
func wait(d time.Duration) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestStates(t *testing.T) {
	s := gatewaytest.Start(t, open)
	check := func(name string, readyStatus, apiStatus int, retryAfter, detail string, progress any) {
		t.Helper()
		if got := s.Do("GET", "/monitoring/healthz", ""); got.StatusCode != 200 || got.Text != "{}" {
			t.Errorf("%s: healthz %d %s", name, got.StatusCode, got.Text)
		}
		ready := s.Do("GET", "/monitoring/ready", "")
		if ready.StatusCode != readyStatus {
			t.Errorf("%s: ready %d, want %d", name, ready.StatusCode, readyStatus)
		}
		if readyStatus == 200 {
			if ready.Text != "{}" {
				t.Errorf("%s: ready %s", name, ready.Text)
			}
		} else if want := `{"detail":"` + detail + `"}`; ready.Text != want || ready.Header.Get("Retry-After") != retryAfter {
			t.Errorf("%s: ready %s (Retry-After %s), want %s (%s)", name, ready.Text, ready.Header.Get("Retry-After"), want, retryAfter)
		}
		api := s.Do("POST", completions, rightBody)
		if api.StatusCode != apiStatus {
			t.Fatalf("%s: api %d %s, want %d", name, api.StatusCode, api.Text, apiStatus)
		}
		if apiStatus == 200 {
			return
		}
		var body map[string]any
		if err := json.Unmarshal([]byte(api.Text), &body); err != nil {
			t.Fatal(err)
		}
		if body["detail"] != detail || body["progress"] != progress || api.Header.Get("Retry-After") != retryAfter {
			t.Errorf("%s: api %s, Retry-After %s", name, api.Text, api.Header.Get("Retry-After"))
		}
	}
	check("start", 503, 503, "5", "The server is starting", 0.0)
	s.Loading("codestral.gguf", 0)
	check("loading", 503, 503, "5", "Model codestral.gguf is loading (0 %)", 0.0)
	s.Loading("codestral.gguf", 0.425)
	check("loading on", 503, 503, "1", "Model codestral.gguf is loading (42 %)", 0.425)
	s.Failed(errors.New("file is truncated"))
	check("failed", 503, 503, "60", "The model could not be loaded; the server's log says why", nil)
	if !strings.Contains(s.Log(), "file is truncated") {
		t.Error("the log does not say why")
	}
	s.NoModel()
	check("no model", 200, 503, "60", "No model is loaded for this task; start aigw run with --model FILE", nil)
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"1"}}))
	check("ready", 200, 200, "", "", nil)
}

func TestNewDoesNothingYet(t *testing.T) {
	before := gatewaytest.Goroutines()
	s := gateway.New(gateway.Options{})
	if after := gatewaytest.Goroutines(); after != before {
		t.Errorf("goroutines: %s", after)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), l); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

func TestServeSaysThatAListenerFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := gateway.New(gateway.Options{})
	for _, serve := range []func(context.Context, net.Listener) error{s.Serve, s.ServeMetrics} {
		if err := serve(context.Background(), l); !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("error %v", err)
		}
	}
}

func TestZeroOptionsRefuseEverybody(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{})
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{}))
	got := s.Do("POST", completions, rightBody, "Authorization", "Bearer x", "X-Gitlab-Authentication-Type", "oidc", "Bypass-Auth", "true")
	if got.StatusCode != 401 || got.Text != `{"error":"Forbidden by auth provider"}` {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

func TestBypassIsLogged(t *testing.T) {
	for name, o := range map[string]auth.Options{"all": {BypassExternal: true}, "header": {BypassExternalWithHeader: true}} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.Start(t, gateway.Options{Auth: o})
			gatewaytest.Eventually(t, "a line about the bypass", func() bool {
				return strings.Contains(s.Log(), `"level":"ERROR+4","msg":"authentication is bypassed`)
			})
		})
	}
}

// A context's end stops the server, but what runs is finished and new work is refused.
func TestGracefulStop(t *testing.T) {
	release := make(chan struct{})
	g := &gatewaytest.Generator{Pieces: []string{"done"}, Wait: func(ctx context.Context, _ int) error { <-release; return nil }}
	s := gateway.New(open)
	s.Ready(gatewaytest.Model(g))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	answered := make(chan string, 1)
	go func() {
		response, err := http.Post("http://"+l.Addr().String()+completions, "", strings.NewReader(rightBody))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(response.Body)
		answered <- response.Status + " " + b.String()
	}()
	gatewaytest.Eventually(t, "the generation", func() bool { return g.Running() == 1 })
	cancel()
	gatewaytest.Eventually(t, "the port to close", func() bool {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-served:
		t.Fatalf("Serve returned %v before the request had ended", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if got := <-answered; !strings.HasPrefix(got, "200") || !strings.Contains(got, `"text":"done"`) {
		t.Errorf("answer %s", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	gatewaytest.NoGoroutines(t)
}

// When DrainTimeout has passed, requests are cancelled and told so.
func TestStopDoesNotWaitForEver(t *testing.T) {
	o := open
	o.DrainTimeout = 100 * time.Millisecond
	s := gatewaytest.Start(t, o)
	g := &gatewaytest.Generator{Wait: gatewaytest.Block}
	s.Ready(gatewaytest.Model(g))
	answers := make(chan gatewaytest.Answer, 1)
	go func() { answers <- s.Do("POST", completions, rightBody) }()
	gatewaytest.Eventually(t, "the generation", func() bool { return g.Running() == 1 })
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	got := <-answers
	if got.StatusCode != 503 || got.Text != `{"detail":"The server is shutting down"}` || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

// A generator that does not heed its context cannot keep the server from stopping.
func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	o := open
	o.DrainTimeout = 50 * time.Millisecond
	release := make(chan struct{})
	g := &gatewaytest.Generator{Wait: func(context.Context, int) error { <-release; return engine.ErrClosed }}
	s := gateway.New(o)
	s.Ready(gatewaytest.Model(g))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(post(fmt.Sprintf("Content-Length: %d", len(rightBody)), rightBody))); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "the generation", func() bool { return g.Running() == 1 })
	if err := s.Shutdown(context.Background()); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-served; err == nil {
		t.Error("Serve does not say that requests were cut off")
	}
	close(release)
	gatewaytest.NoGoroutines(t)
}

func TestPanicIs500(t *testing.T) {
	s := gatewaytest.Start(t, open)
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Wait: func(context.Context, int) error { panic("a defect") }}))
	got := s.Do("POST", completions, rightBody, "X-Request-ID", "p")
	if got.StatusCode != 500 || got.Text != `{"detail":"Internal Server Error"}` || got.Header.Get("Content-Type") != "application/json" ||
		got.Header.Get("X-Process-Time") == "" || got.Header.Get("X-Request-ID") != "p" {
		t.Errorf("%d %s %v", got.StatusCode, got.Text, got.Header)
	}
	line := s.LogLine("p")
	if line["exception_message"] != "a defect" || line["exception_class"] != "string" || !strings.Contains(line["exception_backtrace"].(string), "goroutine") || line["level"] != "ERROR" {
		t.Errorf("log line %v", line)
	}
	if page := s.Metrics(); !strings.Contains(page, `model_inferences_in_flight{model_engine="agent",model_name="Test Model Code Completions"} 0`) ||
		!strings.Contains(page, `model_inferences_total{error="yes"`) {
		t.Error("a panic is not counted as the end of a generation")
	}
}

func TestDefaultLogger(t *testing.T) {
	var b bytes.Buffer
	previous := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, nil)))
	defer slog.SetDefault(previous)
	gateway.New(gateway.Options{}).Failed(errors.New("file is truncated"))
	if !strings.Contains(b.String(), "file is truncated") {
		t.Errorf("log %q", b.String())
	}
}
