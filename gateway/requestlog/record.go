// Package requestlog collects what becomes the one log line of a request. Whoever handles the
// request adds what it knows; the server writes the line when the answer has ended.
//
// Never add a prompt, an answer, a token or a key: the line is written for every request.
package requestlog

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Record is the fields of one request's line. It may be used concurrently.
type Record struct {
	id string // of the request

	mu    sync.Mutex
	attrs []slog.Attr
}

type contextKey struct{}

// With returns a context that carries a new record of the request with an id.
func With(ctx context.Context, id string) (context.Context, *Record) {
	r := &Record{id: id}
	return context.WithValue(ctx, contextKey{}, r), r
}

// CorrelationID returns the id of the request that ctx belongs to, or "". Every log line of a
// request has it.
func CorrelationID(ctx context.Context) string {
	if r, ok := ctx.Value(contextKey{}).(*Record); ok {
		return r.id
	}
	return ""
}

// Add adds fields to the record of ctx, in place of earlier ones of the same name. Without a record it does
// nothing.
func Add(ctx context.Context, attrs ...slog.Attr) {
	if r, ok := ctx.Value(contextKey{}).(*Record); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, a := range attrs {
			if i := slices.IndexFunc(r.attrs, func(b slog.Attr) bool { return b.Key == a.Key }); i >= 0 {
				r.attrs[i] = a
			} else {
				r.attrs = append(r.attrs, a)
			}
		}
	}
}

// UnitPrimitives adds the rights that a request needs, where its path does not tell.
func UnitPrimitives(ctx context.Context, names ...string) {
	events := make([]string, len(names))
	for i, name := range names {
		events[i] = "request_" + name
	}
	Add(ctx, slog.String("meta.unit_primitive", strings.Join(names, ",")), slog.Any("tracked_internal_events", events))
}

// Has reports whether a field was added.
func (r *Record) Has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.attrs, func(a slog.Attr) bool { return a.Key == name })
}

// Attrs returns the fields in the order of adding.
func (r *Record) Attrs() []slog.Attr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.attrs)
}
