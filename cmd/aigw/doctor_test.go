package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"aigw/cmd/aigw/doctor"
	"aigw/engine"
	"aigw/internal/testmodel"
)

// examine runs aigw doctor and returns the results by name.
func examine(t *testing.T, args ...string) (int, map[string]doctor.Result) {
	t.Helper()
	code, stdout, stderr := call(t, append([]string{"doctor", "--json", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--threads", "2", "--ctx", "1024"}, args...)...)
	var out struct {
		OK     bool
		Checks []doctor.Result
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		t.Fatalf("code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if out.OK != (code == 0) {
		t.Errorf("ok is %v, the code %d", out.OK, code)
	}
	byName := map[string]doctor.Result{}
	for _, r := range out.Checks {
		byName[r.Name] = r
	}
	return code, byName
}

// fakeGitLab answers discovery with the keys of aigw token.
type fakeGitLab struct {
	*httptest.Server
	jwks  string
	clock time.Duration // how far it is ahead
}

func startFakeGitLab(t *testing.T, tls bool) *fakeGitLab {
	t.Helper()
	g := &fakeGitLab{jwks: token(t, "--key", filepath.Join(t.TempDir(), "k.pem"), "--make-key", "--jwks")}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(g.clock).UTC().Format(http.TimeFormat))
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"jwks_uri":%q}`, g.URL+"/oauth/discovery/keys")
		case "/oauth/discovery/keys":
			fmt.Fprint(w, g.jwks)
		default:
			http.Redirect(w, r, "/users/sign_in", http.StatusFound)
		}
	}))
	if g.Start(); tls {
		g.Server.Close()
		g.Server = httptest.NewUnstartedServer(g.Config.Handler)
		g.StartTLS()
	}
	t.Cleanup(g.Close)
	return g
}

// A fault turns exactly the check red that is about it, and what it does not concern stays green.
func TestDoctorFindsEachFault(t *testing.T) {
	t.Chdir(t.TempDir())
	healthCheckWaits = time.Hour
	t.Cleanup(func() { healthCheckWaits = 3 * time.Second })
	g, secure := startFakeGitLab(t, false), startFakeGitLab(t, true)
	late := startFakeGitLab(t, false)
	late.clock = -time.Hour
	empty := startFakeGitLab(t, false)
	empty.jwks = `{"keys":[]}`
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away.Close()
	model := testmodel.Path(t)
	open := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(open, 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(keyFolder(t), "k.pem"))
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, map[string]string{filepath.Join(open, "signing-key.pem"): string(key)})
	if err := os.Chmod(filepath.Join(open, "signing-key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	blocked := write(t, "file", "")
	for _, test := range []struct {
		name string
		env  []string // name, value
		args []string
		red  string // the check; "" if all are well
		do   string // part of what it advises or found
	}{
		{"nothing", nil, []string{"--model", model, "--completion-time", "200ms"}, "", ""},
		{"a word in place of a number", []string{"AIGW_LOGGING__LEVEL", "LOUD"}, nil, "settings", "LOUD"},
		{"a placeholder", []string{"AIGW_GITLAB_URL", "https://<your_gitlab_domain>"}, nil, "gitlab-url", "placeholder"},
		{"no scheme", []string{"AIGW_GITLAB_URL", "gitlab.example.test"}, nil, "gitlab-url", "https://gitlab.example.test"},
		{"the API of another GitLab", []string{"AIGW_GITLAB_API_URL", "https://gitlab.com/api/v4/"}, nil, "gitlab-url", "AIGW_GITLAB_API_URL"},
		{"no models of one's own", []string{"AIGW_CUSTOM_MODELS__ENABLED", "false"}, nil, "custom-models", "true"},
		{"bypass", []string{"AIGW_AUTH__BYPASS_EXTERNAL", "true"}, nil, "authentication", "AIGW_AUTH__BYPASS"},
		{"state cannot be written", []string{"AIGW_STATE_DIR", filepath.Join(blocked, "state")}, nil, "state-folder", "--state-dir"},
		{"the key is open to all", []string{"AIGW_STATE_DIR", open}, nil, "state-folder", "chmod 600"},
		{"a bad key", []string{"AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "x"}, nil, "signing-key", "openssl"},
		{"a bad certificate", []string{"REQUESTS_CA_BUNDLE", blocked}, nil, "ca-files", "REQUESTS_CA_BUNDLE"},
		{"half a certificate", nil, []string{"--tls-cert", blocked}, "settings", "--tls-key"},
		{"no certificate", nil, []string{"--tls-cert", blocked, "--tls-key", blocked}, "certificate", "--tls-cert"},
		{"GitLab is away", []string{"AIGW_GITLAB_URL", "http://" + away.Addr().String()}, nil, "gitlab", "--jwks-file"},
		{"an unknown CA", []string{"AIGW_GITLAB_URL", secure.URL}, nil, "tls-chain", "--ca-file"},
		{"clocks differ", []string{"AIGW_GITLAB_URL", late.URL}, nil, "clock", "timedatectl"},
		{"no keys", []string{"AIGW_GITLAB_URL", empty.URL}, nil, "keys", "GitLab"},
		{"a bad file of keys", nil, []string{"--jwks-file", blocked}, "keys", "/oauth/discovery/keys"},
		{"the port is taken", nil, []string{"--listen", busy.Addr().String()}, "ports", "--url"},
		{"more memory than there is", nil, []string{"--model", model, "--ctx", tooMuchContext(t)}, "memory", "it fits"},
		{"no index of documentation", nil, []string{"--docs", "/nowhere/docs.index"}, "docs-index", "aigw docs index DIR"},
		{"a folder that is no index", nil, []string{"--docs", t.TempDir()}, "docs-index", "no index of aigw"},
		{"a damaged index", nil, []string{"--docs", damagedIndex(t)}, "docs-index", "is damaged"},
		{"no such model", nil, []string{"--model", "/nowhere/x.gguf"}, "model", "/nowhere/x.gguf"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("AIGW_STATE_DIR", filepath.Join(t.TempDir(), "state"))
			t.Setenv("AIGW_GITLAB_URL", g.URL)
			for i := 0; i < len(test.env); i += 2 {
				t.Setenv(test.env[i], test.env[i+1])
			}
			// Where the model is not the matter it is not loaded: it costs a second each time.
			args := test.args
			if test.red != "" && test.red != "model" && test.red != "memory" {
				args = append([]string{"--url", stubGateway(t)}, args...)
			}
			if test.red == "ports" {
				args = append([]string{"--model", model, "--completion-time", "200ms"}, test.args...)
			}
			code, results := examine(t, args...)
			for name, r := range results {
				if (r.Status == doctor.Failed) != (name == test.red) {
					t.Errorf("%s: %s, %s; do: %s", name, r.Status, r.Found, r.Do)
				}
			}
			if r := results[test.red]; test.red != "" && !strings.Contains(r.Found+r.Do+r.Expected, test.do) {
				t.Errorf("%+v does not say %q", r, test.do)
			}
			if test.red == "" {
				for name, r := range results {
					if r.Status != doctor.OK && name != "tls-chain" && name != "certificate" && name != "model-servers" {
						t.Errorf("%s: %s, %s", name, r.Status, r.Found)
					}
				}
			} else if code != exitFailed {
				t.Errorf("code %d", code)
			}
		})
	}

	t.Run("the CA's certificate is named", func(t *testing.T) {
		t.Setenv("AIGW_STATE_DIR", t.TempDir())
		ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
		_, results := examine(t, "--url", stubGateway(t), "--gitlab-url", secure.URL, "--ca-file", ca)
		if r := results["tls-chain"]; r.Status != doctor.OK || results["keys"].Status != doctor.OK {
			t.Errorf("%+v %+v", r, results["keys"])
		}
	})
}

// tooMuchContext is a context for which this machine has no memory: a cell of the small model's cache takes 23 kB.
func tooMuchContext(t *testing.T) string {
	t.Helper()
	available, err := engine.Available()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(available.Bytes/23_040*5/4, 10)
}

// damagedIndex is an index of documentation in which one byte has changed.
func damagedIndex(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "docs.index")
	pages := t.TempDir()
	writeAll(t, map[string]string{filepath.Join(pages, "a.md"): "# Tokens\n\nHow tokens are made.\n"})
	if code, _, stderr := call(t, "docs", "index", pages, "-o", dir); code != 0 {
		t.Fatal(stderr)
	}
	changed := ""
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || changed != "" || filepath.Ext(path) != ".zap" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text[len(text)/2] ^= 1
		changed = path
		return os.WriteFile(path, text, 0o600)
	})
	if err != nil || changed == "" {
		t.Fatalf("%q: %v", changed, err)
	}
	return dir
}

// keyFolder holds a key, k.pem.
func keyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	token(t, "--key", filepath.Join(dir, "k.pem"), "--make-key", "--jwks")
	return dir
}

// stubGateway is ready and refuses strangers.
func stubGateway(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/monitoring/"):
			fmt.Fprint(w, "{}")
		case r.Header.Get("Authorization") == "":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/":
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, `{"choices":[{"text":"end"}]}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Of a gateway that runs, the doctor sees what is wrong with it.
func TestDoctorVisits(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	bypassed := start(t) // without a model
	_, results := examine(t, "--url", bypassed.url, "--offline")
	if r := results["sample-token"]; r.Status != doctor.Failed || !strings.Contains(r.Do, "BYPASS") {
		t.Errorf("a gateway without authentication: %+v", r)
	}
	if r := results["completion"]; r.Status != doctor.Failed || !strings.Contains(r.Found, "503") {
		t.Errorf("a gateway without a model: %+v", r)
	}
	_, results = examine(t, "--url", "http://127.0.0.1:1")
	if r := results["load"]; r.Status != doctor.Failed || !strings.Contains(r.Do, "--url") {
		t.Errorf("no gateway: %+v", r)
	}
}

func TestDoctorTellsPeople(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	t.Setenv("AIGW_CUSTOM_MODELS__ENABLED", "false")
	code, stdout, stderr := call(t, "check", "--offline", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(stdout, "do: set it to true") || !strings.Contains(stderr, "checks failed: custom-models, authentication, model") {
		t.Errorf("code %d\n%s\n%s", code, stdout, stderr)
	}
}
