package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"aigw/internal/testmodel"
)

// Bodies as section 17 of the wire contract describes what GitLab and its editors send. They were
// written after that description, none was recorded.
const currentFile = `{"file_name":"lib/greeter.py","language_identifier":"python","content_above_cursor":"def add(a, b):\n    \"\"\"Returns the sum.\"\"\"\n    ","content_below_cursor":"\n\n\nprint(add(1, 2))\n"}`

var codeRequests = []struct{ name, path, body string }{
	{"completion, GitLab 17.2 to 17.4", "/v2/code/completions", `{"prompt_version":2,"prompt":"def add(a, b):\n    ","current_file":` + currentFile + `,"model_provider":"litellm","model_name":"codegemma","model_endpoint":"http://x.test","model_api_key":"sesame","stream":%v}`},
	{"completion, GitLab 17.5 to 17.8", "/v2/code/completions", `{"prompt_version":2,"prompt":null,"current_file":` + currentFile + `,"model_provider":"litellm","model_name":"codestral","model_endpoint":"http://x.test","model_identifier":"custom_openai/x","telemetry":[{"model_engine":"agent","model_name":"a","lang":"python","requests":3,"accepts":1,"errors":0}],"intent":"completion","stream":%v}`},
	{"completion, an editor's direct connection", "/v2/completions", `{"prompt_version":1,"project_path":"a/b","project_id":1,"current_file":` + currentFile + `,"context":[{"type":"file","name":"b.py","content":"def sub(a, b):\n    return a - b\n"}],"choices_count":1,"stream":%v}`},
	{"generation, GitLab 17.2", "/v2/code/generations", `{"prompt_version":3,"prompt":[{"role":"user","content":"Write a Python function that adds two numbers. Code only."}],"current_file":` + currentFile + `,"model_provider":"litellm","model_name":"mistral","model_endpoint":"http://x.test","stream":%v}`},
	{"generation, GitLab 17.4 to 17.8", "/v2/code/generations", `{"prompt_version":2,"prompt_id":"code_suggestions/generations","prompt":"add two numbers","current_file":` + currentFile + `,"model_provider":"litellm","model_name":"mistral","model_endpoint":"http://x.test","model_identifier":"custom_openai/x","stream":%v}`},
	{"completion, version 3", "/v3/code/completions", `{"prompt_components":[{"type":"code_editor_completion","payload":{"file_name":"a.py","content_above_cursor":"def add(a, b):\n    return ","content_below_cursor":"\n","stream":%v}}]}`},
	{"generation, version 3", "/v3/code/completions", `{"prompt_components":[{"type":"code_editor_generation","payload":{"file_name":"a.py","content_above_cursor":"","content_below_cursor":"","prompt_id":"code_suggestions/generations","prompt":"print the date","stream":%v}}]}`},
	{"completion, version 4", "/v4/code/suggestions", `{"prompt_components":[{"type":"code_editor_completion","payload":{"file_name":"a.py","content_above_cursor":"def add(a, b):\n    return ","content_below_cursor":"\n","stream":%v}},{"type":"code_context","payload":{"type":"file","name":"b.py","content":"x = 1"}}]}`},
	{"generation, version 4", "/v4/code/suggestions", `{"prompt_components":[{"type":"code_editor_generation","payload":{"file_name":"a.py","content_above_cursor":"","content_below_cursor":"","prompt_id":"code_suggestions/generations","prompt":"print the date","stream":%v}}]}`},
}

// Every route of code suggestions, in one piece and streamed, on the real model.
func TestRunSuggestsCode(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "8192", "--completion-time", "0")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	for _, test := range codeRequests {
		t.Run(test.name, func(t *testing.T) {
			var whole reply
			var answer struct{ Choices []struct{ Text string } }
			for range 5 { // generations are drawn at random, and a small model may draw the end at once
				whole = r.post(test.path, fmt.Sprintf(test.body, false))
				if err := json.Unmarshal([]byte(whole.text), &answer); err != nil || whole.status != http.StatusOK {
					t.Fatalf("%d %s (%v)", whole.status, whole.text, err)
				}
				if len(answer.Choices) > 0 {
					break
				}
			}
			if len(answer.Choices) != 1 || strings.TrimSpace(answer.Choices[0].Text) == "" {
				t.Fatalf("no text: %s", whole.text)
			}
			if whole.header.Get("Server-Timing") == "" || strings.Contains(answer.Choices[0].Text, "```") {
				t.Errorf("%s %v", whole.text, whole.header)
			}
			streamed := r.post(test.path, fmt.Sprintf(test.body, true))
			events := strings.HasPrefix(test.path, "/v4/")
			if streamed.status != http.StatusOK || streamed.header.Get("Content-Type") != "text/event-stream; charset=utf-8" || strings.HasPrefix(streamed.text, "event: stream_start\r\n") != events {
				t.Errorf("streamed: %d %q %v", streamed.status, streamed.text, streamed.header)
			}
			if events && !strings.HasSuffix(streamed.text, "event: stream_end\r\ndata: null\r\n\r\n") {
				t.Errorf("streamed: %q", streamed.text)
			}
		})
	}
	r.end()
	if log := r.log.String(); strings.Contains(log, "sesame") || strings.Contains(log, "x.test") || strings.Contains(log, "Returns the sum") {
		t.Error("the log holds a key, an endpoint or prompt text")
	}
}

// Fifty people at once are all answered.
func TestRunAnswersACrowd(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "16384", "--max-wait", "10m", "--inference-timeout", "10m") // however slow the machine is
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	var everybody sync.WaitGroup
	for person := range 50 {
		everybody.Go(func() {
			body := fmt.Sprintf(`{"prompt_version":1,"current_file":{"file_name":"p%d.py","content_above_cursor":"# file of person %d\ndef area_%d(r):\n    return ","content_below_cursor":"\n"}}`, person, person, person)
			res, err := http.Post(r.url+"/v2/code/completions", "application/json", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), `"text":"`) {
				t.Errorf("person %d: %d %s (%v)", person, res.StatusCode, text, err)
			}
		})
	}
	everybody.Wait()
	r.end()
}

// The checks with which GitLab's admin pages decide that a model works wait for 3 s (sections 1.2 and
// 15.4 of the wire contract). What they ask for was computed before the server said that it is ready,
// and there is text in the answer. The seconds are measured by `aigw doctor`, on a machine at rest.
func TestRunPassesGitLabsChecks(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "4096")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	const file = `"current_file":{"file_name":"test.rb","content_above_cursor":"def hello_world","content_below_cursor":""}`
	for i, more := range []string{
		`"prompt_version":1,"telemetry":[]`,
		`"prompt_version":2,"prompt":null,"model_provider":"litellm","model_name":"codestral","model_endpoint":"http://x.test/v1","model_api_key":"sesame","model_identifier":""`,
		`"prompt_version":1,"model_provider":"litellm","model_name":"mistral","model_endpoint":"http://x.test/v1"`,
	} {
		got := r.post("/v2/code/completions", `{`+file+`,`+more+`}`)
		var answer struct{ Choices []struct{ Text string } }
		if err := json.Unmarshal([]byte(got.text), &answer); err != nil || got.status != http.StatusOK || len(answer.Choices) == 0 || strings.TrimSpace(answer.Choices[0].Text) == "" {
			t.Errorf("%s: %d %s (%v)", more, got.status, got.text, err)
		}
		if timing := got.header.Get("Server-Timing"); i == 0 && (timing == "" || strings.Contains(timing, " 0 reused")) {
			t.Errorf("the first check's prompt was not computed ahead: %s", timing)
		}
	}
	r.end()
}
