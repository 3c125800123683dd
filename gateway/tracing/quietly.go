package tracing

import (
	"log/slog"
	"sync"
	"time"
)

// quietly logs what goes wrong with sending, at most once a minute: a collector that is away must not fill
// the log.
type quietly struct {
	log *slog.Logger
	to  string

	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (q *quietly) Handle(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.last) >= time.Minute {
		q.last = now
		q.log.Warn("traces are lost; see that the collector of --otlp-endpoint answers", "to", q.to, "error", err)
	}
}
