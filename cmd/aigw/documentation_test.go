package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

// docsVar has the commands of the documentation run. They take a minute, so that CI does it in a stage of its own, .ci/docs.
const docsVar = "AIGW_TEST_DOCS"

// block is a fenced block of shell commands. Its info string is "sh", or "sh skip: REASON" where it cannot run in a test.
type block struct {
	page string
	line int
	text string
	skip string
}

var fence = regexp.MustCompile("^( *)```(.*)$")

// shellBlocks reads the pages of a folder. What CI runs by name (.ci/readme) says so in the line before.
func shellBlocks(t *testing.T, pages ...string) []block {
	t.Helper()
	var out []block
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var now *block
		before := ""
		for i, line := range strings.Split(string(text), "\n") {
			mark := fence.FindStringSubmatch(line)
			switch {
			case mark != nil && now != nil:
				if now.page != "" {
					out = append(out, *now)
				}
				now = nil
			case mark != nil:
				now = &block{}
				if lang, info, _ := strings.Cut(mark[2], " "); lang == "sh" {
					reason, skips := strings.CutPrefix(info, "skip: ")
					if info != "" && (!skips || reason == "") {
						t.Errorf("%s:%d: %q is expected to be sh, or sh skip: REASON", page, i+1, mark[2])
					}
					now.page, now.line, now.skip = filepath.Base(page), i+1, reason
					if strings.HasPrefix(before, "<!-- command: ") {
						now.skip = "a stage of CI runs it"
					}
				}
			case now != nil:
				now.text += line + "\n" // of a list it is indented, which a shell does not mind
			}
			before = line
		}
	}
	return out
}

// site is a machine as the pages suppose it: folders, files, and gateways that run.
type site struct {
	dir, home    string
	open, closed string // URLs of a gateway that lets everybody in, and of one that does not
}

// program runs in place of aigw: aigw run is tried until it is ready and then ended as systemd does, everything else is as it is.
const program = `#!/bin/bash
export AIGW_TEST_AS_PROGRAM=1
if [ "$1" != run ]; then exec "$AIGW_DOCS_PROGRAM" "$@"; fi
shift
log=$(mktemp)
"$AIGW_DOCS_PROGRAM" run "$@" --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --threads 2 --ctx 512 2>"$log" &
child=$!
for _ in $(seq 1200); do
	grep -q '"message":"ready"' "$log" && break
	kill -0 $child 2>/dev/null || break
	sleep 0.05
done
grep -q '"message":"ready"' "$log" || { cat "$log" >&2; kill $child 2>/dev/null; exit 1; }
kill -TERM $child
wait $child
`

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), home: t.TempDir()}
	model := testmodel.Path(t)
	for _, name := range []string{
		"codestral.gguf", "codestral-22b.Q4_K_M.gguf", "codegemma-2b.gguf", "models/mistral-7b-instruct.gguf", "models/codestral.gguf", "models/mistral.gguf", "path/to/model.gguf",
		"srv/models/codestral.gguf", "srv/models/mistral-7b-instruct.gguf",
	} {
		s.link(t, model, name)
	}
	for name, text := range map[string]string{
		"key.txt": "secret\n",
		"opt/gitlab/embedded/service/gitlab-rails/doc/ci/variables/index.md": "---\ntitle: CI/CD variables\n---\n\n# Mask a CI/CD variable\n\nYou can mask a variable so that its value is not shown in job logs.\n",
		"gitlab/doc/index.md":     "# GitLab\n\nWords about GitLab.\n",
		"gitlab-runner/docs/a.md": "# Runner\n\nWords about runners.\n",
		"srv/handbook/b.md":       "# Handbook\n\nWords about the handbook.\n",
		"etc/aigw/config.yaml":    "model: " + filepath.Join(s.dir, "codestral.gguf") + "\njwks-file: " + filepath.Join(s.dir, "jwks.json") + "\nlisten: 127.0.0.1:0\nmetrics-listen: 127.0.0.1:0\nthreads: 2\nctx: 1024\ncompletion-time: 1s\n",
		"config.yaml":             "model_list:\n  - model_name: codestral\n    litellm_params:\n      model: ollama/codestral:22b\n      api_base: http://localhost:11434\n",
		"bin/aigw":                program,
	} {
		s.put(t, name, text)
	}
	made := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=gateway.example.com", "-keyout", "key.pem", "-out", "cert.pem")
	made.Dir = s.dir
	if out, err := made.CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	s.link(t, filepath.Join(s.dir, "cert.pem"), "etc/ssl/company-ca.pem")
	s.ollama(t, model, "codestral", "22b")
	s.ollama(t, model, "codegemma", "7b-code")
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AIGW_DOCS_PROGRAM": own, "AIGW_STATE_DIR": filepath.Join(s.dir, "state"), "HOME": s.home, "AIGW_STORE": filepath.Join(s.dir, "store"),
		"PATH": filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH"), "AIGW_LOGGING__FORMAT_JSON": "true",
		// No name is looked up, nothing is reached but this machine.
		"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
	return s
}

