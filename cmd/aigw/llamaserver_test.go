package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"aigw/internal/testmodel"
	"aigw/models"
	"aigw/models/gguf/gguftest"
)

// The key that llama-server is started with.
const serverKey = "sesame"

// startLlamaServer serves a file with llama.cpp's own server, the one of `make peers` or AIGW_TEST_LLAMA_SERVER, and
// returns its address. Without one the test is skipped; .ci/model-server-test has one.
func startLlamaServer(t *testing.T, model string) *url.URL {
	t.Helper()
	program := os.Getenv("AIGW_TEST_LLAMA_SERVER")
	if program == "" {
		program = "../../bin/llama-server"
		if _, err := os.Stat(program); err != nil {
			t.Skip("there is no bin/llama-server (make peers) and AIGW_TEST_LLAMA_SERVER names none")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	said := &lockedBuffer{}
	cmd := exec.CommandContext(t.Context(), program, "-m", model, "--host", "127.0.0.1", "--port", port, "-c", "2048", "-np", "1", "-t", "2", "--api-key", serverKey, "--offline", "--no-ui")
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said)
		}
	})
	return &url.URL{Scheme: "http", Host: address}
}

// near is a gateway whose model is at that server, under the name of a family.
func near(t *testing.T, server *url.URL, name string, args ...string) *running {
	t.Helper()
	key := write(t, "key.txt", serverKey+"\n")
	r := start(t, append([]string{"--model", name + "=" + server.String() + "/v1", "--model-key-file", key, "--openai-insecure", "--ctx", "2048", "--completion-time", "0", "--inference-timeout", "10m"}, args...)...)
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	return r
}

// talkAbout asks for a greedy answer of some tokens.
func talkAbout(r *running) (answer openAIAnswer) {
	r.ask("/v1/chat/completions", `{"messages":[{"role":"user","content":"What is the capital of France?"}],"temperature":0,"max_tokens":12}`, &answer)
	return answer
}

// A model at llama.cpp's own server answers as the same file does in this process: conversations, code, and streams. The texts
// leave a model little choice, so that nothing hangs on the last bit of a logit.
func TestAModelAtLlamaServer(t *testing.T) {
	server := startLlamaServer(t, testmodel.Path(t))
	here := start(t, "--model", "smollm2="+testmodel.Path(t), "--openai-insecure", "--ctx", "2048", "--completion-time", "0", "--inference-timeout", "10m")
	here.wait("ready", func() bool { return here.get("/monitoring/ready") == http.StatusOK })
	there := near(t, server, "smollm2")

	own, its := talkAbout(here), talkAbout(there)
	if len(own.Choices) != 1 || len(its.Choices) != 1 || own.Choices[0].Message.Content == "" || own.Choices[0].Message != its.Choices[0].Message {
		t.Errorf("here %+v, there %+v", own.Choices, its.Choices)
	}
	if own.Usage.PromptTokens != its.Usage.PromptTokens {
		t.Errorf("the prompt has %d tokens here and %d there", own.Usage.PromptTokens, its.Usage.PromptTokens)
	}
	const goesOn = "fibonacci(n - 2)"
	streamed := strings.Replace(codeAbove, "{", `{"stream":true,`, 1)
	for where, r := range map[string]*running{"here": here, "there": there} {
		if got := r.complete(codeAbove); got.status != http.StatusOK || !strings.Contains(choiceText(t, got.text), goesOn) {
			t.Errorf("%s: %d %s", where, got.status, got.text)
		}
		if got := r.complete(streamed); got.status != http.StatusOK || !strings.Contains(got.text, goesOn) {
			t.Errorf("%s, streamed: %d %s", where, got.status, got.text)
		}
	}
	there.end()

	// Of a model of no known family the server lays out conversations, with a system text that its file's template adds.
	unknown := near(t, server, "smol", "--family", "generic")
	if answer := talkAbout(unknown); len(answer.Choices) != 1 || answer.Choices[0].Message.Content == "" || answer.Usage.PromptTokens == 0 {
		t.Errorf("%+v", answer)
	}
	unknown.end()

	// With a key that is wrong the cause is named, and the gateway is not ready.
	stranger := start(t, "--model", "smollm2="+server.String()+"/v1", "--model-key-file", write(t, "wrong.txt", "open\n"), "--ctx", "2048")
	stranger.wait("an answer", func() bool { return stranger.complete(codeAbove).status == http.StatusServiceUnavailable })
	if got := stranger.complete(codeAbove); !strings.Contains(got.header.Get("X-Aigw-Cause"), server.Host) || stranger.get("/monitoring/ready") != http.StatusServiceUnavailable {
		t.Errorf("%d %s %v", got.status, got.text, got.header)
	}
	stranger.end()
}

