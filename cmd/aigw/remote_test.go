package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/internal/testmodel"
)

// gatewayOf is a gateway whose model always writes the same.
func gatewayOf(t *testing.T, pieces ...string) (*gatewaytest.Server, *gatewaytest.Generator) {
	t.Helper()
	s := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{BypassExternal: true}})
	g := &gatewaytest.Generator{Pieces: pieces}
	m := gatewaytest.Model(g)
	m.Chat = &gatewaytest.Chat{}
	s.Ready(m)
	return s, g
}

func TestCompleteAsksAGateway(t *testing.T) {
	s, g := gatewayOf(t, "a + ", "größer")
	code, stdout, stderr := call(t, "complete", "--url", s.URL, write(t, "a.go", "return \n}\n")+":1")
	if code != 0 || stdout != "a + größer\n" {
		t.Errorf("%d %q %s", code, stdout, stderr)
	}
	if text := gatewaytest.PromptText(g.Requests()[0].Prompt); !strings.Contains(text, "return ") {
		t.Errorf("%q", text)
	}
}

func chatWith(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	app := newApp(&stdout, &stderr)
	app.Reader = strings.NewReader(input)
	err := app.RunContext(t.Context(), append([]string{"aigw", "chat"}, args...))
	return stdout.String(), err
}

func TestChatAsksAGateway(t *testing.T) {
	s, g := gatewayOf(t, " I know.\nFinal Answer: It is ", "4.")
	got, err := chatWith(t, "What is 2+2?\nAnd now?\n", "--url", s.URL+"/")
	if err != nil || got != "It is 4.\nIt is 4.\n" {
		t.Errorf("%q %v", got, err)
	}
	if text := gatewaytest.PromptText(g.Requests()[1].Prompt); !strings.Contains(text, "<user>What is 2+2?</><assistant>It is 4.</><user>And now?</>") {
		t.Errorf("%s", text)
	}
	// A tool that only GitLab has is told to the model to be none, some times.
	s, g = gatewayOf(t, " I need it.\nAction: issue_reader\nAction Input: #7")
	if _, err := chatWith(t, "What is #7?\n", "--url", s.URL); err == nil || !strings.Contains(err.Error(), "again and again") {
		t.Errorf("%v", err)
	}
	requests := g.Requests()
	if text := gatewaytest.PromptText(requests[len(requests)-1].Prompt); len(requests) != mostSteps+1 || !strings.Contains(text, "Observation: This tool works within GitLab only.") {
		t.Errorf("%d requests, the last: %s", len(requests), text)
	}
}

// What goes wrong is said with what to do about it.
func TestMistakesWithAGateway(t *testing.T) {
	closed := gatewaytest.Start(t, gateway.Options{})
	open, _ := gatewayOf(t)
	source := write(t, "a.go", "package a\n") + ":1"
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"complete", "--url", "http://127.0.0.1:1", source}, exitFailed, "no gateway answers"},
		{[]string{"complete", "--url", "nonsense", source}, exitUsage, "--url \"nonsense\""},
		{[]string{"complete", "--url", closed.URL, source}, exitFailed, "--token-file"},
		{[]string{"complete", "--url", open.URL + "/elsewhere", source}, exitFailed, "is that an aigw?"},
		{[]string{"ask", "--url", closed.URL, "q"}, exitFailed, "answers 401"},
		{[]string{"ask", "--url", closed.URL, "--docs", "x.index", "q"}, exitUsage, "exclude each other"},
		{[]string{"ask", "--url", closed.URL, "--max-tokens", "9999", "q"}, exitUsage, "--max-tokens 9999"},
		{[]string{"ask", "--url", closed.URL, "--model", "x.gguf", "q"}, exitUsage, "exclude each other"},
		{[]string{"chat", "--url", closed.URL, "--system", "x"}, exitUsage, "--system"},
		{[]string{"chat", "--key", "x.pem"}, exitUsage, "--url"},
		{[]string{"ask", "--url", closed.URL, "--token-file", write(t, "token", "two words"), "q"}, exitFailed, "a token, or lines"},
		{[]string{"ask", "--url", closed.URL, "--token-file", write(t, "headers", "X-Gitlab-Realm: saas\n"), "q"}, exitFailed, "there is no token in it"},
		{[]string{"ask", "--url", closed.URL, "--token-file", "nowhere", "q"}, exitFailed, "nowhere"},
		{[]string{"ask", "--url", closed.URL, "--key", "nowhere.pem", "q"}, exitFailed, "nowhere.pem"},
	} {
		if code, _, stderr := call(t, test.args...); code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: %d %s", test.args, code, stderr)
		}
	}
}

