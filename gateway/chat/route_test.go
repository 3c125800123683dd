package chat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
)

var open = gateway.Options{Auth: auth.Options{BypassExternal: true}}

func start(t *testing.T, o gateway.Options, g serving.Generator) *gatewaytest.Server {
	t.Helper()
	s := gatewaytest.Start(t, o)
	m := gatewaytest.Model(g)
	m.Name, m.Chat = "small-chat", &gatewaytest.Chat{}
	s.Ready(m)
	return s
}

// body is a request as GitLab sends it (section 8 of the wire contract).
func body(content, more, outer string) string {
	return fmt.Sprintf(`{"prompt_components":[{"type":"prompt","metadata":{"source":"GitLab EE","version":"17.3.0-ee"},"payload":{"content":%s%s}}]%s}`, content, more, outer)
}

const litellm = `,"provider":"litellm","model":"mistral","model_endpoint":"http://models.example.test:8000/v1","model_api_key":"sesame","model_identifier":"custom_openai/small-chat"`

func TestAnswerInOnePiece(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"Hel", "lo"}}
	s := start(t, open, g)
	got := s.Do("POST", "/v1/chat/agent", body(`"Say hello"`, litellm+`,"params":{"temperature":0.7,"stop_sequences":["STOP"],"max_tokens_to_sample":5}`, ""))
	var a struct {
		Response string
		Metadata struct {
			Provider, Model string
			Timestamp       int64
		}
	}
	if err := json.Unmarshal([]byte(got.Text), &a); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.Text)
	}
	if a.Response != "Hello" || a.Metadata.Provider != "litellm" || a.Metadata.Model != "mistral" || a.Metadata.Timestamp == 0 {
		t.Errorf("%+v", a)
	}
	asked := g.Requests()[0]
	if text := gatewaytest.PromptText(asked.Prompt); text != "<user>Say hello</>" {
		t.Errorf("prompt %q", text)
	}
	if asked.MaxTokens != 5 || asked.Sampling.Temperature != 0.7 || asked.Class != engine.Chat || asked.Grammar != nil ||
		len(asked.Stops.Texts) != 1 || asked.Stops.Texts[0] != "STOP" {
		t.Errorf("%+v", asked)
	}
	if strings.Contains(s.Log(), "sesame") || strings.Contains(s.Log(), "models.example") || strings.Contains(s.Log(), "Say hello") {
		t.Error("the log has a key, an endpoint or a prompt")
	}
}

// A request without parameters gets GitLab's; one that names no model gets the name that the original answers with.
func TestDefaults(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"x"}}
	s := start(t, open, g)
	for _, more := range []string{"", `,"params":null,"provider":null,"model":null`, `,"params":{"temperature":0.2}`} {
		got := s.Do("POST", "/v1/chat/explain_code", body(`"a"`, more, ""))
		if !strings.Contains(got.Text, `"metadata":{"provider":null,"model":"claude-2.0","timestamp":`) {
			t.Errorf("%s", got.Text)
		}
	}
	for _, asked := range g.Requests() {
		if asked.Sampling.Temperature != 0.2 || asked.MaxTokens != 8192 || strings.Join(asked.Stops.Texts, "|") != "\n\nHuman|Observation:" {
			t.Errorf("%+v", asked)
		}
	}
}

// An answer that the caller has begun is continued, and streams are the bare text.
func TestStreamOfABegunAnswer(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{" Choose ", "**Fork**.", "\n\nATTRS: CNT-IDX-5d41402abc4b"}}
	s := start(t, open, g)
	got := s.Do("POST", "/v1/chat/agent", body(`[{"role":"system","content":"Be brief."},{"role":"user","content":"How do I fork?"},{"role":"assistant","content":"FINAL ANSWER:"}]`, litellm, `,"stream":true`))
	if got.Text != strings.Join(g.Pieces, "") || got.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("%s %q", got.Header.Get("Content-Type"), got.Text)
	}
	if text := gatewaytest.PromptText(g.Requests()[0].Prompt); text != "<system>Be brief.</><user>How do I fork?</><assistant>FINAL ANSWER:" {
		t.Errorf("prompt %q", text)
	}
}

