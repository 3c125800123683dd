package codesuggestions_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/codesuggestions/postprocess"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
)

const generationsPath = "/v2/code/generations"

// chatModel is a model that answers, and none for the middle of a file.
func chatModel(g serving.Generator) *serving.Model {
	m := gatewaytest.Model(g)
	m.Name, m.Chat = "Test Model Code Generations", &gatewaytest.Chat{}
	return m
}

func startChat(t *testing.T, o gateway.Options, g *gatewaytest.Generator) *gatewaytest.Server {
	t.Helper()
	s := gatewaytest.Start(t, o)
	s.Ready(chatModel(g))
	return s
}

// definitionBody is what GitLab 17.4 to 17.8 send (section 17.2 of the wire contract).
func definitionBody(file, prompt string, more string) string {
	return `{"prompt_version":2,"prompt_id":"code_suggestions/generations","prompt":` + prompt + `,"project_path":"tools/text","project_id":7,
		"current_file":` + file + `,"model_provider":"litellm","model_name":"mistral","model_endpoint":"http://models.example.test:8000/v1",
		"model_api_key":"sesame","model_identifier":"custom_openai/mistral-7b"` + more + `}`
}

const pythonFile = `{"file_name":"reverse.py","language_identifier":"python","content_above_cursor":"# reverse a string\n","content_below_cursor":"\nprint(1)\n"}`

func textOf(t *testing.T, answer string) string {
	t.Helper()
	var a struct{ Choices []struct{ Text string } }
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	if len(a.Choices) == 0 {
		return ""
	}
	return a.Choices[0].Text
}

func TestGeneration(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"\ndef reverse(text):\n", "    return text[::-1]\n"}, Result: engine.Result{Finish: engine.FinishStop, PromptTokens: 50, OutputTokens: 12}}
	s := startChat(t, open, g)
	got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"write a function that reverses a string"`, ""))
	if got.StatusCode != http.StatusOK || textOf(t, got.Text) != "def reverse(text):\n    return text[::-1]\n" {
		t.Fatalf("%d %s", got.StatusCode, got.Text)
	}
	for _, part := range []string{`"id":"id"`, `"engine":"agent"`, `"name":"Test Model Code Generations"`, `"lang":"python"`, `"tokens_consumption_metadata":null`, `"experiments":[]`, `"finish_reason":"length"`} {
		if !strings.Contains(got.Text, part) {
			t.Errorf("no %s in %s", part, got.Text)
		}
	}
	asked := g.Requests()[0]
	text := gatewaytest.PromptText(asked.Prompt)
	for _, part := range []string{"reverse.py", "Python", "# reverse a string\n", "write a function that reverses a string", "<assistant>```python"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in the prompt %q", part, text)
		}
	}
	if asked.MaxTokens != 512 || asked.Class != engine.Generation || strings.Contains(text, "None") {
		t.Errorf("%d tokens, class %d: %q", asked.MaxTokens, asked.Class, text)
	}
	if strings.Contains(s.Log(), "sesame") || strings.Contains(s.Log(), "reverse a string") || strings.Contains(s.Log(), "models.example") {
		t.Error("the log has a key, an endpoint or a prompt")
	}
}

// What GitLab of different versions sends, and what the model then reads.
func TestGenerationPrompts(t *testing.T) {
	file := `"current_file":` + pythonFile + `,"model_provider":"litellm","model_name":"codestral"`
	for _, test := range []struct {
		name, body string
		want       string // part of the prompt
		without    string
		maxTokens  int
	}{
		// GitLab 17.2 and 17.3.
		{"messages", `{"prompt_version":3,"prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":"Write it."}],` + file + `}`,
			"<system>Be brief.</><user>Write it.</>", "reverse", 2048},
		{"text", `{"prompt_version":2,"prompt":"Write it.",` + file + `}`, "<user>Write it.</>", "reverse", 2048},
		// GitLab 17.4 and later.
		{"instruction", definitionBody(pythonFile, `"Write it."`, ""), "Instruction: Write it.", "", 512},
		{"no instruction", definitionBody(pythonFile, `""`, ""), "Instruction: Write the best code", "None", 512},
		{"other files", definitionBody(pythonFile, `""`, `,"context":[{"type":"file","name":"util.py","content":"def helper(): pass"}]`), "util.py:\n```\ndef helper(): pass\n```", "", 512},
		// The troubleshooting script inside GitLab's container.
		{"troubleshooting", `{"project_path":"","project_id":0,"current_file":{"file_name":"test.py","language_identifier":"python","content_above_cursor":"def hello_world():","content_below_cursor":""},
			"model_provider":"litellm","model_endpoint":"http://localhost:4000","model_api_key":null,"model_identifier":null,"model_name":"mistral","telemetry":[],"context":[],
			"stream":false,"choices_count":0,"agent_id":"x","prompt_id":"code_suggestions/generations","prompt_version":2,"prompt":""}`, "def hello_world():", "None", 512},
		{"version 1", `{"prompt_version":1,` + file + `}`, "# reverse a string", "None", 512},
		{"no language", definitionBody(`{"file_name":"notes","content_above_cursor":"a\r\n\tb","content_below_cursor":""}`, `"x"`, ""), "a\r\n\tb", "None", 512},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &gatewaytest.Generator{Pieces: []string{"\nx = 1"}}
			s := startChat(t, open, g)
			got := s.Do("POST", generationsPath, test.body)
			if got.StatusCode != http.StatusOK || textOf(t, got.Text) == "" {
				t.Fatalf("%d %s", got.StatusCode, got.Text)
			}
			asked := g.Requests()[0]
			text := gatewaytest.PromptText(asked.Prompt)
			if !strings.Contains(text, test.want) || test.without != "" && strings.Contains(text, test.without) || asked.MaxTokens != test.maxTokens {
				t.Errorf("prompt %q, %d tokens", text, asked.MaxTokens)
			}
		})
	}
}

