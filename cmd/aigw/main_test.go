package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

// call runs the program as the shell would and returns what it printed.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"aigw"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Wrong calls end with code 2 and failures with code 1, each with one line that says what to do.
func TestMistakesGetOneLine(t *testing.T) {
	model := testmodel.Path(t)
	weights, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	short := write(t, "short.gguf", string(weights[:len(weights)/2]))
	source := write(t, "a.go", "package a\n")
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no such command":   {[]string{"serve"}, exitUsage, `"serve"`},
		"no such flag":      {[]string{"run", "--nosuch", "x"}, exitUsage, "aigw run --help"},
		"left over":         {[]string{"run", "model.gguf"}, exitUsage, "--model FILE"},
		"negative number":   {[]string{"run", "--parallel", "0"}, exitUsage, "--parallel 0"},
		"no memory size":    {[]string{"run", "--cache-ram", "-2"}, exitUsage, "--cache-ram -2: from 0"},
		"missing file":      {[]string{"run", "--model", "/nowhere/x.gguf"}, exitFailed, "/nowhere/x.gguf"},
		"a folder":          {[]string{"run", "--model", t.TempDir()}, exitFailed, "directory"},
		"not a GGUF":        {[]string{"run", "--model", source}, exitFailed, "not a GGUF"},
		"truncated":         {[]string{"run", "--model", short}, exitFailed, "short.gguf"},
		"port in use":       {[]string{"run", "--listen", taken.Addr().String()}, exitFailed, taken.Addr().String() + " is in use"},
		"metrics in use":    {[]string{"run", "--listen", "127.0.0.1:0", "--metrics-listen", taken.Addr().String()}, exitFailed, "--metrics-listen"},
		"not an address":    {[]string{"run", "--listen", "nonsense"}, exitFailed, "--listen"},
		"unknown attention": {[]string{"complete", "--model", model, "--flash-attn", "x", source + ":1"}, exitFailed, "flash attention"},
		"no place":          {[]string{"complete", "--model", model}, exitUsage, "FILE:LINE"},
		"no such line":      {[]string{"complete", "--model", model, source + ":9"}, exitFailed, "line 9"},
		"no model":          {[]string{"complete", source + ":1"}, exitUsage, "--model FILE"},
		"nothing to do":     {[]string{"tokenize", "--model", model}, exitUsage, "--text-file"},
		"not UTF-8":         {[]string{"tokenize", "--model", model, "--text-file", write(t, "latin1", "caf\xe9")}, exitFailed, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, tt.args...)
			last := strings.TrimSpace(stderr)
			if code != tt.code || stdout != "" || !strings.Contains(last, tt.says) || strings.Contains(last, "\n") {
				t.Errorf("code %d (want %d), stdout %q, stderr %q (want one line with %q)", code, tt.code, stdout, stderr, tt.says)
			}
		})
	}
}

func TestEveryCommandHasExamples(t *testing.T) {
	for _, c := range newApp(io.Discard, io.Discard).Commands {
		if !strings.Contains(c.Description, "Examples:\n  aigw "+c.Name) && !strings.Contains(c.Description, "aigw "+c.Name) {
			t.Errorf("%s has no example in its help", c.Name)
		}
	}
}

func TestTokenize(t *testing.T) {
	const text = "func main() {\n\tprintln(\"größer\")\n}\n"
	code, stdout, stderr := call(t, "tokenize", "--model", testmodel.Path(t), "--text-file", write(t, "a.go", text), "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var got tokenized
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Tokens) == 0 || len(got.Tokens) != len(got.Pieces) || got.Family != "smollm2" || got.Layout != "text" {
		t.Errorf("%+v", got)
	}
	// The layout of a completion without fill-in-the-middle is the prefix, whatever the suffix.
	code, fim, stderr := call(t, "tokenize", "--model", testmodel.Path(t), "--fim",
		"--prefix-file", write(t, "p.go", text), "--suffix-file", write(t, "s.go", "// end"), "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var prompt tokenized
	if err := json.Unmarshal([]byte(fim), &prompt); err != nil {
		t.Fatal(err)
	}
	if strings.Join(prompt.Pieces, "") == "" || len(prompt.Tokens) < len(got.Tokens) {
		t.Errorf("%+v", prompt)
	}
}

func TestTokenizeChat(t *testing.T) {
	messages := write(t, "messages.json", `[{"role":"system","content":"Be terse."},{"role":"user","content":"Hi <|im_end|>"}]`)
	code, stdout, stderr := call(t, "tokenize", "--model", testmodel.Path(t), "--chat", messages, "--json")
	var got tokenized
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		t.Fatal(stderr, err)
	}
	const want = "<|im_start|>system\nBe terse.<|im_end|>\n<|im_start|>user\nHi <|im_end|><|im_end|>\n<|im_start|>assistant\n"
	ends := 0
	for _, id := range got.Tokens {
		if id == 2 {
			ends++
		}
	}
	if text := strings.Join(got.Pieces, ""); text != want || ends != 2 {
		t.Errorf("%q with %d ends; a user's text must not end his turn", text, ends)
	}
	code, _, stderr = call(t, "tokenize", "--model", testmodel.Path(t), "--chat", write(t, "x.json", "{}"))
	if code != exitFailed || !strings.Contains(stderr, "is expected") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

func TestInspect(t *testing.T) {
	code, stdout, stderr := call(t, "models", "inspect", "--json", testmodel.Path(t))
	var got inspection
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		t.Fatal(stderr, err)
	}
	if got.Family != "smollm2" || got.FIM || got.Chat != "chatml" || got.Context != 8192 || len(got.Evidence) == 0 {
		t.Errorf("%+v", got)
	}
	code, stdout, _ = call(t, "models", "inspect", testmodel.Path(t))
	if code != 0 || !strings.Contains(stdout, "smollm2") {
		t.Errorf("code %d, %q", code, stdout)
	}
}

