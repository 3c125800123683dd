package codesuggestions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
	"aigw/models"
)

// What people complain about in the gateway that this one replaces, each with the reason why it
// cannot be found here. (A hang-up that stops nothing is TestHangUp.)

// Completions for Codestral and Mistral never saw the code: system and user text were sent as two
// prompts, and the answer to the first was taken. Here a request is one prompt, and the code is in it.
func TestComplaintCompletionsDoNotSeeTheCode(t *testing.T) {
	for _, name := range []string{"codegemma", "codellama", "codestral", "deepseekcoder", "mistral", "mixtral", "gpt", "claude_3", "llama3", "qwen2p5-coder-7b"} {
		g := &gatewaytest.Generator{Pieces: []string{"1"}}
		s, _ := start(t, open, g)
		for _, identifier := range []string{`null`, `"custom_openai/x"`, `"text-completion-openai/x"`, `"bare"`} {
			got := s.Do("POST", path, body(`"model_provider":"litellm","model_name":"`+name+`","model_endpoint":"http://x.test/v1","model_identifier":`+identifier))
			if got.StatusCode != http.StatusOK || textOf(t, got.Text) != "1" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.Text)
			}
		}
		requests := g.Requests()
		if len(requests) != 4 {
			t.Errorf("%s: %d prompts for 4 requests", name, len(requests))
		}
		for _, r := range requests {
			if text := gatewaytest.PromptText(r.Prompt); text != "def x\n  \x00\nend" {
				t.Errorf("%s: prompt %q", name, text)
			}
		}
	}
}

// An empty text below the cursor arrived as the word None.
func TestComplaintNone(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"1"}}
	s := startChat(t, open, g)
	file := `{"file_name":"a.py","language_identifier":null,"content_above_cursor":"x = ","content_below_cursor":""}`
	s.Do("POST", path, `{"prompt_version":2,"prompt":null,"current_file":`+file+`}`)
	s.Do("POST", generationsPath, definitionBody(file, `""`, `,"context":[]`))
	s.Do("POST", v3Path, list(component("generation", `,"prompt_id":"code_suggestions/generations","prompt":null,"prompt_enhancer":null,"language_identifier":null`)))
	if n := len(g.Requests()); n != 3 {
		t.Fatalf("%d prompts", n)
	}
	for _, r := range g.Requests() {
		if text := gatewaytest.PromptText(r.Prompt); regexp.MustCompile(`\b(None|null|nil|<nil>)\b`).MatchString(text) {
			t.Errorf("prompt %q", text)
		}
	}
}

// Prompts were cut at 2,048 tokens of another model's tokenizer.
func TestComplaintPromptsAreCut(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"1"}}
	s := startChat(t, open, g)
	above := strings.Repeat("0123456789abcde\n", 6000) // 96,000 characters, and as many tokens of the test's codec
	text, err := json.Marshal(above)
	if err != nil {
		t.Fatal(err)
	}
	file := `{"file_name":"a.py","content_above_cursor":` + string(text) + `,"content_below_cursor":"the end"}`
	s.Do("POST", path, `{"prompt_version":1,"current_file":`+file+`}`)
	s.Do("POST", generationsPath, definitionBody(file, `"write"`, ""))
	for _, r := range g.Requests() {
		if !strings.Contains(gatewaytest.PromptText(r.Prompt), above) {
			t.Errorf("a prompt of %d tokens lacks a part of the file", len(r.Prompt))
		}
	}
}

// A prompt over the model's window was answered 500, and the cause was only in the log.
func TestComplaintCausesAreOnlyInTheLog(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		body   string
		status int
		cause  string
	}{
		"own prompt over the window": {nil, body(`"prompt":"` + strings.Repeat("x", 1000) + `"`), 422, "1000 tokens"},
		"prompt over the window":     {&models.TooLongError{Tokens: 9, Limit: 8}, body(""), 422, "9 tokens"},
		"full queue":                 {&engine.BusyError{}, body(""), 429, "all places are taken"},
		"engine":                     {errors.New("decode failed with code -3\nmore"), body(""), 503, "Inference failed"},
		"unknown prompt_id":          {nil, body(`"prompt_version":2,"prompt_id":"x"`), 200, ""}, // completions have none
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.Start(t, open)
			m := gatewaytest.Model(&gatewaytest.Generator{Err: test.err})
			m.ContextSize = 500
			s.Ready(m)
			got := s.Do("POST", path, test.body)
			if got.StatusCode != test.status || !strings.Contains(got.Text, test.cause) {
				t.Errorf("%d %s, want %d and %q", got.StatusCode, got.Text, test.status, test.cause)
			}
			if cause := got.Header.Get("X-Aigw-Cause"); name == "engine" && cause != "decode failed with code -3 more" {
				t.Errorf("cause %q", cause)
			}
		})
	}
}

