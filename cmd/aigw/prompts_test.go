package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/gateway/prompts"
	"aigw/internal/testmodel"
)

// tried are prompts of each kind. All of them together are read too slowly on two cores for a test of every day: their
// long instructions have to be computed. AIGW_TEST_ALL_PROMPTS=1 asks them all.
var tried = []string{
	"chat/commit_reader", "chat/issue_reader", "chat/summarize_comments", "code_suggestions/completions", "generate_commit_message", "model_configuration/check",
}

// Prompts on the real model, confined to few tokens by an operator's folder except where a grammar ends
// the answer.
func TestRunPrompts(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "8192", "--prompts", shortened(t))
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	const body = `{"inputs":{"input":"What is #3 about?","suggestions":"I need the resource.","prefix":"def add(a, b):","suffix":"","question":"q","previous_answer":null,"diff":"d","content":"c","template":"t","prompt":"undo",` +
		`"name":"n","vulnerability_description":"v","identifiers":"CWE-89","filename":"a.rb","source_code":"s","vulnerable_code":"w","extracted_diff":"e","draft_notes_content":"r"},` +
		`"model_metadata":{"provider":"openai","name":"mistral","endpoint":"http://x.test","api_key":"sesame","identifier":""},"prompt_version":"^1.0.0"`
	ids := tried
	if os.Getenv("AIGW_TEST_ALL_PROMPTS") != "" {
		ids = prompts.BuiltIn().IDs()
	}
	for _, id := range ids {
		path := "/v1/prompts/" + strings.ReplaceAll(id, "/", "%2F")
		if strings.HasSuffix(id, "_reader") {
			got := r.post(path, body+`,"stream":true}`)
			if got.status != http.StatusOK || !identifies(got.text) {
				t.Errorf("%s: %d %q", id, got.status, got.text)
			}
			continue
		}
		got := r.post(path, body+"}")
		var text string
		if err := json.Unmarshal([]byte(got.text), &text); err != nil || got.status != http.StatusOK {
			t.Errorf("%s: %d %s (%v)", id, got.status, got.text, err)
		}
	}
	r.end()
	if log := r.log.String(); strings.Contains(log, "sesame") || strings.Contains(log, "x.test") || strings.Contains(log, "What is #3") {
		t.Error("the log holds a key, an endpoint or prompt text")
	}
}

// identifies reads an answer as GitLab does: the JSON between the fences.
func identifies(text string) bool {
	_, text, _ = strings.Cut(text, "```json")
	text, _, closed := strings.Cut(text, "```")
	var object struct{ ResourceIdentifierType, ResourceIdentifier any }
	err := json.Unmarshal([]byte(text), &object)
	return closed && err == nil && object.ResourceIdentifierType != nil && object.ResourceIdentifier != nil
}

// shortened returns a folder with the program's own prompts, those without a grammar with 4 tokens.
func shortened(t *testing.T) string {
	dir := t.TempDir()
	for _, id := range prompts.BuiltIn().IDs() {
		data, err := os.ReadFile(filepath.Join("..", "..", "gateway", "prompts", "catalogue", filepath.FromSlash(id)+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(data), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "max_tokens:") && !strings.HasSuffix(id, "_reader") {
				lines[i] = "max_tokens: 4"
			}
		}
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(id, "/", ".")+".yaml"), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