// A model that cannot converse continues the file behind a comment that says what is wanted.
func TestGenerationWithACompletionModel(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"def reverse(t): return t[::-1]\n"}}
	s, _ := start(t, open, g)
	got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"write a function\nthat reverses"`, ""))
	if got.StatusCode != http.StatusOK || textOf(t, got.Text) != "def reverse(t): return t[::-1]\n" {
		t.Fatalf("%d %s", got.StatusCode, got.Text)
	}
	if text := gatewaytest.PromptText(g.Requests()[0].Prompt); text != "# reverse a string\n# write a function\n# that reverses\n\x00\nprint(1)\n" {
		t.Errorf("prompt %q", text)
	}
}

// No fence of Markdown and nothing around it reaches the file, in one piece or in a stream.
func TestGeneratedCodeIsCleaned(t *testing.T) {
	for _, test := range []struct {
		name, pieces, whole, stream string // pieces are separated by |
	}{
		{"in the gateway's fence", "\nx = 1\n|y = 2", "x = 1\ny = 2", "x = 1\ny = 2"},
		{"a fence of its own", "\n```python\n|x = 1\n``|`\n", "x = 1\n", "x = 1\n"},
		{"behind the label", " \n|x = 1", "x = 1", "x = 1"},
		{"white space", "\n|  \n", "", "  \n"},
		{"a comment again", "\n# reverse a string\nx = 1\n", "\nx = 1\n", "# reverse a string\nx = 1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &gatewaytest.Generator{Pieces: strings.Split(test.pieces, "|")}
			s := startChat(t, open, g)
			if got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"x"`, "")); textOf(t, got.Text) != test.whole {
				t.Errorf("%s, want %q", got.Text, test.whole)
			}
			got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"x"`, `,"stream":true`))
			if got.Text != test.stream || got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
				t.Errorf("stream %d %q %v", got.StatusCode, got.Text, got.Header)
			}
		})
	}
}

func TestGenerationsThatAreRefused(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{Verifier: verifier{}}})
	g := &gatewaytest.Generator{Pieces: []string{"\nx"}}
	small := chatModel(g)
	small.ContextSize = 1600
	s.Ready(small)
	body := definitionBody(pythonFile, `"x"`, "")
	for _, test := range []struct {
		name, token, body string
		status            int
		text              string
	}{
		{"no right", "complete_code", body, 403, `{"detail":"Unauthorized to access code generations"}`},
		{"bad body before no right", "complete_code", `{"prompt_version":2}`, 422, `"current_file"`},
		{"right of before 17.6", "code_suggestions", body, 200, "x"},
		{"no prompt", "generate_code", strings.Replace(body, `"prompt":"x",`, "", 1), 422, `"loc":["body",2,"prompt"],"msg":"Field required"`},
		{"no endpoint", "generate_code", strings.Replace(body, `"model_endpoint"`, `"x"`, 1), 422, `{"detail":"model_endpoint: `},
		{"bad endpoint", "generate_code", strings.Replace(body, "http://models.example.test:8000/v1", "models", 1), 422, `{"detail":"model_endpoint: `},
		{"unknown prompt", "generate_code", strings.Replace(body, "code_suggestions/generations", "chat/react", 1), 422, `{"detail":"prompt_id \"chat/react\" is not known here`},
		{"unknown model", "generate_code", strings.Replace(body, `"mistral"`, `"nope"`, 1), 422, "model nope is not supported by use case code generations and provider litellm"},
		{"unknown model of no provider", "generate_code", `{"prompt_version":2,"prompt_id":"code_suggestions/generations","prompt":"","model_name":"nope","model_endpoint":"http://a","current_file":` + pythonFile + `}`, 422, `{"detail":"model nope is not supported by use case code generations"}`},
		{"too long", "generate_code", `{"prompt_version":2,"prompt":"` + strings.Repeat("x", 1600) + `","current_file":` + pythonFile + `}`, 422, `{"detail":"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.Do("POST", generationsPath, test.body, "Authorization", "Bearer "+test.token, "X-Gitlab-Authentication-Type", "oidc")
			if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
				t.Errorf("%d %s, want %d %s", got.StatusCode, got.Text, test.status, test.text)
			}
		})
	}
	if strings.Contains(s.Log(), "sesame") {
		t.Error("the log has a key")
	}
}

// A long file loses its beginning, never the instruction or what stands just above the cursor.
func TestGenerationFitsTheContext(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"\nx"}}
	s := gatewaytest.Start(t, open)
	m := chatModel(g)
	m.ContextSize = 3000
	s.Ready(m)
	long := strings.Repeat("old_line = 1\\n", 5000) + "last_line = 2\\n"
	got := s.Do("POST", generationsPath, definitionBody(`{"file_name":"a.py","content_above_cursor":"`+long+`","content_below_cursor":""}`, `"the wish"`,
		`,"context":[{"type":"file","name":"b.py","content":"`+strings.Repeat("y", 9000)+`"}]`))
	if got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.Text)
	}
	asked := g.Requests()[0]
	text := gatewaytest.PromptText(asked.Prompt)
	if !strings.Contains(text, "\nlast_line = 2\n") || !strings.Contains(text, "the wish") || strings.Contains(text, "b.py") {
		t.Errorf("prompt %q", text)
	}
	if n := len(asked.Prompt); n+asked.MaxTokens > 3000 || n < 2000 {
		t.Errorf("%d tokens of prompt", n)
	}
	if above := text[strings.Index(text, "python\n")+len("python\n"):]; !strings.HasPrefix(above, "old_line = 1\n") {
		t.Errorf("it is not cut at a line's beginning: %.60q", above)
	}
}

func TestOperatorsCanSwitch(t *testing.T) {
	exclude, err := postprocess.New([]string{"strip_code_block_markdown", "fix_end_block_errors"})
	if err != nil {
		t.Fatal(err)
	}
	fenced := &gatewaytest.Generator{Pieces: []string{"\n```py\nx\n```"}}
	s := startChat(t, gateway.Options{Auth: auth.Options{BypassExternal: true}, PostProcessing: exclude}, fenced)
	if got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"x"`, "")); textOf(t, got.Text) != "```py\nx\n```" {
		t.Errorf("without stripping: %s", got.Text)
	}
	if got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"x"`, `,"stream":true`)); got.Text != "```py\nx\n```" {
		t.Errorf("without stripping, streamed: %q", got.Text)
	}

	whole := gateway.Options{Auth: auth.Options{BypassExternal: true}, WholeAnswers: true}
	s = startChat(t, whole, &gatewaytest.Generator{Pieces: []string{"\nx", " = 1"}})
	if got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"x"`, `,"stream":true`)); got.Text != "x = 1" || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("prompt of the gateway, streaming disabled: %q %v", got.Text, got.Header)
	}
	if got := s.Do("POST", generationsPath, `{"prompt_version":2,"prompt":"Write it.","stream":true,"current_file":`+pythonFile+`}`); textOf(t, got.Text) != "\nx = 1" && textOf(t, got.Text) != "x = 1" {
		t.Errorf("prompt of the caller, streaming disabled: %q", got.Text)
	}

	s = startChat(t, gateway.Options{Auth: auth.Options{BypassExternal: true}, NoCustomModels: true}, &gatewaytest.Generator{})
	got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"x"`, ""))
	if got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.Text, "AIGW_CUSTOM_MODELS__ENABLED") {
		t.Errorf("custom models disabled: %d %s", got.StatusCode, got.Text)
	}
}

// Who waits for a whole answer gets the lines that were written by then.
func TestGenerationEndsInTime(t *testing.T) {
	o := open
	o.AnswerTime = time.Nanosecond
	s := startChat(t, o, &gatewaytest.Generator{Pieces: []string{"\n", "a = 1\nb", " = 2\n"}})
	body := definitionBody(pythonFile, `"x"`, "")
	if got := s.Do("POST", generationsPath, body); got.StatusCode != 200 || !strings.Contains(got.Text, `"text":"a = 1"`) {
		t.Errorf("whole: %d %s", got.StatusCode, got.Text)
	}
	if got := s.Do("POST", generationsPath, definitionBody(pythonFile, `"x"`, `,"stream":true`)); got.StatusCode != 200 || !strings.Contains(got.Text, "b = 2") {
		t.Errorf("streamed: %d %s", got.StatusCode, got.Text)
	}
}