// It answered 8 requests a second whatever the hardware. Here a crowd is served at once, and each
// gets the answer to his own question.
func TestComplaintCrowds(t *testing.T) {
	const people = 50
	all := make(chan struct{})
	var mu sync.Mutex
	arrived := 0
	g := &gatewaytest.Generator{Pieces: []string{"1"}, Wait: func(ctx context.Context, n int) error {
		if n > 0 {
			return nil
		}
		mu.Lock()
		if arrived++; arrived == people {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all: // nobody is answered before everybody has asked
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	s, _ := start(t, open, g)
	var group sync.WaitGroup
	for i := range people {
		group.Go(func() {
			got := s.Do("POST", path, body(fmt.Sprintf(`"stream":%v,"project_id":%d`, i%2 == 0, i)), "X-Gitlab-Global-User-Id", fmt.Sprint("u", i))
			if got.StatusCode != http.StatusOK || !strings.Contains(got.Text, "1") {
				t.Errorf("%d %s", got.StatusCode, got.Text)
			}
		})
	}
	group.Wait()
}

// Bodies as GitLab 17.2 to 17.8 and editors send them (section 17.1 and 17.2 of the wire contract,
// which says what each release adds; none was recorded), and what the model is asked.
func TestEveryGitLab(t *testing.T) {
	passed := `"project_path":"tools/greeter","project_id":42,"intent":"completion","generation_type":"comment","user_instruction":"","choices_count":1,
		"telemetry":[{"model_engine":"agent","model_name":"x","lang":"ruby","requests":3,"accepts":1,"errors":0,"experiments":[]}],"stream":false,"context":[],
		"current_file":{"file_name":"lib/greeter.rb","language_identifier":"ruby","content_above_cursor":"def x\n  ","content_below_cursor":"\nend"}`
	model := `"model_provider":"litellm","model_name":"codestral","model_endpoint":"http://models.example.test:8000/v1","model_api_key":"sesame"`
	fim := `<s>[SUFFIX]\nend[PREFIX]def x\n  `
	code := "def x\n  \x00\nend"
	for _, test := range []struct {
		name, path, members string
		want                string // part of the prompt
	}{
		{"17.2 to 17.4 completion", path, `"prompt_version":2,"prompt":"` + fim + `",` + model, "<s>[SUFFIX]\nend[PREFIX]def x\n  "},
		{"17.3 completion, prompts migrated", path, `"prompt_version":2,"prompt":null,` + model, code},
		{"17.5 to 17.8 completion", path, `"prompt_version":2,"prompt":null,"model_identifier":null,` + model, code},
		{"17.5 to 17.8 completion, no key", path, `"prompt_version":2,"model_provider":"litellm","model_name":"codestral","model_endpoint":"http://x","model_identifier":"custom_openai/a"`, code},
		{"editor's direct connection", path, `"prompt_version":1`, code},
		{"test completion of the admin pages", path, `"prompt_version":1,"current_file":{"file_name":"test.rb","content_above_cursor":"def hello_world","content_below_cursor":""}`, "def hello_world\x00"},
		{"17.2 generation", generationsPath, `"prompt_version":3,"prompt":[{"role":"user","content":"Write it, after: def x"}],` + model, "<user>Write it, after: def x</>"},
		{"17.3 generation, first draft", generationsPath, `"prompt_version":2,"agent_id":"code_suggestions/generations","prompt":"write it",` + model, "<user>write it</>"},
		{"17.4 generation", generationsPath, `"prompt_version":2,"prompt_id":"code_suggestions/generations","prompt":"write it",` + model, "Instruction: write it"},
		{"17.5 to 17.8 generation", generationsPath, `"prompt_version":2,"prompt_id":"code_suggestions/generations","prompt":"","model_identifier":"custom_openai/x",` + model, "def x\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, stream := range []string{"false", "true"} {
				g := &gatewaytest.Generator{Pieces: []string{"\nput", "s 1"}}
				s := startChat(t, open, g)
				got := s.Do("POST", test.path, `{`+passed+`,`+test.members+`,"stream":`+stream+`}`, "X-Gitlab-Version", "17.8.1", "X-Gitlab-Realm", "self-managed")
				if got.StatusCode != http.StatusOK || !strings.Contains(got.Text, "puts 1") {
					t.Fatalf("%d %s", got.StatusCode, got.Text)
				}
				if text := gatewaytest.PromptText(g.Requests()[0].Prompt); !strings.Contains(text, test.want) {
					t.Errorf("prompt %q, want %q in it", text, test.want)
				}
				if strings.Contains(s.Log(), "sesame") || strings.Contains(s.Log(), "models.example.test") {
					t.Error("the log has the key or the endpoint")
				}
			}
		})
	}
}

// Where the time went, without a word of the prompt.
func TestServerTiming(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"1"}, Result: engine.Result{PromptTokens: 20, CachedTokens: 15, OutputTokens: 3, Queue: 1e6, Prefill: 2e6, Decode: 3_500_000}})
	got := s.Do("POST", path, body("")).Header.Get("Server-Timing")
	if want := `queue;dur=1.0, prefill;dur=2.0;desc="20 tokens, 15 reused", decode;dur=3.5;desc="3 tokens"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
