package gateway_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
)

// open lets everybody in.
var open = gateway.Options{Auth: auth.Options{BypassExternal: true}}

const completions = "/v2/code/completions"

func TestAnswersOfTheRouter(t *testing.T) {
	closed := gatewaytest.Start(t, gateway.Options{})
	opened := gatewaytest.Start(t, open)
	origin := []string{"Origin", "https://ide.example.test"}
	preflight := func(method string, more ...string) []string {
		return append(append([]string{"Access-Control-Request-Method", method}, origin...), more...)
	}
	const (
		noAuth     = `{"error":"No authorization header presented"}`
		notFound   = `{"detail":"Not Found"}`
		notAllowed = `{"detail":"Method Not Allowed"}`
	)
	for _, test := range []struct {
		name         string
		server       *gatewaytest.Server
		method, path string
		headers      []string
		status       int
		body         string
		want         map[string]string // headers; "-" is absent
	}{
		{"liveness", closed, "GET", "/monitoring/healthz", nil, 200, `{}`, map[string]string{"Content-Type": "application/json", "Access-Control-Allow-Origin": "-"}},
		{"liveness, HEAD", closed, "HEAD", "/monitoring/healthz", nil, 200, "", nil},
		{"liveness, two slashes", closed, "GET", "//monitoring/healthz", nil, 200, `{}`, nil},
		{"liveness, POST", closed, "POST", "/monitoring/healthz", nil, 405, notAllowed, map[string]string{"Allow": "GET"}},
		{"liveness, slash at the end", closed, "GET", "/monitoring/healthz/", nil, 401, noAuth, nil},
		{"liveness, slash at the end, allowed", opened, "GET", "/monitoring/healthz/?x=y", nil, 307, "", map[string]string{"Location": opened.URL + "/monitoring/healthz?x=y"}},
		{"metrics are elsewhere", closed, "GET", "/metrics", nil, 404, notFound, nil},
		{"root", closed, "GET", "/", nil, 401, noAuth, map[string]string{"Content-Type": "application/json"}},
		{"root, HEAD", closed, "HEAD", "/", nil, 401, "", nil},
		{"root, allowed", opened, "GET", "/", nil, 404, notFound, nil},
		{"unknown path", closed, "GET", "/nope", nil, 401, noAuth, nil},
		{"unknown path, allowed", opened, "GET", "/nope", nil, 404, notFound, map[string]string{"Content-Type": "application/json"}},
		{"cloud, of a stranger", closed, "POST", "/v1/proxy/anthropic/v1/messages", nil, 401, noAuth, nil},
		{"cloud", opened, "POST", "/v1/proxy/anthropic/v1/messages", nil, 404, `{"detail":"Not found"}`, nil},
		{"other cloud", opened, "POST", "/v1/proxy/vertex-ai/v1/projects", nil, 404, `{"detail":"Not found"}`, nil},
		{"known path", closed, "POST", completions, nil, 401, noAuth, nil},
		{"wrong method", closed, "GET", completions, nil, 401, noAuth, nil},
		{"wrong method, allowed", opened, "GET", completions, nil, 405, notAllowed, map[string]string{"Allow": "POST"}},
		{"wrong method, HEAD", opened, "HEAD", completions, nil, 405, "", map[string]string{"Allow": "POST"}},
		{"wrong method, odd", opened, "BREW", completions, nil, 405, notAllowed, map[string]string{"Allow": "POST"}},
		{"two slashes", opened, "GET", "//v2/code/completions", nil, 405, notAllowed, nil},
		{"three slashes", opened, "GET", "///v2/completions", nil, 405, notAllowed, nil},
		{"slashes inside", opened, "GET", "/v2//completions", nil, 404, notFound, nil},
		{"slash at the end", opened, "POST", completions + "/", nil, 307, "", map[string]string{"Location": opened.URL + completions}},
		{"slashes at the end, wrong method", opened, "GET", completions + "//", nil, 307, "", map[string]string{"Location": opened.URL + completions}},
		{"slash at the end, not allowed", closed, "POST", completions + "/", nil, 401, noAuth, nil},
		{"forwarded scheme of a stranger", opened, "POST", completions + "/", []string{"X-Forwarded-Proto", "https"}, 307, "", map[string]string{"Location": opened.URL + completions}},

		{"preflight", closed, "OPTIONS", completions, preflight("POST", "Access-Control-Request-Headers", "authorization, x-any"), 200, "OK", map[string]string{
			"Content-Type": "text/plain; charset=utf-8", "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST",
			"Access-Control-Max-Age": "600", "Access-Control-Allow-Headers": "authorization, x-any"}},
		{"preflight, unknown path", closed, "OPTIONS", "/nope", preflight("POST"), 200, "OK", map[string]string{"Access-Control-Allow-Headers": "-"}},
		{"preflight, other method", closed, "OPTIONS", completions, preflight("GET"), 400, "Disallowed CORS method", map[string]string{
			"Content-Type": "text/plain; charset=utf-8", "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST"}},
		{"OPTIONS without a method", closed, "OPTIONS", completions, origin, 401, noAuth, map[string]string{"Access-Control-Allow-Origin": "*"}},
		{"OPTIONS without an origin", closed, "OPTIONS", completions, []string{"Access-Control-Request-Method", "POST"}, 401, noAuth, nil},
		{"OPTIONS, allowed", opened, "OPTIONS", completions, nil, 405, notAllowed, map[string]string{"Allow": "POST"}},
		{"answers may be read by scripts", closed, "GET", "/nope", origin, 401, noAuth, map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Max-Age": "-"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.server.Do(test.method, test.path, "", test.headers...)
			if got.StatusCode != test.status || got.Text != test.body {
				t.Errorf("%d %s, want %d %s", got.StatusCode, got.Text, test.status, test.body)
			}
			for name, want := range test.want {
				if have := got.Header.Values(name); want == "-" && len(have) > 0 || want != "-" && strings.Join(have, "; ") != want {
					t.Errorf("%s: %q, want %q", name, have, want)
				}
			}
			if id := got.Header.Get("X-Request-ID"); !regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`).MatchString(id) {
				t.Errorf("X-Request-ID %q is no UUID 4 in hex", id)
			}
			if took := got.Header.Get("X-Process-Time"); !regexp.MustCompile(`^0\.\d+$`).MatchString(took) {
				t.Errorf("X-Process-Time %q", took)
			}
		})
	}
}

func TestRequestIDIsEchoed(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{})
	for _, id := range []string{"01JGK3S8Q2", "any value, with spaces; and \"quotes\"", strings.Repeat("x", 5000)} {
		if got := s.Do("GET", "/nope", "", "X-Request-ID", id).Header.Get("X-Request-ID"); got != id {
			t.Errorf("X-Request-ID %q, want %q", got, id)
		}
	}
	first, second := s.Do("GET", "/", "", "X-Request-ID", ""), s.Do("GET", "/", "")
	if a, b := first.Header.Get("X-Request-ID"), second.Header.Get("X-Request-ID"); len(a) != 32 || a == b {
		t.Errorf("new ids %q and %q", a, b)
	}
}

func TestTrustedProxy(t *testing.T) {
	o := open
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	trusting, doubting := gatewaytest.Start(t, o), gatewaytest.Start(t, open)
	headers := []string{"X-Forwarded-For", "203.0.113.7", "X-Forwarded-Proto", "https", "X-Request-ID", "p"}
	if got := trusting.Do("POST", completions+"/", "", headers...).Header.Get("Location"); !strings.HasPrefix(got, "https://") {
		t.Errorf("Location %s does not follow the proxy", got)
	}
	if got := trusting.LogLine("p"); got["client_ip"] != "203.0.113.7" || got["client_port"] != 0.0 {
		t.Errorf("client %v:%v is not the one that the proxy names", got["client_ip"], got["client_port"])
	}
	doubting.Do("POST", completions+"/", "", headers...)
	if got := doubting.LogLine("p"); got["client_ip"] != "127.0.0.1" || got["client_port"] == 0.0 {
		t.Errorf("client %v:%v: a stranger's X-Forwarded-For was believed", got["client_ip"], got["client_port"])
	}
}

func TestLogLine(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{})
	s.Do("POST", "/v2/completions?a=b", `{"model_api_key":"sesame"}`, "X-Request-ID", "id-1", "Authorization", "Bearer sesame", "X-Gitlab-Authentication-Type", "oidc",
		"X-Gitlab-Realm", "self-managed", "X-Gitlab-Rails-Send-Start", "1735732800.5", "User-Agent", "test")
	line := s.LogLine("id-1")
	for field, want := range map[string]any{
		"logger": "api.access", "method": "POST", "path": "/v2/completions?a=b", "status_code": 401.0, "http_version": "1.1", "content_type": "application/json",
		"client_ip": "127.0.0.1", "user_agent": "test", "gitlab_realm": "self-managed", "gitlab_instance_id": nil, "url": s.URL + "/v2/completions?a=b",
		"auth_error_details": "Forbidden by auth provider: no issuer of tokens is configured",
	} {
		if got, ok := line[field]; got != want || !ok {
			t.Errorf("%s is %v, want %v", field, got, want)
		}
	}
	if message := line["msg"].(string); !regexp.MustCompile(`^127\.0\.0\.1:\d+ - "POST /v2/completions\?a=b HTTP/1\.1" 401$`).MatchString(message) {
		t.Errorf("message %q", message)
	}
	for _, field := range []string{"duration_s", "response_start_duration_s", "auth_duration_s", "duration_request"} {
		if got, ok := line[field].(float64); !ok || got < 0 {
			t.Errorf("%s is %v", field, line[field])
		}
	}
	if strings.Contains(s.Log(), "sesame") {
		t.Error("the log has a token or a key")
	}
	s.Do("GET", "/monitoring/healthz", "", "X-Request-ID", "id-2")
	if got := s.LogLine("id-2"); got["duration_request"] != -1.0 || got["status_code"] != 200.0 {
		t.Errorf("log line of a health check: %v", got)
	}
}

func TestMetricsPage(t *testing.T) {
	s := gatewaytest.Start(t, open)
	s.Do("POST", completions, "")
	s.Do("GET", "/nope", "")
	s.Do("GET", "/monitoring/healthz", "")
	s.Do("GET", completions, "")
	page := s.Metrics()
	for _, want := range []string{
		`http_request_duration_seconds_count{handler="/v2/code/completions",method="POST",status="4xx"} 1`,
		`http_request_duration_seconds_bucket{handler="/v2/code/completions",method="POST",status="4xx",le="0.5"} 1`,
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if n := strings.Count(page, "http_request_duration_seconds_count{"); n != 1 {
		t.Errorf("%d handlers are measured, want 1: unknown and monitoring paths are not", n)
	}
}

// isErrorBody fails the test unless text is a JSON object with the member "detail" or "error".
func isErrorBody(t *testing.T, text string) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(text), &body); err != nil || body["detail"] == nil && body["error"] == nil {
		t.Errorf("no JSON error body: %q", text)
	}
}
