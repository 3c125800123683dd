package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
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

const path = "/v2/chat/agent"

// The turns of section 9.6 of the wire contract.
const firstTurn = `{"messages":[
	{"role":"user","content":"Hi","context":null,"current_file":null,"additional_context":null},
	{"role":"assistant","content":"Hello! How can I help?","context":null,"current_file":null,"additional_context":null},
	{"role":"user","content":"Who opened issue #17?","context":{"type":"issue","content":"<root>Title: Crash on save</root>"},"current_file":null,
	 "additional_context":[{"category":"file","id":"a1","content":"print(1)","metadata":{"title":"a.py"}}]}],
	"options":{"agent_scratchpad":{"agent_type":"react","steps":[]}},
	"model_metadata":{"provider":"openai","name":"mistral","endpoint":"http://models.example.test:8000/v1","api_key":"sesame","identifier":"custom_openai/small-chat"},
	"unavailable_resources":["Pipelines","Vulnerabilities"]}`

// question is a turn with one message.
func question(text string) string {
	content, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"messages":[{"role":"user","content":%s}]}`, content)
}

func TestEvents(t *testing.T) {
	for _, test := range []struct {
		name   string
		pieces []string
		want   string
	}{
		{"action", []string{" The user asks about one issue.\nAction: issue", "_reader\nAction In", "put: Who opened issue #17?\n"},
			`{"type": "action", "data": {"tool": "issue_reader", "tool_input": "Who opened issue #17?", "thought": "The user asks about one issue."}}` + "\n"},
		{"names with backslashes", []string{` I use issue\_reader.`, "\nAction: issue\\_reader\nAction Input: #1"},
			`{"type": "action", "data": {"tool": "issue_reader", "tool_input": "#1", "thought": "I use issue_reader."}}` + "\n"},
		{"name of another gateway", []string{"\nAction: MergeRequestReader\nAction Input: !1"},
			`{"type": "action", "data": {"tool": "merge_request_reader", "tool_input": "!1", "thought": ""}}` + "\n"},
		{"answer in pieces", []string{" I know.\nAction: DirectAnswer\nFinal Ans", "wer: It is ", " 4.\n", "\nDone. ", " \n"},
			`{"type": "final_answer_delta", "data": {"text": "It is"}}` + "\n" + `{"type": "final_answer_delta", "data": {"text": "  4."}}` + "\n" + `{"type": "final_answer_delta", "data": {"text": "\n\nDone."}}` + "\n" + `{"type": "final_answer_delta", "data": {"text": ""}}` + "\n"},
		{"answer outside ASCII", []string{"Final Answer: größer 🙂"}, `{"type": "final_answer_delta", "data": {"text": "gr\u00f6\u00dfer \ud83d\ude42"}}` + "\n"},
		{"prose", []string{" I am a teapot", ". "}, `{"type": "unknown", "data": {"text": "I am a teapot."}}` + "\n"},
		{"tool that is not offered", []string{" x\nAction: rm_rf\nAction Input: /"}, `{"type": "unknown", "data": {"text": "x\nAction: rm_rf\nAction Input: /"}}` + "\n"},
		{"tool without input", []string{"Action: issue_reader"}, `{"type": "unknown", "data": {"text": "Action: issue_reader"}}` + "\n"},
		{"nothing", nil, `{"type": "error", "data": {"message": "the model wrote no answer", "retryable": false}}` + "\n"},
		{"empty answer", []string{"Final Answer: \n"}, `{"type": "error", "data": {"message": "the model wrote no answer", "retryable": false}}` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &gatewaytest.Generator{Pieces: test.pieces}
			s := start(t, open, g)
			got := s.Do("POST", path, firstTurn, "X-Request-ID", "turn")
			line := s.LogLine("turn")
			if tools, _ := line["duo_chat.agent_available_tools"].([]any); !slices.Contains(tools, any("issue_reader")) || (line["duo_chat.agent_tool_action"] != nil) != strings.Contains(test.want, `"action"`) {
				t.Errorf("tools in the log: %v", line)
			}
			if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "application/x-ndjson; charset=utf-8" || got.Text != test.want {
				t.Errorf("%d %s\n%s\nwant\n%s", got.StatusCode, got.Header.Get("Content-Type"), got.Text, test.want)
			}
			asked := g.Requests()[0]
			if asked.Grammar == nil || asked.Sampling.Temperature != 0.1 || asked.MaxTokens != 4096 || asked.Class != engine.Chat || asked.Stops.Texts[0] != "Observation:" {
				t.Errorf("%+v", asked)
			}
			if strings.Contains(s.Log(), "sesame") || strings.Contains(s.Log(), "opened issue") {
				t.Error("the log has a key or a prompt")
			}
		})
	}
}

// The prompt: rules first, the conversation with what belongs to each question, and the answer begun.
// A model that goes on with an example of its own, as the prompt has them, is stopped there: the answer in that is nobody's.
func TestTurnsEndBeforeAnotherExample(t *testing.T) {
	written := 0
	g := &gatewaytest.Generator{
		Pieces: []string{" x\nAction: issue_reader\nAction Input: #7\n", "\nQuest", "ion: Why?\n", "Final Answer: Because.", " Really."},
		Wait:   func(_ context.Context, n int) error { written = n; return nil },
	}
	got := start(t, open, g).Do("POST", path, firstTurn)
	if want := `{"type": "action", "data": {"tool": "issue_reader", "tool_input": "#7", "thought": "x"}}` + "\n"; got.Text != want {
		t.Errorf("%s, want %s", got.Text, want)
	}
	if written != 2 {
		t.Errorf("stopped at piece %d, want 2", written)
	}
}

func TestPrompt(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"Final Answer: x"}}
	s := start(t, open, g)
	steps := `{"agent_type":"react","steps":[{"thought":"I need issue\\_reader.","tool":"issue\\_reader","tool_input":"Who?","observation":"author: @sam"}]}`
	s.Do("POST", path, strings.Replace(firstTurn, `{"agent_type":"react","steps":[]}`, steps, 1))
	text := gatewaytest.PromptText(g.Requests()[0].Prompt)
	const end = "Who opened issue #17?</><assistant>Thought: I need issue_reader.\nAction: issue_reader\nAction Input: Who?\nObservation: author: @sam\nThought:"
	if !strings.HasPrefix(text, "<system>You are GitLab Duo Chat") || !strings.HasSuffix(text, end) {
		t.Errorf("%s", text)
	}
	for _, part := range []string{
		"issue_reader", "gitlab_documentation", "Pipelines, Vulnerabilities", "<user>Hi</>", "<assistant>Hello! How can I help?</>",
		"<resource>\n<root>Title: Crash on save</root>\n</resource>", "<category>file</category>\n<id>a1</id>\n<content>\nprint(1)\n</content>",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if strings.Contains(text, "commit_reader") {
		t.Error("commit_reader is offered without its flag")
	}
}

// The same turn in the shapes of GitLab 17.4, 17.6 and 18 is the same prompt.
func TestShapesOfEachVersion(t *testing.T) {
	const step = `"thought":"t","tool":"issue_reader","tool_input":"i"`
	for name, body := range map[string]string{
		"17.6": `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c","current_file":{"file_path":"f.go","data":"package f","selected_code":true}}],
			"options":{"agent_scratchpad":{"agent_type":"react","steps":[{` + step + `,"observation":"o"}]}}}`,
		"17.4": `{"prompt":"c","options":{"chat_history":["a","b"],"agent_scratchpad":{"agent_type":"react","steps":[{` + step + `,"observation":"o"}]},"current_file":{"file_path":"f.go","data":"package f","selected_code":true}}}`,
		"17.5": `{"prompt":"c","options":{"chat_history":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"agent_scratchpad":{"agent_type":"react","steps":[{` + step + `,"observation":"o"}]},"context":null,"current_file":{"file_path":"f.go","data":"package f","selected_code":true}},"unavailable_resources":["Merge Requests, Pipelines, Vulnerabilities"]}`,
		"18": `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c","current_file":{"file_path":"f.go","data":"package f","selected_code":true}},
			{"role":"assistant","context":null,"additional_context":null,"agent_scratchpad":[{"action":{` + step + `},"observation":"o"}]}]}`,
	} {
		g := &gatewaytest.Generator{Pieces: []string{"Final Answer: x"}}
		s := start(t, open, g)
		if got := s.Do("POST", path, body); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Text)
			continue
		}
		_, text, _ := strings.Cut(gatewaytest.PromptText(g.Requests()[0].Prompt), "</>")
		const want = "<user>a</><assistant>b</><user>I have selected this code in the file f.go:\n<selected_code>\npackage f\n</selected_code>\n\nc</>" +
			"<assistant>Thought: t\nAction: issue_reader\nAction Input: i\nObservation: o\nThought:"
		if text != want {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestToolsByRightVersionAndFlag(t *testing.T) {
	const all = "build_reader epic_reader issue_reader merge_request_reader gitlab_documentation commit_reader"
	for _, test := range []struct{ name, scopes, version, flags, want string }{
		{"everything", "duo_chat,ask_build,ask_epic,ask_issue,ask_merge_request,documentation_search,ask_commit", "17.8.0", "ai_commit_reader_for_chat", all},
		{"no flag", "duo_chat,ask_commit,ask_issue", "17.8.0", "", "issue_reader"},
		{"before 17.5", "duo_chat,ask_build,ask_issue,documentation_search", "17.4.2", "", "issue_reader gitlab_documentation"},
		{"17.5 to come", "duo_chat,ask_build", "17.5.0-pre", "", "build_reader"},
		{"no version", "duo_chat,ask_build,ask_epic", "", "", "epic_reader"},
		{"unreadable version", "duo_chat,ask_build,ask_epic", "latest", "", "epic_reader"},
		{"token of before", "duo_chat", "17.4.0", "", "epic_reader issue_reader"},
		{"finer rights, none of these", "duo_chat,ask_merge_request", "17.4.0", "", ""},
	} {
		g := &gatewaytest.Generator{Pieces: []string{"Final Answer: x"}}
		s := start(t, gateway.Options{Auth: auth.Options{Verifier: gatewaytest.Scopes{}}}, g)
		got := s.Do("POST", path, question("a"), "Authorization", "Bearer "+test.scopes, "X-Gitlab-Authentication-Type", "oidc",
			"X-Gitlab-Version", test.version, "X-Gitlab-Enabled-Feature-Flags", test.flags)
		if got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
			continue
		}
		text := gatewaytest.PromptText(g.Requests()[0].Prompt)
		for _, tool := range strings.Fields(all) {
			if want := strings.Contains(" "+test.want+" ", " "+tool+" "); strings.Contains(text, "- "+tool+":") != want {
				t.Errorf("%s: offers %s: %t, want %t", test.name, tool, !want, want)
			}
		}
	}
}

func TestRights(t *testing.T) {
	s := start(t, gateway.Options{Auth: auth.Options{Verifier: gatewaytest.Scopes{}}}, &gatewaytest.Generator{Pieces: []string{"Final Answer: x"}})
	for _, test := range []struct {
		scopes, body string
		status       int
		text         string
	}{
		{"complete_code", question("a"), 403, `{"detail":"Unauthorized to access duo chat"}`},
		{"complete_code", `{"messages":1}`, 422, `"list_type"`},
		{"duo_chat", firstTurn, 403, `{"detail":"Unauthorized to access include_file_context"}`},
		{"duo_chat,include_file_context", firstTurn, 200, "final_answer_delta"},
	} {
		got := s.Do("POST", path, test.body, "Authorization", "Bearer "+test.scopes, "X-Gitlab-Authentication-Type", "oidc")
		if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
			t.Errorf("%s: %d %s", test.scopes, got.StatusCode, got.Text)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, open, &gatewaytest.Generator{Pieces: []string{"Final Answer: x"}})
	for _, test := range []struct{ name, body, want string }{
		{"neither shape", `{}`, `{"type":"missing","loc":["body","messages"],"msg":"Field required","input":{}}`},
		{"step", `{"messages":[],"options":{"agent_scratchpad":{"agent_type":"react","steps":[{"thought":"t","tool":"x","tool_input":"i"}]}}}`, `"loc":["body","options","agent_scratchpad","react","steps",0,"observation"]`},
		{"agent", `{"messages":[],"options":{"agent_scratchpad":{"agent_type":"other"}}}`, `"type":"union_tag_invalid","loc":["body","options","agent_scratchpad"],"msg":"Input tag 'other' found using 'agent_type' does not match any of the expected tags: 'react'"`},
		{"context", `{"messages":[{"role":"user","content":"a","context":{"type":"wiki","content":""}}]}`, `"loc":["body","messages",0,"context","type"]`},
		{"category", `{"messages":[{"role":"user","content":"a","additional_context":[{"category":"wiki"}]}]}`, `"loc":["body","messages",0,"additional_context",0,"category"]`},
		{"resource", `{"messages":[{"role":"user","content":"a","resource_content":1}]}`, `"type":"string_type","loc":["body","messages",0,"resource_content"]`},
	} {
		got := s.Do("POST", path, test.body)
		if got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
	}
	for _, test := range []struct{ name, body, want string }{
		{"system", `{"messages":[{"role":"system","content":"obey"},{"role":"user","content":"a"}]}`, "role system"},
		{"the assistant last", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, "not the user's"},
		{"nobody", `{"messages":[]}`, "not the user's"},
	} {
		got := s.Do("POST", path, test.body)
		if got.StatusCode != http.StatusOK || !strings.HasPrefix(got.Text, `{"type": "error", "data": {"message": "`) || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
	}
}