func TestStreamsSwitchedOff(t *testing.T) {
	o := open
	o.WholeAnswers = true
	s := start(t, o, &gatewaytest.Generator{Pieces: []string{"a", "b"}})
	if got := s.Do("POST", "/v1/chat/agent", body(`"x"`, "", `,"stream":true`)); !strings.HasPrefix(got.Text, `{"response":"ab"`) {
		t.Errorf("%s", got.Text)
	}
}

func TestRightsAndNames(t *testing.T) {
	s := start(t, gateway.Options{Auth: auth.Options{Verifier: gatewaytest.Scopes{}}}, &gatewaytest.Generator{Pieces: []string{"x"}})
	for _, test := range []struct {
		name, scopes, content string
		status                int
		text                  string
	}{
		{"agent", "duo_chat", `"a"`, 200, `"response":"x"`},
		{"explain_code", "duo_chat", `"a"`, 200, `"response":"x"`},
		{"write_tests", "duo_chat", `"a"`, 200, `"response":"x"`},
		{"refactor_code", "complete_code", `"a"`, 403, `{"detail":"Unauthorized to access duo_chat"}`},
		{"explain_vulnerability", "explain_vulnerability", `"a"`, 200, `"response":"x"`},
		{"explain_vulnerability", "duo_chat", `"a"`, 403, `{"detail":"Unauthorized to access explain_vulnerability"}`},
		{"summarize_comments", "duo_chat", `"a"`, 403, `{"detail":"Unauthorized to access summarize_comments"}`},
		{"troubleshoot_job", "troubleshoot_job", `"a"`, 200, `"response":"x"`},
		{"unknown", "duo_chat", `"a"`, 404, `{"detail":"Not found"}`},
		{"unknown", "duo_chat", `1`, 422, `"constrained-str"`},
	} {
		got := s.Do("POST", "/v1/chat/"+test.name, body(test.content, "", ""), "Authorization", "Bearer "+test.scopes, "X-Gitlab-Authentication-Type", "oidc")
		if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
			t.Errorf("%s with %s: %d %s", test.name, test.scopes, got.StatusCode, got.Text)
		}
	}
}

// What is wrong is named as the original names it (section 16 of the wire contract).
func TestRefusals(t *testing.T) {
	s := start(t, open, &gatewaytest.Generator{})
	for _, test := range []struct{ name, body, want string }{
		{"content of two kinds", body(`1`, "", ""), `{"detail":[{"type":"string_type","loc":["body","prompt_components",0,"payload","content","constrained-str"],"msg":"Input should be a valid string","input":1},` +
			`{"type":"list_type","loc":["body","prompt_components",0,"payload","content","list[Message]"],"msg":"Input should be a valid list","input":1}]}`},
		{"provider", body(`"a"`, `,"provider":"openai"`, ""), `"msg":"Input should be <KindModelProvider.ANTHROPIC: 'anthropic'> or <KindModelProvider.LITELLM: 'litellm'>"`},
		{"no component", `{"prompt_components":[]}`, `"type":"too_short","loc":["body","prompt_components"]`},
		{"two components", `{"prompt_components":[{},{}]}`, `"type":"too_long","loc":["body","prompt_components"]`},
		{"temperature", body(`"a"`, `,"params":{"temperature":1.5}`, ""), `"type":"less_than_equal"`},
		{"eleven stops", body(`"a"`, `,"params":{"stop_sequences":["1","2","3","4","5","6","7","8","9","10","11"]}`, ""), `"type":"too_long"`},
		{"role", body(`[{"role":"robot","content":"a"}]`, "", ""), `"list[Message]",0,"role"],"msg":"Input should be 'system', 'user' or 'assistant'"`},
	} {
		got := s.Do("POST", "/v1/chat/agent", test.body)
		if got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
	}
}

func TestWithoutAModelThatAnswers(t *testing.T) {
	s := gatewaytest.Start(t, open)
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{}))
	if got := s.Do("POST", "/v1/chat/agent", body(`"x"`, "", "")); got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.Text, "loaded: Test Model Code Completions") {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}
