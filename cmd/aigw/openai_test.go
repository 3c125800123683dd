package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// choices are what answers of the OpenAI door have in common.
type openAIAnswer struct {
	Object, Model string
	Choices       []struct {
		Text         string
		Message      struct{ Role, Content string }
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
		Details          struct {
			CachedTokens int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
}

// ask posts a body, which has to be answered with 200 and JSON.
func (r *running) ask(path, body string, into any) {
	r.t.Helper()
	got := r.post(path, body)
	if err := json.Unmarshal([]byte(got.text), into); err != nil || got.status != http.StatusOK {
		r.t.Fatalf("%s: %d %s (%v)", path, got.status, got.text, err)
	}
}

// The door on the real model.
func TestRunAnswersOpenAI(t *testing.T) {
	r := start(t, "--model", "smol="+testmodel.Path(t), "--embedding-model", "embed="+testmodel.Tiny(t, testmodel.Encoder), "--ctx", "4096", "--openai-insecure", "--inference-timeout", "10m") // whatever else the machine does
	r.wait("ready", func() bool { return r.get("/health") == http.StatusOK })

	const talk = `"messages":[{"role":"user","content":"What is the capital of France?"}],"temperature":0,"max_tokens":12`
	t.Run("chat", func(t *testing.T) {
		var whole, again openAIAnswer
		r.ask("/v1/chat/completions", `{"model":"smol",`+talk+`}`, &whole)
		if len(whole.Choices) != 1 || !strings.Contains(whole.Choices[0].Message.Content, "France") || whole.Model != "smol" || whole.Usage.TotalTokens != whole.Usage.PromptTokens+whole.Usage.CompletionTokens {
			t.Errorf("%+v", whole)
		}
		r.ask("/chat/completions", `{`+talk+`,"n":2}`, &again) // the prompt is in the cache
		if len(again.Choices) != 2 || again.Choices[0] != whole.Choices[0] || again.Choices[1] != whole.Choices[0] || again.Usage.Details.CachedTokens == 0 {
			t.Errorf("%+v, want what was answered before, %+v", again, whole)
		}
		var streamed strings.Builder
		for _, event := range strings.Split(r.post("/v1/chat/completions", `{`+talk+`,"stream":true}`).text, "\n\n") {
			var piece struct {
				Choices []struct{ Delta struct{ Content string } }
			}
			if data := strings.TrimPrefix(event, "data: "); data != "" && data != "[DONE]" {
				if err := json.Unmarshal([]byte(data), &piece); err != nil {
					t.Fatalf("%q: %v", event, err)
				}
				streamed.WriteString(piece.Choices[0].Delta.Content)
			}
		}
		if streamed.String() != whole.Choices[0].Message.Content {
			t.Errorf("streamed %q, whole %q", streamed.String(), whole.Choices[0].Message.Content)
		}
	})
	t.Run("a seed", func(t *testing.T) {
		var texts [3]string
		for i, seed := range []int{7, 7, 8} {
			var a openAIAnswer
			r.ask("/v1/completions", fmt.Sprintf(`{"prompt":"Once upon a time","max_tokens":24,"temperature":1,"seed":%d}`, seed), &a)
			texts[i] = a.Choices[0].Text
		}
		if texts[0] != texts[1] || texts[0] == texts[2] {
			t.Errorf("%q", texts)
		}
	})
	t.Run("a stop and a limit", func(t *testing.T) {
		var stopped, cut openAIAnswer
		r.ask("/v1/completions", `{"prompt":"1, 2, 3, 4,","max_tokens":40,"temperature":0,"stop":["7","\n"]}`, &stopped)
		r.ask("/v1/completions", `{"prompt":["1, 2, 3, 4,"],"temperature":0}`, &cut)
		if c := stopped.Choices[0]; strings.Contains(c.Text, "7") || !strings.Contains(c.Text, "5, 6") || c.FinishReason != "stop" {
			t.Errorf("%+v", c)
		}
		if c := cut.Choices[0]; c.FinishReason != "length" || cut.Usage.CompletionTokens != 16 {
			t.Errorf("%+v", cut)
		}
	})
	t.Run("tokens and text are the same prompt", func(t *testing.T) {
		var ids struct{ Tokens []int }
		var text struct{ Content string }
		r.ask("/tokenize", `{"content":"def add(a, b):"}`, &ids)
		list, err := json.Marshal(ids.Tokens)
		if err != nil {
			t.Fatal(err)
		}
		r.ask("/detokenize", `{"tokens":`+string(list)+`}`, &text)
		var byText, byTokens openAIAnswer
		r.ask("/v1/completions", `{"prompt":"def add(a, b):","temperature":0,"max_tokens":4}`, &byText)
		r.ask("/v1/completions", `{"prompt":`+string(list)+`,"temperature":0,"max_tokens":4}`, &byTokens)
		if text.Content != "def add(a, b):" || byText.Choices[0] != byTokens.Choices[0] || byText.Usage.PromptTokens != byTokens.Usage.PromptTokens {
			t.Errorf("%q, %+v, %+v", text.Content, byText, byTokens)
		}
		r.ask("/tokenize", `{"content":"<|im_start|>"}`, &ids)
		if len(ids.Tokens) != 1 {
			t.Errorf("<|im_start|> is %v", ids.Tokens)
		}
	})
	t.Run("a conversation written by hand", func(t *testing.T) {
		var a, b openAIAnswer
		r.ask("/v1/completions", `{"prompt":"<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n","temperature":0,"max_tokens":12}`, &a)
		r.ask("/v1/chat/completions", `{`+talk+`}`, &b)
		if a.Choices[0].Text != b.Choices[0].Message.Content || a.Usage.PromptTokens != b.Usage.PromptTokens {
			t.Errorf("%+v, %+v", a, b)
		}
	})
	t.Run("a schema", func(t *testing.T) {
		var a openAIAnswer
		r.ask("/v1/chat/completions", `{"messages":[{"role":"user","content":"Describe a person as JSON."}],"temperature":0,"response_format":{"type":"json_schema","json_schema":{"name":"person","schema":`+
			`{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":1,"maximum":130}},"required":["name","age"]}}}}`, &a)
		var person struct {
			Name string
			Age  int
		}
		if err := json.Unmarshal([]byte(a.Choices[0].Message.Content), &person); err != nil || person.Age < 1 || a.Choices[0].FinishReason != "stop" {
			t.Errorf("%+v (%v)", a, err)
		}
	})
	t.Run("tools", func(t *testing.T) { testTools(t, r) })
	t.Run("editors", func(t *testing.T) { testEditors(t, r) })
	t.Run("embeddings", func(t *testing.T) {
		var a struct {
			Data []struct{ Embedding []float64 }
		}
		r.ask("/v1/embeddings", `{"model":"embed","input":["one text","another","one text"]}`, &a)
		if len(a.Data) != 3 || len(a.Data[0].Embedding) == 0 || !slices.Equal(a.Data[0].Embedding, a.Data[2].Embedding) || slices.Equal(a.Data[0].Embedding, a.Data[1].Embedding) {
			t.Errorf("%+v", a)
		}
	})
	clients(t, r, "none")
}

// clients runs real ones, where the environment names what has them, as .ci/openai does: AIGW_OPENAI_CLIENTS Pythons for
// testdata/openai_clients.py, with colons between, AIGW_OPENAI_PROXY one for testdata/litellm_proxy.py, and AIGW_OPENAI_GO
// what was built of testdata/openai_go.
func clients(t *testing.T, r *running, key string) {
	run := func(program string, arguments ...string) {
		t.Run(filepath.Base(append([]string{program}, arguments...)[len(arguments)]), func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), program, append(arguments, r.url, key)...).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v\n%s", program, err, out)
			}
			t.Logf("%s", out)
		})
	}
	for _, python := range filepath.SplitList(os.Getenv("AIGW_OPENAI_CLIENTS")) {
		run(python, filepath.Join("testdata", "openai_clients.py"))
	}
	if python := os.Getenv("AIGW_OPENAI_PROXY"); python != "" {
		run(python, filepath.Join("testdata", "litellm_proxy.py"))
	}
	if program := os.Getenv("AIGW_OPENAI_GO"); program != "" {
		run(program)
	}
}

// A key that is made while the program runs opens the door, and shuts it when it is revoked.
func TestRunTakesKeys(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "1024")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	ask := func(key string) (int, string) {
		t.Helper()
		q, err := http.NewRequest(http.MethodPost, r.url+"/v1/completions", strings.NewReader(`{"prompt":"a","max_tokens":1}`))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, text := ask("none"); status != http.StatusNotFound {
		t.Errorf("the door is open: %d %s", status, text)
	}
	code, stdout, stderr := call(t, "keys", "add", "alice")
	if code != 0 {
		t.Fatal(stderr)
	}
	key := strings.TrimSpace(stdout)
	r.wait("the key", func() bool { status, _ := ask(key); return status == http.StatusOK })
	if status, text := ask("none"); status != http.StatusUnauthorized {
		t.Errorf("%d %s", status, text)
	}
	if code, _, stderr := call(t, "keys", "revoke", "alice"); code != 0 {
		t.Fatal(stderr)
	}
	r.wait("the door to be shut", func() bool { status, _ := ask(key); return status == http.StatusNotFound })
	if strings.Contains(r.log.String(), key) {
		t.Error("the log holds a key")
	}
}