// Old turns make room; what belongs to the question does not.
func TestTooLong(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"Final Answer: x"}}
	s := gatewaytest.Start(t, open)
	m := gatewaytest.Model(g)
	m.Chat, m.ContextSize = &gatewaytest.Chat{}, 16_000
	s.Ready(m)
	var old strings.Builder
	for range 20 {
		fmt.Fprintf(&old, `{"role":"user","content":%q},{"role":"assistant","content":"ok"},`, strings.Repeat("long ", 400))
	}
	got := s.Do("POST", path, `{"messages":[`+old.String()+`{"role":"user","content":"the last one"}]}`)
	text := gatewaytest.PromptText(g.Requests()[0].Prompt)
	if !strings.HasPrefix(got.Text, `{"type": "final_answer_delta"`) || !strings.Contains(text, "<user>the last one</>") || !strings.Contains(text, "long long") {
		t.Errorf("%s", got.Text)
	}
	got = s.Do("POST", path, question(strings.Repeat("long ", 4000)))
	if !strings.HasPrefix(got.Text, `{"type": "error", "data": {"message": "prompt is too long: `) || !strings.HasSuffix(got.Text, ` > 12000 maximum", "retryable": false}}`+"\n") {
		t.Errorf("%s", got.Text)
	}
}

func TestFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		g      *gatewaytest.Generator
		status int
		text   string
	}{
		{"busy", &gatewaytest.Generator{Err: &engine.BusyError{Wait: 3e9}}, http.StatusTooManyRequests, "try again"},
		{"at once", &gatewaytest.Generator{Err: fmt.Errorf("boom")}, http.StatusOK, `{"type": "error", "data": {"message": "the model failed; the gateway's log says why", "retryable": false}}` + "\n"},
		{"in the middle", &gatewaytest.Generator{Pieces: []string{"Final Answer: a"}, Err: fmt.Errorf("boom")}, http.StatusOK,
			`{"type": "final_answer_delta", "data": {"text": "a"}}` + "\n" + `{"type": "error", "data": {"message": "the model failed; the gateway's log says why", "retryable": false}}` + "\n"},
		{"the grammar ends it", &gatewaytest.Generator{Pieces: []string{"Final Answer: a"}, Err: engine.ErrNoContinuation}, http.StatusOK, `{"type": "final_answer_delta", "data": {"text": "a"}}` + "\n"},
	} {
		s := start(t, open, test.g)
		got := s.Do("POST", path, question("a"))
		if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) || test.status == http.StatusTooManyRequests && got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
	}
	s := gatewaytest.Start(t, open)
	s.NoModel()
	if got := s.Do("POST", path, question("a")); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("without a model: %d %s", got.StatusCode, got.Text)
	}
}
