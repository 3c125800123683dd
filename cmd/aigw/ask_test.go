package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

func TestAskAnswersFromTheDocumentation(t *testing.T) {
	page := write(t, "protect.md", "---\ntitle: Protected branches\n---\n\nTo protect a branch, open Settings, choose Repository and select Protect.\n")
	index := filepath.Join(t.TempDir(), "docs.index")
	if code, _, stderr := call(t, "docs", "index", filepath.Dir(page), "-o", index); code != 0 {
		t.Fatal(stderr)
	}
	args := []string{"ask", "--model", testmodel.Path(t), "--docs", index, "--ctx", "1024", "--max-tokens", "6", "--temperature", "0", "How do I protect a branch?"}
	code, stdout, stderr := call(t, args...)
	answer, sources, found := strings.Cut(stdout, "\n\nSources:\n[1] Protected branches  ")
	if code != 0 || !found || strings.TrimSpace(answer) == "" || !strings.Contains(sources, "protect") {
		t.Errorf("%d %s\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = call(t, append(args, "--json")...)
	var a answered
	if err := json.Unmarshal([]byte(stdout), &a); err != nil || code != 0 {
		t.Fatalf("%d %v %s\n%s", code, err, stdout, stderr)
	}
	if a.Answer != strings.TrimSpace(answer) || len(a.Sources) != 1 || a.Sources[0].Number != 1 || a.Sources[0].Page != "protect.md" {
		t.Errorf("%+v, want the answer %q", a, answer)
	}
}

func TestChatGoesOn(t *testing.T) {
	ask := func(input string) string {
		var stdout, stderr bytes.Buffer
		app := newApp(&stdout, &stderr)
		app.Reader = strings.NewReader(input)
		err := app.RunContext(t.Context(), []string{"aigw", "chat", "--model", testmodel.Path(t), "--ctx", "256", "--max-tokens", "4", "--temperature", "0", "--system", "Be brief."})
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		return stdout.String()
	}
	first, second, _ := strings.Cut(strings.TrimSuffix(ask("Name a colour.\n\n/clear\nName a colour.\n"), "\n"), "\n")
	if strings.TrimSpace(first) == "" || first != second {
		t.Errorf("after /clear: %q, want %q", second, first)
	}
	// The oldest messages make room: five of these are more than the context.
	if got := ask(strings.Repeat("Name "+strings.Repeat("another ", 50)+"colour.\n", 5)); strings.Count(got, "\n") < 5 {
		t.Errorf("%q", got)
	}
}

func TestAskAndChatMistakes(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"ask", "--model", "x.gguf"}, exitUsage, "a QUESTION is expected"},
		{[]string{"ask", "--model", "x.gguf", "-k", "0", "q"}, exitUsage, "-k 0"},
		{[]string{"ask", "--model", "missing.gguf", "q"}, exitFailed, "missing.gguf"},
		{[]string{"ask", "--model", "missing.gguf", "--docs", "missing.index", "q"}, exitFailed, "missing.index"},
		{[]string{"chat", "hello"}, exitUsage, "read from the input"},
		{[]string{"chat", "--max-tokens", "0"}, exitUsage, "--max-tokens 0"},
	} {
		if code, _, stderr := call(t, test.args...); code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: %d %s", test.args, code, stderr)
		}
	}
}
