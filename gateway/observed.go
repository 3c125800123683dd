package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"aigw/engine"
	"aigw/gateway/codesuggestions"
	"aigw/gateway/metrics"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/tracing"
	"aigw/gateway/ui"
)

// observed is a generator whose generations are counted and add to their request's log line where
// the time went.
type observed struct {
	serving.Generator
	model   string
	metrics *metrics.Metrics
	hour    *ui.Hour // nil: nobody looks at it
}

// Unwrap returns the generator itself, for what else it can do.
func (o *observed) Unwrap() serving.Generator { return o.Generator }

// Generate generates and counts.
func (o *observed) Generate(ctx context.Context, req engine.Request, emit func(string) error) (engine.Result, error) {
	times := timing(ctx)
	result, err := o.Generator.Generate(ctx, req, times.first(emit))
	times.end(result)
	g := metrics.Generation{
		Model: o.model, Class: req.Class.String(), End: string(result.Finish),
		PromptTokens: result.PromptTokens, CachedTokens: result.CachedTokens, OutputTokens: result.OutputTokens,
		Queue: result.Queue, Prefill: result.Prefill, Decode: result.Decode,
	}
	var busy *engine.BusyError
	switch {
	case err == nil:
	case errors.As(err, &busy):
		g.End, g.Busy = "busy", string(cmp.Or(busy.Why, engine.QueueFull))
	case errors.Is(context.Cause(ctx), codesuggestions.ErrSuperseded):
		g.End = "superseded"
	case ctx.Err() != nil:
		g.End = "cancelled"
	default:
		g.End = "failed"
	}
	o.metrics.Generated(g)
	o.hour.Answered(req.Class, result)
	tracing.Generated(ctx, times.began, g.Model, g.Class, g.End, result)
	requestlog.Add(ctx,
		slog.Int("prompt_tokens", result.PromptTokens),
		slog.Int("cached_tokens", result.CachedTokens),
		slog.Int("output_tokens", result.OutputTokens),
		slog.Float64("queue_duration_s", result.Queue.Seconds()),
		slog.Float64("prefill_duration_s", result.Prefill.Seconds()),
		slog.Float64("decode_duration_s", result.Decode.Seconds()),
		slog.String("generation_end", g.End),
	)
	return result, err
}

// observe returns a model that is counted.
func (s *Server) observe(m *serving.Model) *serving.Model {
	counted := *m
	counted.Generator = &observed{m.Generator, m.DisplayName(), s.metrics, s.hour}
	return &counted
}

// AddMetrics adds numbers that somebody else counts, such as the engine's, to the page of metrics.
func (s *Server) AddMetrics(c prometheus.Collector) error { return s.metrics.Add(c) }