// GitLab's own sequence for a question about GitLab, on the real model: a turn of the agent, which asks for the documentation; a
// search; and an answer from the excerpts, of which nothing is cited that was not given. Then the same question in the terminal.
func TestADocumentationQuestion(t *testing.T) {
	dir := t.TempDir()
	docs := filepath.Dir(write(t, "protect.md", "---\ntitle: Protected branches\n---\n\n# Protect a branch\n\nTo protect a branch, open Settings, choose Repository and select Protect.\n"))
	index := filepath.Join(dir, "docs.index")
	if code, _, stderr := call(t, "docs", "index", docs, "-o", index); code != 0 {
		t.Fatal(stderr)
	}
	r := start(t, "--model", testmodel.Path(t), "--ctx", "2048", "--docs", index, "--inference-timeout", "10m")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	const question = "How do I protect a branch in GitLab?"
	const model = `"model_metadata":{"provider":"openai","name":"mistral","endpoint":"http://x.test","api_key":"none","identifier":""}`

	turn := r.post("/v2/chat/agent", `{"messages":[{"role":"user","content":"`+question+`","context":null,"current_file":null,"additional_context":null}],`+
		`"options":{"agent_scratchpad":{"agent_type":"react","steps":[]}},`+model+`,"unavailable_resources":["Pipelines","Vulnerabilities"]}`)
	var action struct {
		Type string
		Data struct {
			Tool  string
			Input string `json:"tool_input"`
		}
	}
	if err := json.Unmarshal([]byte(turn.text), &action); err != nil || action.Type != "action" || action.Data.Tool != "gitlab_documentation" {
		t.Fatalf("%d %s (%v)", turn.status, turn.text, err)
	}

	query, _ := json.Marshal(action.Data.Input)
	search := r.post("/v1/search/gitlab-docs", fmt.Sprintf(`{"type":"search-docs","metadata":{"source":"GitLab EE","version":"17.8.0-ee"},"payload":{"query":%s}}`, query))
	var found struct {
		Response struct {
			Results []struct{ ID, Content string }
		}
	}
	if err := json.Unmarshal([]byte(search.text), &found); err != nil || len(found.Response.Results) != 1 {
		t.Fatalf("searched for %s: %d %s (%v)", query, search.status, search.text, err)
	}

	excerpt := found.Response.Results[0]
	content, _ := json.Marshal([]map[string]string{
		{"role": "user", "content": "Answer from the excerpts, and end with ATTRS: and the ids of those you used.\nCONTENT: " + excerpt.Content + "\nID: CNT-IDX-" + excerpt.ID + "\nQUESTION: " + question},
		{"role": "assistant", "content": "FINAL ANSWER:"},
	})
	answer := r.post("/v1/chat/agent", fmt.Sprintf(`{"prompt_components":[{"type":"prompt","metadata":{"source":"GitLab EE","version":"17.8.0-ee"},"payload":{"content":%s,"provider":"litellm","model":"mistral","model_endpoint":"http://x.test",`+
		`"params":{"temperature":0.1,"stop_sequences":["\n\nHuman","Observation:"],"max_tokens_to_sample":64}}}],"stream":true}`, content))
	shown, cited, _ := strings.Cut(answer.text, "ATTRS:")
	if answer.status != http.StatusOK || strings.TrimSpace(shown) == "" {
		t.Errorf("%d %q", answer.status, answer.text)
	}
	for _, id := range regexp.MustCompile(`CNT-IDX-([0-9a-z]+)`).FindAllStringSubmatch(cited, -1) {
		if id[1] != excerpt.ID {
			t.Errorf("%q cites %s, which it was not given", answer.text, id[1])
		}
	}

	code, stdout, stderr := call(t, "ask", "--url", r.url, "--max-tokens", "6", "--temperature", "0", "--json", question)
	var a answered
	if err := json.Unmarshal([]byte(stdout), &a); code != 0 || err != nil || a.Answer == "" || len(a.Sources) != 1 || a.Sources[0].Title != "Protected branches" {
		t.Errorf("%d %s %s (%v)", code, stdout, stderr, err)
	}
	r.end()
}
