package codesuggestions_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
)

// hesitant has nothing to say when it is asked for the first time.
type hesitant struct {
	mu      sync.Mutex
	answers []string
	prompts []string
}

func (h *hesitant) Generate(_ context.Context, req engine.Request, emit func(string) error) (engine.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prompts = append(h.prompts, gatewaytest.PromptText(req.Prompt))
	text := h.answers[min(len(h.prompts), len(h.answers))-1]
	return engine.Result{Finish: engine.FinishStop, PromptTokens: len(req.Prompt)}, emit(text)
}

// A model that has nothing to fill in at the end of a text is asked to go on with it, as GitLab's check of a
// self-hosted model does not take nothing for an answer. Elsewhere nothing is an answer.
func TestNothingToFillIn(t *testing.T) {
	const check = `{"prompt_version":1,"project_path":"","project_id":0,"current_file":{"file_name":"test.rb","content_above_cursor":"def hello_world","content_below_cursor":""},"telemetry":[]}`
	with := func(from, to string) string { return strings.Replace(check, from, to, 1) }
	for _, test := range []struct {
		name, body string
		answers    []string
		text       string // of the answer
		prompts    int
	}{
		{"GitLab's check", check, []string{"", "\n  puts 1\nend"}, `"text":"\n  puts 1\nend"`, 2},
		{"GitLab's check, a model that answers", check, []string{"(name)"}, `"text":"(name)"`, 1},
		{"white space alone", check, []string{" \n", "(name)"}, `"text":"(name)"`, 2},
		{"nothing again", check, []string{"", ""}, `"choices":[]`, 2},
		{"text below", with(`"content_below_cursor":""`, `"content_below_cursor":"\nend"`), []string{"", "x"}, `"choices":[]`, 1},
		{"a line that has not begun", with(`def hello_world`, `def hello_world\n  `), []string{"", "x"}, `"choices":[]`, 1},
		{"a prompt of the caller", with(`"prompt_version":1`, `"prompt_version":2,"prompt":"def hello_world"`), []string{"", "x"}, `"choices":[]`, 1},
		{"a stream", with(`"telemetry":[]`, `"stream":true`), []string{"", "x"}, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &hesitant{answers: test.answers}
			s := gatewaytest.Start(t, open)
			m := gatewaytest.Model(h)
			m.FillsIn = true
			s.Ready(m)
			got := s.Do("POST", path, test.body, "X-Request-ID", "one")
			if got.StatusCode != http.StatusOK || !strings.Contains(got.Text, test.text) || len(h.prompts) != test.prompts {
				t.Errorf("%d %s; prompts %q", got.StatusCode, got.Text, h.prompts)
			}
			if test.prompts == 2 && h.prompts[1] != "def hello_world" {
				t.Errorf("the second prompt is %q", h.prompts[1])
			}
			line := s.LogLine("one")
			if (line["asked_plainly"] == true) != (test.prompts == 2) {
				t.Errorf("%v", line)
			}
		})
	}
}
