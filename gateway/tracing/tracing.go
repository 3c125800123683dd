// Package tracing sends where the time of requests went to an OpenTelemetry collector that the operator
// named, as OTLP over HTTP. A span holds names, numbers and the request's id, never a text of a request or
// an answer, nor who asked.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"aigw/engine"
	"aigw/gateway/outbound"
)

// Options says where to.
type Options struct {
	// Endpoint is the collector, such as http://collector.example.com:4318; /v1/traces is added as the
	// specification has it (https://opentelemetry.io/docs/specs/otlp/#otlphttp-request).
	Endpoint *url.URL
	// CAFiles hold certificates, in PEM, that are trusted beside the system's.
	CAFiles []string
	// Share is how many of the requests are sent, from 0 to 1.
	Share   float64
	Version string // of the program
	Logger  *slog.Logger
}

// Bounds: what the collector does not take in time is dropped, and nobody waits for it.
const (
	most  = 4096 // spans that wait
	batch = 512  // spans in one message
	every = 5 * time.Second
)

// Tracer makes spans. It may be used concurrently; nil makes none.
type Tracer struct {
	provider *sdk.TracerProvider
	client   *outbound.Client
}

// New returns a tracer. It connects to nothing before there is something to send, and then to Endpoint only.
func New(ctx context.Context, o Options) (*Tracer, error) {
	client, err := outbound.New(outbound.Options{Origins: []*url.URL{o.Endpoint}, CAFiles: o.CAFiles})
	if err != nil {
		return nil, err
	}
	to := *o.Endpoint
	if !strings.HasSuffix(to.Path, "/v1/traces") {
		to = *to.JoinPath("v1/traces")
	}
	// The options win over OTEL_EXPORTER_OTLP_ENDPOINT and its like, which the library reads by itself.
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to.String()), otlptracehttp.WithHTTPClient(client.HTTP()))
	if err != nil {
		return nil, fmt.Errorf("traces to %s: %w", to.String(), err)
	}
	otel.SetErrorHandler(&quietly{log: o.Logger, to: outbound.Origin(o.Endpoint)})
	share := sdk.TraceIDRatioBased(o.Share)
	return &Tracer{client: client, provider: sdk.NewTracerProvider(
		sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(most), sdk.WithMaxExportBatchSize(batch), sdk.WithBatchTimeout(every), sdk.WithExportTimeout(outbound.Timeout)),
		sdk.WithSampler(sdk.ParentBased(share, sdk.WithRemoteParentSampled(share))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "aigw"), attribute.String("service.version", o.Version))),
	)}, nil
}

// Close sends what is left, as long as ctx lets it.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer t.client.Close()
	return t.provider.Shutdown(ctx)
}

// Request begins the span of a request; GitLab may have begun the trace (https://www.w3.org/TR/trace-context/).
func (t *Tracer) Request(ctx context.Context, r *http.Request, id string, at time.Time) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	ctx, span := t.provider.Tracer(name).Start(ctx, r.Method, trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("aigw.correlation_id", id)))
	return ctx, &Span{span}
}

const name = "aigw/gateway"

// Span is a request on its way; nil is one that is not sent.
type Span struct{ trace.Span }

// End ends it. route is the template of the path, which names nobody.
func (s *Span) End(method, route string, status int) {
	if s == nil {
		return
	}
	if route != "" {
		s.SetName(method + " " + route)
		s.SetAttributes(attribute.String("http.route", route))
	}
	s.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError || status == 0 {
		s.SetStatus(codes.Error, http.StatusText(status))
	}
	s.Span.End()
}

// Generated adds to the request of ctx how the time of a generation, which began at a moment, went.
func Generated(ctx context.Context, began time.Time, model, class, end string, r engine.Result) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return
	}
	tracer := parent.TracerProvider().Tracer(name)
	ctx, whole := tracer.Start(ctx, "generation", trace.WithTimestamp(began), trace.WithAttributes(
		attribute.String("gen_ai.request.model", model), attribute.String("aigw.class", class), attribute.String("aigw.end", end)))
	defer whole.End()
	if r.PromptTokens == 0 { // it came to nothing
		return
	}
	for _, part := range []struct {
		name       string
		took       time.Duration
		attributes []attribute.KeyValue
	}{
		{"queue", r.Queue, nil},
		{"prefill", r.Prefill, []attribute.KeyValue{attribute.Int("gen_ai.usage.input_tokens", r.PromptTokens), attribute.Int("aigw.cached_tokens", r.CachedTokens)}},
		{"decode", r.Decode, []attribute.KeyValue{attribute.Int("gen_ai.usage.output_tokens", r.OutputTokens)}},
	} {
		_, span := tracer.Start(ctx, part.name, trace.WithTimestamp(began), trace.WithAttributes(part.attributes...))
		began = began.Add(part.took)
		span.End(trace.WithTimestamp(began))
	}
}