func (s *site) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (s *site) link(t *testing.T, model, name string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(model, path); err != nil {
		t.Fatal(err)
	}
}

// ollama puts a model into Ollama's folder.
func (s *site) ollama(t *testing.T, model, name, tag string) {
	t.Helper()
	f, err := os.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		t.Fatal(err)
	}
	digest := hex.EncodeToString(hash.Sum(nil))
	store := filepath.Join(s.home, ".ollama", "models")
	manifest := filepath.Join(store, "manifests", "registry.ollama.ai", "library", name)
	for _, dir := range []string{manifest, filepath.Join(store, "blobs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(model, filepath.Join(store, "blobs", "sha256-"+digest)); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":%d}]}`, digest, size)
	if err := os.WriteFile(filepath.Join(manifest, tag), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serve starts the two gateways, and asks for what pages show the log of.
func (s *site) serve(t *testing.T) {
	t.Helper()
	keys := func(args ...string) string {
		code, out, errs := call(t, args...)
		if code != 0 {
			t.Fatal(errs)
		}
		return strings.TrimSpace(out)
	}
	test := filepath.Join(s.dir, "test.pem")
	s.put(t, "jwks.json", keys("token", "--key", test, "--make-key", "--jwks"))
	t.Setenv("OPENAI_API_KEY", keys("keys", "add", "documentation"))
	model := "codestral=" + testmodel.Path(t)
	closed := startClosed(t, "--model", model, "--ctx", "1024", "--jwks-file", filepath.Join(s.dir, "jwks.json"), "--completion-time", "1s")
	t.Setenv("AIGW_AUTH__BYPASS_EXTERNAL", "true")
	open := startClosed(t, "--model", model, "--ctx", "2048", "--completion-time", "1s")
	os.Unsetenv("AIGW_AUTH__BYPASS_EXTERNAL")
	for _, r := range []*running{open, closed} {
		r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, open.url+"/v2/code/completions", strings.NewReader(healthCheck))
	if err != nil {
		t.Fatal(err)
	}
	const shown = "3f2a9c1d4b5e46f7a8b9c0d1e2f30415" // in docs/monitoring.md
	r.Header.Set("X-Request-ID", shown)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	open.wait("a log line", func() bool { return strings.Contains(open.log.String(), shown) })
	s.put(t, "var/log/aigw/aigw.log", open.log.String())
	s.open, s.closed = open.url, closed.url
}

// Pages whose gateway asks for tokens.
var closedPages = map[string]bool{"authentication.md": true, "troubleshooting.md": true}

var absolute = regexp.MustCompile(`(^|[\s=:,'"])(/(?:etc|opt|srv|models|var|path)(?:/|\b))`)

// run runs a block in a shell, in the site's folder.
func (s *site) run(ctx context.Context, b block) (string, error) {
	url := s.open
	if closedPages[b.page] {
		url = s.closed
	}
	text := absolute.ReplaceAllString(strings.ReplaceAll(b.text, "http://127.0.0.1:5052", url), "${1}"+s.dir+"${2}")
	text = strings.ReplaceAll(text, "bin/aigw ", "aigw ")
	// A curl that is answered an error fails here.
	text = "curl() { command curl --fail-with-body \"$@\"; }\n" + text
	cmd := exec.CommandContext(ctx, "bash", "-e", "-u", "-o", "pipefail", "-c", text)
	cmd.Dir = s.dir
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// Every command of the documentation that can run here does, in the order of the pages, and ends well.
func TestTheCommandsOfTheDocumentation(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := shellBlocks(t, append(pages, "../../README.md")...)
	if os.Getenv(docsVar) == "" {
		t.Skip(docsVar + " is not set: .ci/docs runs them")
	}
	s := newSite(t)
	s.serve(t)
	ran := 0
	skipped := map[string][]string{}
	for _, b := range blocks {
		at := fmt.Sprintf("%s:%d", b.page, b.line)
		if b.skip != "" {
			skipped[b.skip] = append(skipped[b.skip], at)
			continue
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		out, err := s.run(ctx, b)
		cancel()
		if err != nil {
			t.Errorf("%s: %v\n%s\n%s", at, err, b.text, out)
			continue
		}
		ran++
		t.Logf("%s: %.1f s", at, time.Since(began).Seconds())
	}
	list, err := json.MarshalIndent(skipped, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d blocks ran; not run, by reason: %s", ran, len(blocks), list)
}
