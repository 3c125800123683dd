package main

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"time"

	"aigw/gateway/tracing"

	"github.com/urfave/cli/v2"
)

// tracingFlags say where traces go: nowhere, unless the operator names a collector.
func tracingFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "otlp-endpoint", Usage: "`URL` of an OpenTelemetry collector (OTLP over HTTP, such as http://127.0.0.1:4318) that is sent where the time of requests went, never what they say", EnvVars: []string{"AIGW_OTLP_ENDPOINT"}},
		&cli.Float64Flag{Name: "otlp-share", Value: 1, Usage: "share of the requests that is sent there, from 0 to 1", EnvVars: []string{"AIGW_OTLP_SHARE"}},
	}
}

// collector is the URL of the collector, or nil.
func collector(c *cli.Context) (*url.URL, error) {
	if share := c.Float64("otlp-share"); !(share >= 0 && share <= 1) {
		return nil, usagef("--otlp-share %v: from 0 to 1", share)
	}
	text := c.String("otlp-endpoint")
	if text == "" {
		return nil, nil
	}
	u, err := parseBaseURL("--otlp-endpoint", text)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	return u, nil
}

// openTracer returns what sends traces, or nil where nobody wants any.
func openTracer(c *cli.Context, log *slog.Logger) (*tracing.Tracer, error) {
	to, err := collector(c)
	if to == nil || err != nil {
		return nil, err
	}
	return tracing.New(c.Context, tracing.Options{Endpoint: to, CAFiles: caFiles(c), Share: c.Float64("otlp-share"), Version: version, Logger: log})
}

// closeTracer sends what is left, for some seconds: the machine may be stopping.
func closeTracer(t *tracing.Tracer, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("the last traces are lost", "error", err)
	}
}

// caFiles hold certificates that are trusted beside the system's.
func caFiles(c *cli.Context) []string {
	files := c.StringSlice("ca-file")
	if bundle := os.Getenv("REQUESTS_CA_BUNDLE"); bundle != "" {
		files = append(files, bundle)
	}
	return files
}
