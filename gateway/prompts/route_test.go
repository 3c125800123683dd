package prompts_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/prompts"
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

// everything has the inputs that any prompt requires.
const everything = `"inputs":{"input":"What is #3 about?","suggestions":"","prefix":"a","suffix":"b","question":"q","previous_answer":null,"diff":"d","content":"c","template":"t","prompt":"undo",` +
	`"name":"n","vulnerability_description":"v","identifiers":["CWE-89","CWE-20"],"filename":"a.rb","source_code":"s","vulnerable_code":"w","extracted_diff":"e","draft_notes_content":"r","unknown":{"a":[1]}}`

const metadata = `,"model_metadata":{"provider":"openai","name":"%","endpoint":"http://models.example.test:8000/v1","api_key":"sesame","identifier":null}`

// Every prompt is answered, whole and streamed, with and without a model's name and whatever that is.
func TestEveryPromptIsServed(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"Hel", "<lo>"}}
	s := start(t, open, g)
	for _, id := range prompts.BuiltIn().IDs() {
		for i, more := range []string{"", strings.Replace(metadata, "%", "mistral", 1), strings.Replace(metadata, "%", "llama3", 1), `,"prompt_version":"^1.0.0","model_metadata":null,"stream":false`} {
			path := "/v1/prompts/" + id
			if i%2 == 1 {
				path = "/v1/prompts/" + strings.ReplaceAll(id, "/", "%2F")
			}
			got := s.Do("POST", path, "{"+everything+more+"}")
			if got.StatusCode != http.StatusOK || got.Text != `"Hel<lo>"` || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s%s: %d %s", id, more, got.StatusCode, got.Text)
			}
			got = s.Do("POST", path, "{"+everything+strings.Replace(more, `,"stream":false`, "", 1)+`,"stream":true}`)
			if got.StatusCode != http.StatusOK || got.Text != `Hel<lo>` || got.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
				t.Errorf("%s%s streamed: %d %s", id, more, got.StatusCode, got.Text)
			}
		}
		last := g.Requests()[len(g.Requests())-1]
		taken := id == "categorize_question" || id == "measure_comment_temperature" || id == "resolve_vulnerability" // apart, by GitLab
		if confined := last.Grammar != nil; confined != (taken || strings.HasSuffix(id, "_reader")) {
			t.Errorf("%s: a grammar: %t", id, confined)
		}
		if text := gatewaytest.PromptText(last.Prompt); !strings.HasSuffix(text, "</>") || !strings.Contains(text, "<user>") {
			t.Errorf("%s begins the answer: %q", id, text)
		}
	}
	for _, secret := range []string{"sesame", "models.example", "What is #3"} {
		if strings.Contains(s.Log(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

func TestParametersReachTheModel(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"x"}}
	s := start(t, open, g)
	s.Do("POST", "/v1/prompts/resolve_vulnerability", "{"+everything+"}")
	s.Do("POST", "/v1/prompts/model_configuration%2Fcheck", `{"inputs":{}}`)
	s.Do("POST", "/v1/prompts/code_suggestions/completions", "{"+everything+"}")
	r := g.Requests()
	if text := gatewaytest.PromptText(r[0].Prompt); r[0].MaxTokens != 4096 || !strings.Contains(text, "CWE-89\nCWE-20") {
		t.Errorf("%+v %s", r[0], text)
	}
	if r[1].MaxTokens != 12 || r[1].Class != engine.Generation {
		t.Errorf("%+v", r[1])
	}
	if r[2].MaxTokens != 128 || len(r[2].Stops.Texts) != 2 {
		t.Errorf("%+v", r[2])
	}
}

func TestRights(t *testing.T) {
	s := start(t, gateway.Options{Auth: auth.Options{Verifier: gatewaytest.Scopes{}}}, &gatewaytest.Generator{Pieces: []string{"x"}})
	for _, test := range []struct {
		id, scopes string
		may        bool
	}{
		{"chat/issue_reader", "ask_issue", true},
		{"chat/issue_reader", "duo_chat", true},
		{"chat/issue_reader", "duo_chat,complete_code", true},
		{"chat/issue_reader", "duo_chat,ask_epic", false}, // has finer rights, and not this one
		{"chat/commit_reader", "ask_commit", true},
		{"chat/commit_reader", "duo_chat,ask_epic", true},
		{"chat/explain_code", "duo_chat", true},
		{"chat/explain_code", "duo_chat,write_tests", false},
		{"chat/fix_code", "duo_chat", true},
		{"chat/refactor_code", "duo_chat", true},
		{"chat/write_tests", "duo_chat", true},
		{"chat/write_tests", "complete_code", false},
		{"chat/summarize_comments", "duo_chat", false},
		{"chat/troubleshoot_job", "troubleshoot_job", true},
		{"code_suggestions/generations", "code_suggestions", true},
		{"code_suggestions/completions", "generate_code", false},
		{"model_configuration%2Fcheck", "code_suggestions", true},
		{"model_configuration/check", "complete_code", true},
		{"model_configuration/check", "duo_chat", false},
		{"categorize_question", "duo_chat,ask_epic", true},
		{"generate_description", "generate_issue_description", true},
		{"generate_description", "duo_chat", false},
		{"chat/react", "complete_code", false},
	} {
		got := s.Do("POST", "/v1/prompts/"+test.id, "{"+everything+"}", "Authorization", "Bearer "+test.scopes, "X-Gitlab-Authentication-Type", "oidc")
		want := `{"detail":"Unauthorized to access '` + strings.ReplaceAll(test.id, "%2F", "/") + `'"}`
		if test.may && got.StatusCode != http.StatusOK || !test.may && (got.StatusCode != http.StatusForbidden || got.Text != want) {
			t.Errorf("%s with %s: %d %s", test.id, test.scopes, got.StatusCode, got.Text)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, open, &gatewaytest.Generator{Pieces: []string{"x"}})
	for _, test := range []struct {
		id, body string
		status   int
		text     string
	}{
		{"nothing", `{"inputs":{}}`, 404, `{"detail":"Prompt 'nothing' not found"}`},
		{"chat/nothing", `{"inputs":{}}`, 404, `{"detail":"Prompt 'chat/nothing' not found"}`},
		{"chat%2F..%2Fx", `{"inputs":{}}`, 404, `{"detail":"Prompt 'chat/../x' not found"}`},
		{"nothing", `{}`, 422, `{"detail":[{"type":"missing","loc":["body","inputs"],"msg":"Field required","input":{}}]}`},
		{"chat/react", `{"inputs":{}}`, 422, `{"detail":"Prompt 'chat/react' is not supported"}`},
		{"chat/explain_code", `{"inputs":{},"prompt_version":"newest"}`, 422, `{"detail":"Invalid version constraint"}`},
		{"chat/explain_code", `{"inputs":{},"prompt_version":"^2.0.0"}`, 422, `{"detail":"Invalid version constraint"}`},
		{"chat/explain_code", `{"inputs":[]}`, 422, `"msg":"Input should be a valid dictionary"`},
		{"chat/explain_code", `{"inputs":{},"prompt_version":1}`, 422, `"loc":["body","prompt_version"],"msg":"Input should be a valid string"`},
		{"chat/explain_code", `{"inputs":{},"model_metadata":{"name":"m","provider":"openai","endpoint":"x"}}`, 422, `"loc":["body","model_metadata","endpoint"]`},
		{"categorize_question", `{"inputs":{"question":"q"}}`, 422, `{"detail":"Input to prompt 'categorize_question' is missing variables: previous_answer"}`},
		{"code_suggestions/completions", `{"inputs":{}}`, 422, `is missing variables: prefix, suffix"}`},
		{"chat/issue_reader", `{"inputs":{}}`, 200, `"x"`},
	} {
		got := s.Do("POST", "/v1/prompts/"+test.id, test.body)
		if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
			t.Errorf("%s %s: %d %s", test.id, test.body, got.StatusCode, got.Text)
		}
	}
	if got := s.Do("GET", "/v1/prompts/chat/explain_code", ""); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", got.StatusCode)
	}
}

