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

// All prompts on the real model, confined to few tokens by an operator's folder except where a grammar ends
// the answer: what GitLab takes apart has the form in which it does.
func TestRunPrompts(t *testing.T) {
	r := start(t, "--model", testmodel.Path(t), "--ctx", "8192", "--inference-timeout", "10m", "--prompts", shortened(t))
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	const body = `{"inputs":{"input":"What is #3 about?","suggestions":"I need the resource.","prefix":"def add(a, b):","suffix":"","question":"q","previous_answer":null,"diff":"d","content":"c","template":"t","prompt":"undo",` +
		`"name":"n","vulnerability_description":"v","identifiers":"CWE-89","filename":"a.rb","source_code":"s","vulnerable_code":"w","extracted_diff":"e","draft_notes_content":"r"},` +
		`"model_metadata":{"provider":"openai","name":"mistral","endpoint":"http://x.test","api_key":"sesame","identifier":""},"prompt_version":"^1.0.0"`
	for _, id := range prompts.BuiltIn().IDs() {
		path := "/v1/prompts/" + strings.ReplaceAll(id, "/", "%2F")
		if strings.HasSuffix(id, "_reader") {
			got := r.post(path, body+`,"stream":true}`)
			if got.status != http.StatusOK || !identifies(got.text) {
				t.Errorf("%s: %d %q", id, got.status, got.text)
			}
			continue
		}
		got := r.post(path, body+`,"stream":true}`) // answers in one piece end after 28 s, however slow the machine is
		if got.status != http.StatusOK || got.text == "" {
			t.Errorf("%s: %d %q", id, got.status, got.text)
		}
		if read := readAs[id]; read != nil && !read(got.text) {
			t.Errorf("%s cannot be read: %q", id, got.text)
		}
	}
	r.end()
	if log := r.log.String(); strings.Contains(log, "sesame") || strings.Contains(log, "x.test") || strings.Contains(log, "What is #3") {
		t.Error("the log holds a key, an endpoint or prompt text")
	}
}

// readAs are the answers that GitLab takes apart.
var readAs = map[string]func(string) bool{
	"categorize_question": func(text string) bool {
		var a struct {
			Category, Language string
			Detailed           string `json:"detailed_category"`
			Labels             []string
		}
		return json.Unmarshal([]byte(text), &a) == nil && a.Category != "" && a.Detailed != "" && len(a.Language) == 2
	},
	"measure_comment_temperature": func(text string) bool {
		var a struct {
			Rating int
			Issues []string
		}
		return json.Unmarshal([]byte(between(text, "temperature_rating")), &a) == nil && (a.Rating == 1 || a.Rating == 2)
	},
	"resolve_vulnerability": func(text string) bool {
		positive := between(text, "is_false_positive")
		return between(text, "analysis") != "" && between(text, "summary") != "" && strings.Contains(text, "<fixed_code>") && (positive == "true" || positive == "false")
	},
}

func between(text, tag string) string {
	_, text, _ = strings.Cut(text, "<"+tag+">")
	text, _, closed := strings.Cut(text, "</"+tag+">")
	if !closed {
		return ""
	}
	return text
}

// identifies reads an answer as GitLab does: the JSON between the fences.
func identifies(text string) bool {
	_, text, _ = strings.Cut(text, "```json")
	text, _, closed := strings.Cut(text, "```")
	var object struct{ ResourceIdentifierType, ResourceIdentifier any }
	err := json.Unmarshal([]byte(text), &object)
	return closed && err == nil && object.ResourceIdentifierType != nil && object.ResourceIdentifier != nil
}

// shortened returns a folder with the program's own prompts, those without a grammar with 4 tokens, and grammars that let less be said.
func shortened(t *testing.T) string {
	dir := t.TempDir()
	for _, id := range prompts.BuiltIn().IDs() {
		data, err := os.ReadFile(filepath.Join("..", "..", "gateway", "prompts", "catalogue", filepath.FromSlash(id)+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("{0,900}", "{0,30}", "pair{0,3}", "pair?", "line{1,60}", "line", "{0,200}", "{0,20}", "{1,160}", "{1,20}").Replace(string(data))
		confined := strings.HasSuffix(id, "_reader") || strings.Contains(text, "\ngrammar:")
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "max_tokens:") && !confined {
				lines[i] = "max_tokens: 4"
			}
		}
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(id, "/", ".")+".yaml"), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