// A prompt to fill in arrives at llama.cpp's own server as the tokens that a file here would be given: its tokenizer reads the
// markers of the text that is sent. The networks are too small to say anything, their vocabularies are the families' own.
func TestFillInAtLlamaServer(t *testing.T) {
	const above, below = "func größe(a, b int) int {\n\treturn ", "\n}\n\n// end\n"
	for family, vocabulary := range map[string]*gguftest.Vocabulary{
		"starcoder2": gguftest.StarCoder2(t), "qwen2.5-coder": gguftest.QwenCoder(t), "deepseekcoder": gguftest.DeepSeekCoder(t),
	} {
		t.Run(family, func(t *testing.T) {
			file := gguftest.Model(vocabulary, gguftest.Network{Embedding: 32, Heads: 2, Context: 2048}).WriteFile(t, t.TempDir(), family+".gguf")
			server := startLlamaServer(t, file)
			prompts := &lockedPrompts{}
			proxy := httptest.NewServer(prompts.before(server))
			defer proxy.Close()
			address, err := url.Parse(proxy.URL)
			if err != nil {
				t.Fatal(err)
			}
			r := near(t, address, "code", "--family", family)
			body, err := json.Marshal(map[string]any{"prompt_version": 1, "current_file": map[string]any{"file_name": "a.go", "content_above_cursor": above, "content_below_cursor": below}})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.complete(string(body)); got.status != http.StatusOK {
				t.Fatalf("%d %s %v", got.status, got.text, got.header)
			}
			r.end()

			code, stdout, stderr := call(t, "tokenize", "--model", file, "--family", family, "--fim", "--json",
				"--prefix-file", write(t, "prefix", above), "--suffix-file", write(t, "suffix", below))
			var here tokenized
			if err := json.Unmarshal([]byte(stdout), &here); code != 0 || err != nil {
				t.Fatal(stderr, err)
			}
			sent := prompts.last()
			if there := tokensAt(t, server, sent); !reflect.DeepEqual(there, here.Tokens) {
				t.Errorf("%q is %v there, and %v here", sent, there, here.Tokens)
			}
		})
	}
}

// tokensAt are the tokens that llama-server makes of a prompt of /v1/completions.
func tokensAt(t *testing.T, server *url.URL, prompt string) []models.Token {
	t.Helper()
	body, err := json.Marshal(map[string]any{"content": prompt, "add_special": true, "parse_special": true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.JoinPath("tokenize").String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+serverKey)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Tokens []models.Token }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return answer.Tokens
}

// lockedPrompts keeps the prompts that pass by on their way to a server.
type lockedPrompts struct {
	mu  sync.Mutex
	all []string
}

func (p *lockedPrompts) before(server *url.URL) http.Handler {
	on := httputil.NewSingleHostReverseProxy(server)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var body struct{ Prompt string }
		if filepath.Base(r.URL.Path) == "completions" && json.Unmarshal(text, &body) == nil && body.Prompt != "" {
			p.mu.Lock()
			p.all = append(p.all, body.Prompt)
			p.mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
		on.ServeHTTP(w, r)
	})
}

func (p *lockedPrompts) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) == 0 {
		return ""
	}
	return p.all[len(p.all)-1]
}
