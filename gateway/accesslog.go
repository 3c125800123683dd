package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"aigw/gateway/requestlog"
)

// summary returns the message of a request's log line, in the original's form.
func (x *exchange) summary(r *http.Request) string {
	return fmt.Sprintf(`%s - "%s %s %s" %d`, net.JoinHostPort(x.clientIP, strconv.Itoa(x.clientPort(r))), r.Method, r.URL.RequestURI(), r.Proto, x.status)
}

// clientPort returns the port of the connection, or 0 if the client is behind a proxy.
func (x *exchange) clientPort(r *http.Request) int {
	host, port, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || host != x.clientIP {
		return 0
	}
	n, _ := strconv.Atoi(port) // 0 if it is no number
	return n
}

// loggedHeaders are the request headers in the log line. Authorization is not among them and must
// never be.
var loggedHeaders = []struct{ field, header string }{
	{"user_agent", "User-Agent"},
	{"gitlab_language_server_version", "X-Gitlab-Language-Server-Version"},
	{"gitlab_instance_id", "X-Gitlab-Instance-Id"},
	{"gitlab_global_user_id", "X-Gitlab-Global-User-Id"},
	{"gitlab_host_name", "X-Gitlab-Host-Name"},
	{"gitlab_version", "X-Gitlab-Version"},
	{"gitlab_saas_duo_pro_namespace_ids", "X-Gitlab-Saas-Duo-Pro-Namespace-Ids"},
	{"gitlab_feature_enabled_by_namespace_ids", "X-Gitlab-Feature-Enabled-By-Namespace-Ids"},
	{"gitlab_realm", "X-Gitlab-Realm"},
	{"gitlab_duo_seat_count", "X-Gitlab-Duo-Seat-Count"},
}

// fields returns the log line's fields, under the original's names.
func (x *exchange) fields(r *http.Request) []slog.Attr {
	contentType := x.Header().Get("Content-Type")
	if contentType == "" {
		contentType = "unknown"
	}
	fields := []slog.Attr{
		slog.String("logger", "api.access"),
		slog.String("correlation_id", x.requestID),
		slog.String("url", x.scheme(r)+"://"+r.Host+r.URL.RequestURI()),
		slog.String("path", r.URL.RequestURI()),
		slog.String("method", r.Method),
		slog.Int("status_code", x.status),
		slog.String("http_version", fmt.Sprintf("%d.%d", r.ProtoMajor, r.ProtoMinor)),
		slog.String("content_type", contentType),
		slog.String("client_ip", x.clientIP),
		slog.Int("client_port", x.clientPort(r)),
		slog.Float64("duration_s", time.Since(x.start).Seconds()),
		slog.Float64("response_start_duration_s", x.started.Seconds()),
		slog.Float64("first_chunk_duration_s", x.firstChunk.Seconds()),
		slog.Float64("cpu_s", (processTime() - x.cpu).Seconds()),
		slog.Float64("duration_request", x.sinceSent(r)),
		slog.String("request_arrived_at", x.start.UTC().Format(time.RFC3339Nano)),
	}
	for _, h := range loggedHeaders {
		if values := r.Header.Values(h.header); len(values) > 0 {
			fields = append(fields, slog.String(h.field, values[0]))
		} else {
			fields = append(fields, slog.Any(h.field, nil))
		}
	}
	return fields
}

// scheme returns how this server was reached.
func (x *exchange) scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// processTime returns the CPU time that the process has taken, all threads together, as the original
// counts it: other requests and the model take part.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// categories are GitLab's names of what a route is for, and of the right that it needs. Routes for
// several purposes name theirs in the request's record.
var categories = map[string]struct{ feature, right string }{
	"/v2/completions":            {"code_suggestions", "complete_code"},
	"/v2/code/completions":       {"code_suggestions", "complete_code"},
	"/v2/code/generations":       {"code_suggestions", "generate_code"},
	"/v3/code/completions":       {"code_suggestions", "complete_code"},
	"/v4/code/suggestions":       {"code_suggestions", "complete_code"},
	"/v1/code/user_access_token": {"code_suggestions", "complete_code"},
	"/v1/x-ray/libraries":        {"code_suggestions", "generate_code"},
	"/v1/chat/:chat_invokable":   {"duo_chat", ""},
	"/v2/chat/agent":             {"duo_chat", "duo_chat"},
	"/v1/search/gitlab-docs":     {"duo_chat", "documentation_search"},
	"/v1/prompts/*prompt_id":     {"ai_abstraction_layer", ""},
}

// category returns the fields about what a request was for.
func (x *exchange) category(record *requestlog.Record) []slog.Attr {
	var fields []slog.Attr
	c := categories[x.route]
	if c.feature != "" && !record.Has("meta.feature_category") {
		fields = append(fields, slog.String("meta.feature_category", c.feature))
	}
	if c.right != "" && !record.Has("meta.unit_primitive") {
		fields = append(fields, slog.String("meta.unit_primitive", c.right), slog.Any("tracked_internal_events", []string{"request_" + c.right}))
	}
	return fields
}

// sinceSent returns the seconds from when GitLab says that it sent the request to its arrival, or
// -1 if it does not say.
func (x *exchange) sinceSent(r *http.Request) float64 {
	sent, err := strconv.ParseFloat(r.Header.Get("X-Gitlab-Rails-Send-Start"), 64)
	arrived := float64(x.start.UnixNano()) / float64(time.Second)
	if since := arrived - sent; err == nil && since > -1e9 && since < 1e10 { // neither NaN nor nonsense
		return since
	}
	return -1
}
