package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// withToken posts with the headers that aigw token --headers printed, and more.
func (r *running) withToken(path, body, headers string, more ...string) reply {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		req.Header.Set(name, value)
	}
	for i := 0; i < len(more); i += 2 {
		req.Header.Set(more[i], more[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

func token(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := call(t, append([]string{"token"}, args...)...)
	if code != 0 {
		t.Fatalf("token: code %d, %s", code, stderr)
	}
	return stdout
}

// GitLab's token, the editor's token that is made for it, and what each opens, with authentication
// on and on the real model.
func TestRunWithAuthentication(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("AIGW_STATE_DIR", filepath.Join(dir, "state"))
	key, jwks := filepath.Join(dir, "test.pem"), filepath.Join(dir, "jwks.json")
	if err := os.WriteFile(jwks, []byte(token(t, "--key", key, "--make-key", "--jwks")), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startClosed(t, "--model", testmodel.Path(t), "--ctx", "2048", "--jwks-file", jwks)
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	whole := strings.Replace(codeBody, "%STREAM%", "false", 1)
	if got := r.complete(whole); got.status != http.StatusUnauthorized || got.text != `{"error":"No authorization header presented"}` {
		t.Errorf("without a token: %d %s", got.status, got.text)
	}
	gitlab := token(t, "--key", key, "--headers")
	if got := r.withToken("/v2/code/completions", whole, gitlab); got.status != http.StatusOK || !strings.Contains(got.text, `"choices":[{`) {
		t.Errorf("with GitLab's token: %d %s", got.status, got.text)
	}
	if got := r.withToken("/v2/code/completions", whole, token(t, "--key", key, "--headers", "--scopes", "duo_chat")); got.status != http.StatusForbidden {
		t.Errorf("with a token for chat: %d %s", got.status, got.text)
	}
	made := r.withToken("/v1/code/user_access_token", "", gitlab)
	var answer struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal([]byte(made.text), &answer); err != nil || made.status != http.StatusOK {
		t.Fatalf("%d %s", made.status, made.text)
	}
	for name, editor := range map[string]string{
		"the token that GitLab asks for": answer.Token,
		"the token of aigw token":        strings.TrimSpace(token(t)),
	} {
		if got := r.withToken("/v2/code/completions", whole, gitlab, "Authorization", "Bearer "+editor); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
		generation := strings.Replace(whole, `"prompt":null`, `"prompt":"x"`, 1)
		if got := r.withToken("/v2/code/generations", generation, gitlab, "Authorization", "Bearer "+editor); got.status != http.StatusForbidden {
			t.Errorf("%s, for a generation: %d %s", name, got.status, got.text)
		}
	}
	other := filepath.Join(dir, "other.pem")
	if got := r.withToken("/v2/code/completions", whole, token(t, "--key", other, "--make-key", "--headers", "--issuer", "https://customers.gitlab.com")); got.status != http.StatusUnauthorized || got.text != `{"error":"Forbidden by auth provider"}` {
		t.Errorf("with a forged token: %d %s", got.status, got.text)
	}
	r.wait("a reason in the log", func() bool { return strings.Contains(r.log.String(), "CLOUD_CONNECTOR_SELF_SIGN_TOKENS=1") })
	if strings.Contains(r.log.String(), answer.Token) {
		t.Error("a token is in the log")
	}
}

// The keys of a GitLab that starts later than the gateway are found.
func TestRunAsksGitLabForKeys(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("AIGW_STATE_DIR", filepath.Join(dir, "state"))
	key := filepath.Join(dir, "test.pem")
	jwks := token(t, "--key", key, "--make-key", "--jwks")
	var gitlab *httptest.Server
	gitlab = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"jwks_uri":%q}`, gitlab.URL+"/oauth/discovery/keys")
		case "/oauth/discovery/keys":
			fmt.Fprint(w, jwks)
		default:
			http.NotFound(w, r)
		}
	}))
	defer gitlab.Close()
	t.Setenv("AIGW_GITLAB_URL", gitlab.URL+"/")
	r := startClosed(t)
	got := r.withToken("/v1/code/user_access_token", "", token(t, "--key", key, "--headers"))
	if got.status != http.StatusOK {
		t.Errorf("%d %s\n%s", got.status, got.text, r.log)
	}
}

func TestBypassIsGuarded(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	busy, err := net.Listen("tcp", "127.0.0.1:0") // where it gets so far, it goes no further
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	for _, test := range []struct {
		name, variable string
		args           []string
		want           string
	}{
		{"this machine only", "AIGW_AUTH__BYPASS_EXTERNAL", []string{"--listen", "127.0.0.1:" + port}, "is in use"},
		{"its name", "AIGW_AUTH__BYPASS_EXTERNAL", []string{"--listen", "localhost:" + port}, "is in use"},
		{"everybody", "AIGW_AUTH__BYPASS_EXTERNAL", []string{"--listen", "0.0.0.0:" + port}, "--insecure-bypass"},
		{"everybody, in short", "AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER", []string{"--listen", ":" + port}, "--insecure-bypass"},
		{"everybody, signatures", "AIGW_AUTH__BYPASS_JWT_SIGNATURE", []string{"--listen", "0.0.0.0:" + port}, "--insecure-bypass"},
		{"everybody, as is meant", "AIGW_AUTH__BYPASS_EXTERNAL", []string{"--insecure-bypass", "--listen", "127.0.0.1:" + port}, "is in use"},
		{"forbidden", "AIGW_AUTH__BYPASS_EXTERNAL", []string{"--forbid-bypass"}, "--forbid-bypass forbids it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.variable, "true")
			if code, _, stderr := call(t, append([]string{"run"}, test.args...)...); code != exitFailed || !strings.Contains(stderr, test.want) {
				t.Errorf("code %d, %s, want %q", code, stderr, test.want)
			}
		})
	}
}

func TestSettingsOfAuthentication(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	bad := write(t, "bad.json", "{}")
	for _, test := range []struct {
		name, variable, value string
		args                  []string
		want                  string
	}{
		{"no scheme", "AIGW_GITLAB_URL", "gitlab.example.com", nil, "write https://gitlab.example.com"},
		{"a placeholder", "AIGW_GITLAB_URL", "https://<your_gitlab_domain>", nil, "placeholder"},
		{"no host", "AIGW_GITLAB_URL", "https://", nil, "names no host"},
		{"a password", "AIGW_GITLAB_URL", "https://root:secret@gitlab.example.com", nil, "leave it out"},
		{"the portal, no scheme", "AIGW_CUSTOMER_PORTAL_URL", "customers.example.com", nil, "write https://"},
		{"a file without keys", "X", "", []string{"--jwks-file", bad}, "/oauth/discovery/keys"},
		{"a missing file", "X", "", []string{"--jwks-file", bad + "x"}, "no such file"},
		{"no certificate", "AIGW_GITLAB_URL", "https://gitlab.example.com", []string{"--ca-file", bad}, "holds no certificate"},
		{"no certificate, as in Python", "REQUESTS_CA_BUNDLE", bad, []string{"--gitlab-url", "https://gitlab.example.com"}, "holds no certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.variable, test.value)
			code, _, stderr := call(t, append([]string{"run", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"}, test.args...)...)
			if code != exitFailed || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "secret") {
				t.Errorf("code %d, %s, want %q", code, stderr, test.want)
			}
		})
	}
}

func TestTokenMistakes(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"x"}, exitUsage, "left over"},
		{[]string{"--ttl", "0s"}, exitUsage, "has to last"},
		{nil, exitFailed, "a gateway makes it when it starts"},
		{[]string{"--key", filepath.Join(t.TempDir(), "no.pem")}, exitFailed, "--make-key"},
		{[]string{"--key", write(t, "bad.pem", "x")}, exitFailed, "PEM"},
	} {
		if code, _, stderr := call(t, append([]string{"token"}, test.args...)...); code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: code %d, %s, want %q", test.args, code, stderr, test.want)
		}
	}
}
