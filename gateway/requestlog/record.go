// Package requestlog collects what becomes the one log line of a request. Whoever handles the
// request adds what it knows; the server writes the line when the answer has ended.
//
// Never add a prompt, an answer, a token or a key: the line is written for every request.
package requestlog

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// Record is the fields of one request's line. It may be used concurrently.
type Record struct {
	mu    sync.Mutex
	attrs []slog.Attr
}

type contextKey struct{}

// With returns a context that carries a new record.
func With(ctx context.Context) (context.Context, *Record) {
	r := &Record{}
	return context.WithValue(ctx, contextKey{}, r), r
}

// Add adds fields to the record of ctx. Without a record it does nothing.
func Add(ctx context.Context, attrs ...slog.Attr) {
	if r, ok := ctx.Value(contextKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.attrs = append(r.attrs, attrs...)
	}
}

// Attrs returns the fields in the order of adding.
func (r *Record) Attrs() []slog.Attr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.attrs)
}
