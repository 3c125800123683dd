package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
)

// With a bypass no page of a stranger reaches the models, and everybody else does.
func TestBypassRefusesForeignPages(t *testing.T) {
	opened := gatewaytest.Start(t, open)
	byHeader := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{BypassExternalWithHeader: true}})
	_, port, _ := strings.Cut(opened.Addr, ":")
	for _, test := range []struct {
		name    string
		server  *gatewaytest.Server
		method  string
		headers []string
		status  int
	}{
		{"GitLab", opened, "GET", nil, 404},
		{"its own page", opened, "GET", []string{"Origin", opened.URL}, 404},
		{"another page", opened, "GET", []string{"Origin", "https://evil.example.test"}, 403},
		{"another port", opened, "GET", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"a page without an origin", opened, "GET", []string{"Origin", "null"}, 403},
		{"preflight", opened, "OPTIONS", []string{"Origin", "https://evil.example.test", "Access-Control-Request-Method", "POST"}, 200},
		{"localhost", opened, "GET", []string{"Host", "localhost:" + port}, 404},
		{"another loopback name", opened, "GET", []string{"Host", "aigw.localhost"}, 404},
		{"IPv6", opened, "GET", []string{"Host", "[::1]:5052"}, 404},
		{"rebinding", opened, "GET", []string{"Host", "evil.example.test:" + port}, 403},
		{"rebinding with an origin", opened, "GET", []string{"Host", "evil.example.test", "Origin", "http://evil.example.test"}, 403},
		{"by header, without it", byHeader, "GET", []string{"Origin", "https://evil.example.test"}, 401},
		{"by header", byHeader, "GET", []string{"Bypass-Auth", "true", "Origin", "https://evil.example.test"}, 403},
		{"by header, preflight", byHeader, "OPTIONS", []string{"Origin", "https://evil.example.test", "Access-Control-Request-Method", "POST"}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.server.Do(test.method, "/nope", "", test.headers...)
			if got.StatusCode != test.status {
				t.Errorf("%d %s %v", got.StatusCode, got.Text, got.Header)
			}
			if test.status == http.StatusForbidden && !strings.Contains(got.Text, "AIGW_GITLAB_URL") {
				t.Errorf("no next step in %s", got.Text)
			}
		})
	}
	// With authentication the name of the host does not matter: a token does.
	closed := gatewaytest.Start(t, gateway.Options{})
	if got := closed.Do("GET", "/nope", "", "Host", "ai.example.test"); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("with authentication: %d", got.StatusCode)
	}
}
