package gateway_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/tracing"
)

// traceCollector keeps what is sent to it.
type traceCollector struct {
	*httptest.Server
	mu    sync.Mutex
	raw   bytes.Buffer
	spans []*v1.Span
}

func startCollector(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		for _, resource := range sent.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	return c
}

func (c *traceCollector) span(name string) *v1.Span {
	i := slices.IndexFunc(c.spans, func(s *v1.Span) bool { return s.Name == name })
	if i < 0 {
		return &v1.Span{}
	}
	return c.spans[i]
}

func openTracer(t *testing.T, to string, share float64, log *slog.Logger) *tracing.Tracer {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := tracing.New(t.Context(), tracing.Options{Endpoint: u, Share: share, Version: "1", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// A request is a span, and within it are its turn, its prompt and its answer, one after another. GitLab's
// trace goes on, and nothing that anybody wrote is sent.
func TestTracesSayWhereTheTimeWent(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1") // is not what the operator named
	c := startCollector(t)
	defer c.Close() // before the test looks for goroutines that are left
	o := open
	o.Tracer = openTracer(t, c.URL, 1, slog.New(slog.DiscardHandler))
	s := gatewaytest.Start(t, o)
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"secret answer"}, Result: engine.Result{
		Finish: engine.FinishStop, PromptTokens: 10, CachedTokens: 7, OutputTokens: 3,
		Queue: 20 * time.Millisecond, Prefill: 30 * time.Millisecond, Decode: 80 * time.Millisecond,
	}}))
	s.Do("POST", completions, rightBody, "X-Request-ID", "one", "X-Gitlab-Global-User-Id", "somebody",
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	s.Do("POST", "/nowhere/at/all", `{}`)
	s.LogLine("one") // it has ended
	if err := o.Tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	request, generation := c.span("POST "+completions), c.span("generation")
	if len(c.spans) != 6 || !bytes.Equal(generation.ParentSpanId, request.SpanId) || len(request.SpanId) == 0 {
		t.Fatalf("%v", c.spans)
	}
	if string(request.TraceId) != "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" {
		t.Errorf("GitLab's trace does not go on: %x", request.TraceId)
	}
	at := generation.StartTimeUnixNano
	for _, part := range []struct {
		name string
		took time.Duration
	}{{"queue", 20 * time.Millisecond}, {"prefill", 30 * time.Millisecond}, {"decode", 80 * time.Millisecond}} {
		got := c.span(part.name)
		if !bytes.Equal(got.ParentSpanId, generation.SpanId) || got.StartTimeUnixNano != at || got.EndTimeUnixNano-at != uint64(part.took) {
			t.Errorf("%s: %v", part.name, got)
		}
		at = got.EndTimeUnixNano
	}
	text := c.raw.String()
	for _, want := range []string{"aigw.correlation_id", "one", "gen_ai.usage.input_tokens", "aigw.cached_tokens", "http.response.status_code"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not sent", want)
		}
	}
	for _, never := range []string{"secret answer", "somebody", "nowhere"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is sent", never)
		}
	}
}

// A share of nothing sends nothing, and a collector that is away costs one line in the log and nobody's time.
func TestTracesAreNobodysBurden(t *testing.T) {
	c := startCollector(t)
	defer c.Close() // before the test looks for goroutines that are left
	o := open
	o.Tracer = openTracer(t, c.URL, 0, slog.New(slog.DiscardHandler))
	s := gatewaytest.Start(t, o)
	s.NoModel()
	s.Do("POST", completions, rightBody, "X-Request-ID", "one")
	s.LogLine("one")
	if err := o.Tracer.Close(t.Context()); err != nil || len(c.spans) != 0 {
		t.Errorf("%v, %v", err, c.spans)
	}

	away := httptest.NewServer(nil)
	away.Close()
	var log bytes.Buffer
	o.Tracer = openTracer(t, away.URL, 1, slog.New(slog.NewTextHandler(&log, nil)))
	s = gatewaytest.Start(t, o)
	s.NoModel()
	for range 3 {
		s.Do("POST", completions, rightBody, "X-Request-ID", "last")
	}
	s.LogLine("last")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_ = o.Tracer.Close(ctx) // says what the log says
	if n := strings.Count(log.String(), "traces are lost"); n > 1 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
}
