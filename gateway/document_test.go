package gateway_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
	"aigw/gateway/usertoken"
)

// described serves the document and the page where GitLab's image does.
func described(o gateway.Options) gateway.Options {
	o.OpenAPIPath, o.DocsPath, o.RedocPath, o.Version = "/openapi.json", "/docs", "/redoc", "1.2.3"
	return o
}

func TestDocumentIsOffUnlessAsked(t *testing.T) {
	s := gatewaytest.Start(t, open)
	for _, path := range []string{"/openapi.json", "/docs", "/redoc"} {
		if got := s.Do("GET", path, ""); got.StatusCode != http.StatusNotFound || got.Text != `{"detail":"Not Found"}` {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.Text)
		}
	}
}

func TestDocumentNeedsAuthentication(t *testing.T) {
	s := gatewaytest.Start(t, described(gateway.Options{}))
	for _, path := range []string{"/openapi.json", "/docs", "/redoc"} {
		if got := s.Do("GET", path, ""); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.Text)
		}
	}
}

// Every route that the server has is in the document, with the limits that are checked.
func TestDocument(t *testing.T) {
	s := gatewaytest.Start(t, described(open))
	got := s.Do("GET", "/openapi.json", "")
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	var document struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			Summary     string
			Responses   map[string]any
			RequestBody *struct {
				Content map[string]struct{ Schema json.RawMessage }
			}
		}
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal([]byte(got.Text), &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" || document.Info.Version != "1.2.3" {
		t.Errorf("%s, %s", document.OpenAPI, document.Info.Version)
	}
	for _, path := range []string{"/v2/completions", "/v2/code/completions", "/v2/code/generations", "/v3/code/completions", "/v4/code/suggestions"} {
		op, ok := document.Paths[path]["post"]
		if !ok || op.Summary == "" || op.RequestBody == nil || len(op.RequestBody.Content["application/json"].Schema) < 100 {
			t.Errorf("%s is not described: %+v", path, op)
		}
		for _, status := range []string{"200", "400", "403", "413", "422", "429", "503"} {
			if op.Responses[status] == nil {
				t.Errorf("%s: status %s is missing", path, status)
			}
		}
	}
	for path, methods := range document.Paths {
		for method, op := range methods {
			if op.Summary == "" {
				t.Errorf("%s %s has no summary: give its room Operations()", method, path)
			}
		}
	}
	if file := string(document.Components.Schemas["CurrentFile"]); !strings.Contains(file, `"content_above_cursor":{"type":"string","maxLength":100000}`) {
		t.Errorf("CurrentFile: %s", file)
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(got.Text, -1) {
		if document.Components.Schemas[ref[1]] == nil {
			t.Errorf("%s is referred to and not there", ref[1])
		}
	}
}

// The page shows all of it, and needs nothing from anywhere.
func TestPage(t *testing.T) {
	s := gatewaytest.Start(t, described(open))
	for _, path := range []string{"/docs", "/redoc"} {
		got := s.Do("GET", path, "")
		if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(got.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Fatalf("%d %v", got.StatusCode, got.Header)
		}
		for _, want := range []string{"/v4/code/suggestions", "content_above_cursor", "at most 100000 characters", "with prompt_version 2", "<code>prompt_version</code> <span title=\"required\">*</span><td>2<td>", "telemetry", "list of object", `href="/openapi.json"`, "1.2.3"} {
			if !strings.Contains(got.Text, want) {
				t.Errorf("the page does not have %q", want)
			}
		}
		if foreign := regexp.MustCompile(`(?i)https?://[^"' ]+|<script|src=|@import|url\(`).FindAllString(got.Text, -1); len(withoutPatterns(foreign)) > 0 {
			t.Errorf("the page refers to %q", foreign)
		}
	}
	if got := s.Do("POST", "/docs", ""); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
}

// withoutPatterns drops the regular expression for URLs, which the schema on the page shows.
func withoutPatterns(found []string) []string {
	var out []string
	for _, one := range found {
		if !strings.HasPrefix(one, "https?://[") {
			out = append(out, one)
		}
	}
	return out
}

func TestPathsOfTheDocument(t *testing.T) {
	for path, good := range map[string]bool{"": true, "/docs": true, "/a/b.json": true, "docs": false, "/": false, "/:x": false, "//docs": false, "/a*": false} {
		if err := gateway.CheckPath(path); (err == nil) != good {
			t.Errorf("%q: %v", path, err)
		}
	}
	// A path that is taken keeps its meaning, and the server starts.
	o := described(open)
	o.DocsPath = "/monitoring/healthz"
	if got := gatewaytest.Start(t, o).Do("GET", "/monitoring/healthz", ""); got.Text != "{}" {
		t.Errorf("%s", got.Text)
	}
}

// anybody takes every token but one, with all rights.
type anybody struct{}

func (anybody) Verify(_ context.Context, token string) (auth.Claims, error) {
	if token != "good" {
		return auth.Claims{}, context.Canceled
	}
	return auth.Claims{Issuer: "https://gitlab.example.test", Scopes: []string{"complete_code", "generate_code", "duo_chat", "documentation_search"}}, nil
}

// testedRoutes are those that schemathesis tests unless AIGW_SCHEMATHESIS_ROUTES has another regular
// expression.
const testedRoutes = `^/(v2/|v3/|v4/|v1/|monitoring/)`

// schemathesis (PyPI) asks the server whatever its documents allow and forbid, and finds no answer
// that they do not promise. AIGW_SCHEMATHESIS names the program; .ci/contract installs it.
func TestSchemathesis(t *testing.T) {
	program := os.Getenv("AIGW_SCHEMATHESIS")
	if program == "" {
		t.Skip("AIGW_SCHEMATHESIS does not name the program; .ci/contract does")
	}
	signing, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ring, key := oneKey(t)
	o := described(gateway.Options{APIKeys: ring, Auth: auth.Options{Verifier: anybody{}}, Tokens: usertoken.Options{Key: signing, Service: auth.DefaultServiceName}})
	s := gatewaytest.Start(t, o)
	m := gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"return ", "a + b\n"}, Result: engine.Result{Finish: engine.FinishStop, PromptTokens: 5, OutputTokens: 4}})
	m.Chat, m.Vocabulary = &gatewaytest.Chat{}, gatewaytest.Bytes{}
	s.SetEmbedding(&serving.EmbeddingModel{Name: "embed", Embedder: gatewaytest.Embedder{}})
	s.Ready(m)
	or := func(name, otherwise string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		return otherwise
	}
	settings, err := filepath.Abs("testdata/schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	test := func(t *testing.T, document, routes string, headers ...string) {
		arguments := []string{"--config-file", settings, "run", s.URL + document, "--include-path-regex", routes, "--checks", "all",
			"--max-examples", or("AIGW_SCHEMATHESIS_EXAMPLES", "20"), "--seed", "6", "--no-shrink", "--no-color", "--continue-on-failure"}
		for _, header := range headers {
			arguments = append(arguments, "--header", header)
		}
		command := exec.CommandContext(t.Context(), program, arguments...)
		command.Dir = t.TempDir()
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", document, err, out)
		}
		t.Logf("%s", out[max(0, len(out)-3000):])
	}
	t.Run("GitLab", func(t *testing.T) {
		test(t, "/openapi.json", or("AIGW_SCHEMATHESIS_ROUTES", testedRoutes), "Authorization: Bearer good", "X-Gitlab-Authentication-Type: oidc")
	})
	t.Run("door", func(t *testing.T) {
		test(t, "/v1/openapi.json", or("AIGW_SCHEMATHESIS_ROUTES", ".*"), "Authorization: Bearer "+key)
	})
}
