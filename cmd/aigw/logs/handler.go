// Package logs writes log lines as GitLab's gateway does (section 14.1 of the wire contract), to
// standard error and to a file that may be rotated.
package logs

import (
	"context"
	"io"
	"log/slog"
	"time"

	"aigw/gateway/requestlog"
)

// LevelCritical is above slog's levels. Python has it, and so has the original.
const LevelCritical = slog.LevelError + 4

// NewJSON returns a handler that writes one JSON object a line.
func NewJSON(w io.Writer, level slog.Leveler) slog.Handler {
	inner := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename})
	return &handler{inner.WithAttrs([]slog.Attr{slog.String("type", "mlops"), slog.String("stage", "main")})}
}

// NewText returns a handler for people.
func NewText(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.LevelKey {
			return rename(groups, a)
		}
		return a
	}})
}

// rename gives slog's own fields the original's names and forms.
func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		return slog.String("timestamp", a.Value.Time().UTC().Format(time.RFC3339Nano))
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		level, _ := a.Value.Any().(slog.Level)
		return slog.String(slog.LevelKey, levelName(level))
	}
	return a
}

func levelName(l slog.Level) string {
	switch {
	case l >= LevelCritical:
		return "critical"
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warning"
	case l >= slog.LevelInfo:
		return "info"
	}
	return "debug"
}

// handler adds what every line has: who writes it, and in a request the request's id.
type handler struct{ slog.Handler }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	named, correlated := false, false
	r.Attrs(func(a slog.Attr) bool {
		named, correlated = named || a.Key == "logger", correlated || a.Key == "correlation_id"
		return true
	})
	var more []slog.Attr
	if !named {
		more = append(more, slog.String("logger", "aigw"))
	}
	if id := requestlog.CorrelationID(ctx); id != "" && !correlated {
		more = append(more, slog.String("correlation_id", id))
	}
	if len(more) > 0 {
		r = r.Clone()
		r.AddAttrs(more...)
	}
	return h.Handler.Handle(ctx, r)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs)}
}

func (h *handler) WithGroup(name string) slog.Handler { return &handler{h.Handler.WithGroup(name)} }
