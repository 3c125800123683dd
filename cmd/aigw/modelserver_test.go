package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// codeAbove leaves a model little choice: what it goes on with does not hang on the last bit of a logit.
const codeAbove = `{"prompt_version":1,"project_path":"","project_id":0,"current_file":{"file_name":"a.py","content_above_cursor":"def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) +","content_below_cursor":""}}`

// choiceText is the first suggestion of an answer.
func choiceText(t *testing.T, body string) string {
	t.Helper()
	var answer struct{ Choices []struct{ Text string } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Choices) == 0 {
		return ""
	}
	return answer.Choices[0].Text
}

// One aigw has the model, another asks it over OpenAI's API: code and conversations are answered as by the first, a key is
// needed, and when the far side goes away the near one says so, at once and by its readiness.
func TestAModelAtAnotherServer(t *testing.T) {
	t.Setenv("AIGW_AUTH__BYPASS_EXTERNAL", "true")
	keys := t.TempDir() + "/keys"
	code, secret, stderr := call(t, "keys", "add", "--keys-file", keys, "near")
	if code != 0 {
		t.Fatal(stderr)
	}
	far := start(t, "--model", "smollm2="+testmodel.Path(t), "--ctx", "2048", "--keys-file", keys, "--completion-time", "0", "--inference-timeout", "10m", "--chat-warmup", "off")
	far.wait("ready", func() bool { return far.get("/monitoring/ready") == http.StatusOK })
	key := write(t, "key.txt", strings.TrimSpace(secret)+"\n")
	near := start(t, "--model", "smollm2="+far.url+"/v1", "--model-key-file", key, "--openai-insecure", "--completion-time", "0", "--inference-timeout", "10m")
	near.wait("ready", func() bool { return near.get("/monitoring/ready") == http.StatusOK })

	const goesOn = "fibonacci(n - 2)"
	for where, at := range map[string]*running{"far": far, "near": near} {
		if got := at.complete(codeAbove); got.status != http.StatusOK || !strings.Contains(choiceText(t, got.text), goesOn) {
			t.Errorf("%s: %d %s", where, got.status, got.text)
		}
	}
	const talk = `{"messages":[{"role":"user","content":"What is the capital of France?"}],"temperature":0,"max_tokens":12}`
	var answer openAIAnswer
	near.ask("/v1/chat/completions", talk, &answer)
	if len(answer.Choices) != 1 || !strings.Contains(answer.Choices[0].Message.Content, "France") || answer.Usage.PromptTokens == 0 || answer.Usage.CompletionTokens == 0 {
		t.Errorf("%+v", answer)
	}
	streamed := near.post("/v2/code/completions", strings.Replace(codeAbove, "{", `{"stream":true,`, 1))
	if streamed.status != http.StatusOK || !strings.Contains(streamed.text, goesOn) {
		t.Errorf("%d %q", streamed.status, streamed.text)
	}
	for _, refused := range []string{
		`{"prompt":"x","max_tokens":2,"response_format":{"type":"json_object"}}`, // no grammar there
		`{"prompt":[1,2,3],"max_tokens":2}`,                                      // whose tokens?
	} {
		if got := near.post("/v1/completions", refused); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", refused, got.status, got.text)
		}
	}
	const withTools = `{"messages":[{"role":"user","content":"Is it raining in Bern?"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]}`
	if got := near.post("/v1/chat/completions", withTools); got.status != http.StatusBadRequest || !strings.Contains(got.text, "at another server") {
		t.Errorf("with tools: %d %s", got.status, got.text)
	}
	if code, checks := examine(t, "--model", "smollm2="+far.url+"/v1", "--model-key-file", key); !strings.Contains(checks["model-servers"].Found, "has smollm2, context 2048") {
		t.Errorf("%d %+v", code, checks["model-servers"])
	}
	if _, checks := examine(t, "--model", "smollm2="+far.url+"/v1"); !strings.Contains(checks["model-servers"].Found, "--model-key-file") {
		t.Errorf("without a key: %+v", checks["model-servers"])
	}
	far.end()
	gone := near.complete(codeAbove)
	if gone.status != http.StatusServiceUnavailable || !strings.Contains(gone.header.Get("X-Aigw-Cause"), far.url+": it cannot be reached") {
		t.Errorf("%d %s %v", gone.status, gone.text, gone.header)
	}
	for range 4 {
		near.complete(codeAbove)
	}
	if left := near.complete(codeAbove); left.status != http.StatusServiceUnavailable || left.header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", left.status, left.text, left.header)
	}
	if status := near.get("/monitoring/ready"); status != http.StatusServiceUnavailable {
		t.Errorf("ready: %d", status)
	}
	near.end()
	if log := near.log.String(); strings.Contains(log, "fibonacci") || strings.Contains(log, strings.TrimSpace(secret)) {
		t.Error("the log holds a prompt or the key")
	}
}

func TestMistakesWithModelServers(t *testing.T) {
	empty := write(t, "empty", "\n")
	for _, test := range []struct {
		want string
		args []string
	}{
		{"give it a name", []string{"--model", "https://vllm.example.test/v1"}},
		{"names no host", []string{"--model", "m=https:///v1"}},
		{"a key belongs into a file", []string{"--model", "m=https://a:b@vllm.example.test"}},
		{"question mark", []string{"--model", "m=https://vllm.example.test/v1?x"}},
		{"one line with the key", []string{"--model", "m=https://vllm.example.test", "--model-key-file", empty}},
		{"no such file", []string{"--model", "m=https://vllm.example.test", "--model-key-file", "m=" + empty + "x"}},
		{"longer than nothing", []string{"--model-silence", "0s"}},
		{"from 1 to", []string{"--model-streams", "0"}},
	} {
		code, _, stderr := call(t, append([]string{"config"}, test.args...)...)
		if code == 0 || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "a:b@") {
			t.Errorf("%v: code %d, %s", test.args, code, stderr)
		}
	}
	if code, _, stderr := call(t, "complete", "--model", "m=https://vllm.example.test/v1", "main_test.go:1"); code == 0 || !strings.Contains(stderr, "aigw run only") {
		t.Errorf("code %d, %s", code, stderr)
	}
}
