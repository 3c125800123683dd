package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aigw/gateway/openapi"
	"aigw/gateway/requestlog"
	"aigw/gateway/tracing"
	"aigw/gateway/ui"
)

// exchange is one request and its answer, as the log line and the metrics see them. It is used by
// the request's goroutine.
type exchange struct {
	http.ResponseWriter
	start     time.Time
	requestID string

	route    string // template of the route; empty if there is none
	clientIP string

	status     int           // 0 until the answer begins
	started    time.Duration // from start to the answer's beginning
	firstChunk time.Duration // from start to the body's beginning; 0 if there was none
	cpu        time.Duration // of the process, when the request arrived

	span    *tracing.Span // nil: nobody is told
	payload *payload      // nil: bodies are not logged
	quiet   bool          // one that succeeds is logged for who looks for faults only
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// ServeHTTP answers one request: it sees to the request id, the limits and the log line, and
// leaves the rest to the router.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, start: time.Now(), requestID: r.Header.Get("X-Request-ID")}
	if x.requestID == "" {
		x.requestID = newRequestID()
	}
	x.cpu = processTime()
	x.clientIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	ctx, record := requestlog.With(context.WithValue(r.Context(), exchangeKey{}, x), x.requestID)
	ctx, x.span = s.options.Tracer.Request(ctx, r, x.requestID, x.start)
	r = r.WithContext(ctx)
	defer func() { s.ended(x, r, record) }()

	// GitLab appends paths to the URL that an administrator typed, which may end with a slash.
	if strings.HasPrefix(r.URL.Path, "//") || r.URL.Path == "" {
		u := *r.URL
		u.Path, u.RawPath = "/"+strings.TrimLeft(u.Path, "/"), ""
		r.URL = &u
	}
	if headerSize(r) > s.options.MaxHeaderBytes {
		x.Header().Set("Content-Type", "application/json")
		x.Header().Set("Connection", "close")
		x.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
		_, _ = io.WriteString(x, fmt.Sprintf(`{"detail":"Request headers are larger than %d bytes"}`, s.options.MaxHeaderBytes))
		return
	}
	body := &arriving{ReadCloser: r.Body}
	r.Body = body
	r.Body = limitBody(w, r, s.options.MaxBodyBytes)
	s.route(x, r)
	body.take(x, r, s.options.MaxBodyBytes, s.options.ReadTimeout)
}

// route leaves a request to the router that it is for.
func (s *Server) route(x *exchange, r *http.Request) {
	if ui.Is(r.URL.Path) {
		s.pages.ServeHTTP(x, r)
		return
	}
	if path, ok := s.doorPath(r); ok {
		u := *r.URL
		u.Path, u.RawPath = path, ""
		ours := r.WithContext(r.Context())
		ours.URL = &u
		s.door.ServeHTTP(x, ours)
		return
	}
	s.engine.ServeHTTP(x, r)
}

// newRequestID returns a random UUID, version 4, in hex without dashes, as the original does.
func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0F | 0x40
	id[8] = id[8]&0x3F | 0x80
	return hex.EncodeToString(id[:])
}

// headerSize returns the bytes of the request's line and headers, about.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	return size
}

// limitBody bounds a request's body. One that is declared too large is refused before it is read.
func limitBody(w http.ResponseWriter, r *http.Request, limit int64) io.ReadCloser {
	body := http.MaxBytesReader(w, r.Body, limit)
	if r.ContentLength > limit {
		return tooLarge{body, limit}
	}
	return body
}

// tooLarge is a body that is not worth reading.
type tooLarge struct {
	io.Closer
	limit int64
}

func (b tooLarge) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: b.limit} }

// WriteHeader begins the answer. Informational statuses pass.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status, x.started = status, time.Since(x.start)
		x.Header()["X-Request-ID"] = []string{x.requestID}                                     // Set would write it as X-Request-Id
		x.Header().Set("X-Process-Time", strconv.FormatFloat(x.started.Seconds(), 'f', 6, 64)) // seconds
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (x *exchange) Write(b []byte) (int, error) {
	x.beginBody()
	x.payload.answered(b)
	return x.ResponseWriter.Write(b)
}

// WriteString sends a part of the body.
func (x *exchange) WriteString(text string) (int, error) {
	x.beginBody()
	x.payload.answered([]byte(text))
	return io.WriteString(x.ResponseWriter, text)
}

func (x *exchange) beginBody() {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if x.firstChunk == 0 {
		x.firstChunk = time.Since(x.start)
	}
}

// Flush sends what is buffered.
func (x *exchange) Flush() { _ = x.FlushError() }

// FlushError sends what is buffered.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// ended writes the log line and counts.
func (s *Server) ended(x *exchange, r *http.Request, record *requestlog.Record) {
	if x.route != "" && !strings.HasPrefix(x.route, "/monitoring/") {
		s.metrics.ObserveHTTP(openapi.Template(x.route), r.Method, x.status, x.started)
	}
	x.span.End(r.Method, x.route, x.status)
	if reason := refusals[x.status]; reason != "" {
		s.metrics.Refused(reason)
	}
	level := slog.LevelInfo
	if x.status == http.StatusInternalServerError || x.status == 0 {
		level = slog.LevelError
	}
	if x.quiet && x.status < http.StatusBadRequest {
		level = slog.LevelDebug
	}
	s.options.Logger.LogAttrs(r.Context(), level, x.summary(r), slices.Concat(x.fields(r), x.category(record), record.Attrs())...)
	x.payload.log(r.Context(), s.options.Logger)
}

// refusals are the statuses that tell the reason. 429 has several, and whoever answers it counts.
var refusals = map[int]string{
	http.StatusUnauthorized: "unauthenticated", http.StatusForbidden: "forbidden", http.StatusRequestEntityTooLarge: "too_large",
	http.StatusRequestHeaderFieldsTooLarge: "too_large", http.StatusUnprocessableEntity: "invalid",
}