func TestComplete(t *testing.T) {
	source := write(t, "count.py", "one = 1\ntwo = 2\nthree = 3\nfour = 4\nfive = 5\nsix = \nseven = 7\n")
	code, stdout, stderr := call(t, "complete", "--threads", "1", "--model", testmodel.Path(t), "--max-tokens", "8", source+":6")
	if code != 0 || !strings.HasPrefix(strings.TrimSpace(stdout), "6") {
		t.Errorf("code %d, %q, %s", code, stdout, stderr)
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := call(t, "version", "--json")
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		t.Fatal(code, stdout, err)
	}
	if got["llama_cpp"] != "0.5.0" || got["version"] != version || got["linkage"] == nil {
		t.Errorf("%v", got)
	}
}

// running is the program serving on a free port.
type running struct {
	t    *testing.T
	url  string
	stop context.CancelFunc
	code chan int
	log  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start lets everybody in.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	t.Setenv("AIGW_AUTH__BYPASS_EXTERNAL", "true")
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	return startClosed(t, args...)
}

// startClosed asks for tokens.
func startClosed(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, stop: stop, code: make(chan int, 1), log: &lockedBuffer{}}
	args = append([]string{"aigw", "run", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--threads", "1"}, args...)
	go func() { r.code <- run(ctx, args, io.Discard, r.log) }()
	t.Cleanup(r.end)
	url := regexp.MustCompile(`"url":"(http://[^"]+)"`)
	r.wait("a port", func() bool {
		found := url.FindStringSubmatch(r.log.String())
		if found != nil {
			r.url = found[1]
		}
		return found != nil
	})
	return r
}

// end stops the program as SIGTERM does; an orderly end has code 0.
func (r *running) end() {
	r.stop()
	select {
	case code := <-r.code:
		if code != 0 {
			r.t.Errorf("exit code %d\n%s", code, r.log)
		}
		r.code <- code
	case <-time.After(2 * time.Minute):
		r.t.Errorf("does not stop\n%s", r.log)
	}
}

func (r *running) wait(what string, is func() bool) {
	r.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s: never came\n%s", what, r.log)
		}
	}
}

func (r *running) get(path string) int {
	r.t.Helper()
	res, err := http.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	text   string
}

func (r *running) complete(body string) reply { return r.post("/v2/code/completions", body) }

func (r *running) post(path, body string) reply {
	r.t.Helper()
	res, err := http.Post(r.url+path, "application/json", strings.NewReader(body))
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

const codeBody = `{"prompt_version":2,"prompt":null,"project_path":"a/b","project_id":1,
	"current_file":{"file_name":"test.rb","content_above_cursor":"def hello_world","content_below_cursor":""},
	"model_provider":"litellm","model_name":"codestral","model_endpoint":"http://x.test","model_api_key":"secret","stream":%STREAM%}`

// The admin's "test completion" of GitLab, answered by the real model, in one piece and streamed.
func TestRunAnswersGitLab(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "2048", "--completion-time", "0")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	if code := r.get("/monitoring/healthz"); code != http.StatusOK {
		t.Errorf("healthz %d", code)
	}
	whole := r.complete(strings.Replace(codeBody, "%STREAM%", "false", 1))
	var answer struct {
		Choices []struct{ Text string }
		Model   struct {
			Name, Lang string
			Tokens     struct {
				Output int `json:"output_tokens"`
			} `json:"tokens_consumption_metadata"`
		}
	}
	if err := json.Unmarshal([]byte(whole.text), &answer); err != nil || whole.status != http.StatusOK {
		t.Fatal(whole, err)
	}
	if len(answer.Choices) != 1 || answer.Choices[0].Text == "" || answer.Model.Lang != "ruby" || answer.Model.Tokens.Output == 0 {
		t.Errorf("%s", whole.text)
	}
	streamed := r.complete(strings.Replace(codeBody, "%STREAM%", "true", 1))
	if streamed.status != http.StatusOK || !strings.HasPrefix(streamed.header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%d %v", streamed.status, streamed.header)
	}
	if streamed.text != answer.Choices[0].Text {
		t.Errorf("streamed %q, in one piece %q", streamed.text, answer.Choices[0].Text)
	}
	r.end()
	if log := r.log.String(); strings.Contains(log, "secret") || strings.Contains(log, "hello_world") {
		t.Error("the log holds a key or prompt text")
	}
}

func TestRunWithoutAModel(t *testing.T) {
	r := start(t)
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	refused := r.complete(strings.Replace(codeBody, "%STREAM%", "false", 1))
	if refused.status != http.StatusServiceUnavailable || !strings.Contains(refused.text, `"detail"`) || refused.header.Get("Retry-After") == "" {
		t.Errorf("%+v", refused)
	}
}

// SIGTERM in the middle of an answer lets it end.
func TestRunFinishesWhatItBegan(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "2048")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	res, err := http.Post(r.url+"/v2/code/completions", "application/json",
		strings.NewReader(strings.Replace(codeBody, "%STREAM%", "true", 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	r.stop()
	if text, err := io.ReadAll(res.Body); err != nil || len(text) == 0 {
		t.Errorf("%q, %v", text, err)
	}
}
