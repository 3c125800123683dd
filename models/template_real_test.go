package models_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/engine/llama"
	"aigw/models/gguf/gguftest"
)

// Templates of some seventy models, which llama.cpp's tree carries, run, and what they are given stands
// in their text as it was, in order: that is what ByTemplate rests on.
func TestRealTemplatesKeepTexts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(gguftest.LlamaSources(t), "models", "templates", "*.jinja"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	tools := 0
	for _, path := range files {
		name := filepath.Base(path)
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		template, err := llama.ParseTemplate(string(source), "<s>", "</s>")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if template.Tools {
			tools++
		}
		var messages []llama.Message
		for i, role := range []string{"user", "assistant", "user"} {
			messages = append(messages, llama.Message{Role: role, Content: fmt.Sprint("\n\t\uE000", i, "\uE001\t\n")})
		}
		text, err := template.Render(messages)
		template.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		at := -1
		for i := range messages {
			next := strings.Index(text, fmt.Sprint("\uE000", i, "\uE001"))
			if next <= at {
				t.Errorf("%s: message %d is at %d, behind one at %d", name, i, next, at)
			}
			at = next
		}
	}
	if tools < 30 {
		t.Errorf("%d templates are said to take tools; most do", tools)
	}
}