// A model's failure is 421 with the error that a model server would have had; a full queue is 429.
func TestFailuresOfTheModel(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		text   string
	}{
		{errors.New("decode failed"), http.StatusMisdirectedRequest, `{"detail":"500: Internal Server Error"}`},
		{&engine.BusyError{Wait: 3 * time.Second}, http.StatusTooManyRequests, `all places are taken`},
		{&serving.UnavailableError{}, http.StatusMisdirectedRequest, `{"detail":"503: Service Unavailable"}`},
	} {
		s := start(t, open, &gatewaytest.Generator{Err: test.err})
		for _, stream := range []string{"", `,"stream":true`} {
			got := s.Do("POST", "/v1/prompts/chat/explain_code", `{"inputs":{}`+stream+`}`)
			if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
				t.Errorf("%v%s: %d %s", test.err, stream, got.StatusCode, got.Text)
			}
		}
	}
	o := open
	o.AnswerTime = time.Millisecond
	s := start(t, o, &gatewaytest.Generator{Wait: func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}})
	if got := s.Do("POST", "/v1/prompts/chat/explain_code", `{"inputs":{}}`); got.Text != `{"detail":"504: Gateway Timeout"}` {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

// The button of GitLab's administrators.
func TestModelCheck(t *testing.T) {
	const path, body = "/v1/prompts/model_configuration%2Fcheck", `{"inputs":{}}`
	for name, test := range map[string]struct {
		g      *gatewaytest.Generator
		status int
		text   string
	}{
		"answers":      {&gatewaytest.Generator{Pieces: []string{"Hi"}}, 200, `"Hi"`},
		"says nothing": {&gatewaytest.Generator{}, 200, `"Hello! `},
		"is busy":      {&gatewaytest.Generator{Err: &engine.BusyError{Wait: time.Minute}}, 200, `"Hello! `},
		"is slow":      {&gatewaytest.Generator{Err: context.DeadlineExceeded}, 200, `"Hello! `},
		"fails":        {&gatewaytest.Generator{Err: errors.New("broken")}, 421, `{"detail":"503: Service Unavailable"}`},
	} {
		got := start(t, open, test.g).Do("POST", path, body)
		if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
			t.Errorf("a model that %s: %d %s", name, got.StatusCode, got.Text)
		}
	}
	none := gatewaytest.Start(t, open)
	none.NoModel()
	if got := none.Do("POST", path, body); got.StatusCode != 421 || got.Text != `{"detail":"503: Service Unavailable"}` {
		t.Errorf("no model: %d %s", got.StatusCode, got.Text)
	}
	o := open
	o.Models.Strict = true
	strict := start(t, o, &gatewaytest.Generator{Pieces: []string{"Hi"}})
	if got := strict.Do("POST", path, `{"inputs":{}`+strings.Replace(metadata, "%", "mixtral", 1)+`}`); got.StatusCode != 421 {
		t.Errorf("another model: %d %s", got.StatusCode, got.Text)
	}
	codeOnly := gatewaytest.Start(t, open)
	codeOnly.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"Hi"}}))
	got := codeOnly.Do("POST", path, body)
	var text string
	if err := json.Unmarshal([]byte(got.Text), &text); err != nil || got.StatusCode != 200 || text == "" {
		t.Errorf("a model for code only: %d %s", got.StatusCode, got.Text)
	}
}
