package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// Duo Chat on the real model, with bodies as section 17.3 of the wire contract describes them.
func TestRunChats(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "8192", "--inference-timeout", "10m") // whatever else the machine does
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	const v1 = `{"prompt_components":[{"type":"prompt","metadata":{"source":"GitLab EE","version":"17.8.0-ee"},"payload":{"content":%s,"provider":"litellm","model":"mistral","model_endpoint":"http://x.test","model_api_key":"sesame",` +
		`"params":{"temperature":0.1,"stop_sequences":["\n\nHuman","Observation:"],"max_tokens_to_sample":24}}}],"stream":%t}`
	for name, content := range map[string]string{
		"agent":        `[{"role":"user","content":"Use the excerpts to answer. CONTENT: Forks are made with the button Fork. ID: CNT-IDX-5d41402abc4b QUESTION: How do I fork?"},{"role":"assistant","content":"FINAL ANSWER:"}]`,
		"explain_code": `"Explain this code: puts 1 + 1"`,
	} {
		whole := r.post("/v1/chat/"+name, fmt.Sprintf(v1, content, false))
		var answer struct {
			Response string
			Metadata struct{ Provider, Model string }
		}
		if err := json.Unmarshal([]byte(whole.text), &answer); err != nil || whole.status != http.StatusOK || strings.TrimSpace(answer.Response) == "" || answer.Metadata.Model != "mistral" {
			t.Errorf("%s: %d %s (%v)", name, whole.status, whole.text, err)
		}
		streamed := r.post("/v1/chat/"+name, fmt.Sprintf(v1, content, true))
		if streamed.status != http.StatusOK || streamed.header.Get("Content-Type") != "text/event-stream; charset=utf-8" || strings.TrimSpace(streamed.text) == "" || strings.HasPrefix(streamed.text, "{") {
			t.Errorf("%s streamed: %d %q", name, streamed.status, streamed.text)
		}
	}
	x := r.post("/v1/x-ray/libraries", `{"prompt_components":[{"payload":{"prompt":"Name the library in: gem 'rack'. Answer with one word.","provider":"anthropic","model":"claude-2.1"}}]}`)
	if x.status != http.StatusOK || !strings.HasPrefix(x.text, `{"response":"`) {
		t.Errorf("x-ray: %d %s", x.status, x.text)
	}
	for name, body := range map[string]string{
		"17.4": `{"prompt":"What is issue #3 about?","options":{"chat_history":["Hi","Hello!"],"agent_scratchpad":{"agent_type":"react","steps":[]},"context":null,"current_file":null},"model_metadata":{"provider":"openai","name":"mistral","endpoint":"http://x.test","api_key":"sesame"}}`,
		"17.8": `{"messages":[{"role":"user","content":"What is issue #3 about?","context":null,"current_file":null,"additional_context":null}],"options":{"agent_scratchpad":{"agent_type":"react","steps":[{"thought":"I need the issue.","tool":"issue_reader","tool_input":"#3","observation":"title: Crash on save"}]}},"model_metadata":{"provider":"openai","name":"mistral","endpoint":"http://x.test","api_key":null,"identifier":""},"unavailable_resources":["Pipelines","Vulnerabilities"]}`,
	} {
		got := r.post("/v2/chat/agent", body)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/x-ndjson; charset=utf-8" {
			t.Fatalf("%s: %d %s", name, got.status, got.text)
		}
		parseable := 0
		for line := range strings.Lines(got.text) {
			var event struct {
				Type string
				Data struct{ Tool, Text string }
			}
			if err := json.Unmarshal([]byte(line), &event); err != nil {
				t.Fatalf("%s: %v: %q", name, err, line)
			}
			switch event.Type { // the grammar leaves nothing else
			case "final_answer_delta", "action":
				parseable++
			default:
				t.Errorf("%s: %s", name, line)
			}
		}
		if parseable == 0 {
			t.Errorf("%s: no event: %q", name, got.text)
		}
	}
	r.end()
	if log := r.log.String(); strings.Contains(log, "sesame") || strings.Contains(log, "x.test") || strings.Contains(log, "Forks are made") {
		t.Error("the log holds a key, an endpoint or prompt text")
	}
}
