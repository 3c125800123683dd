package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"

	"github.com/urfave/cli/v2"
)

// choose runs `aigw run ARGS` as far as the choice of its models, and says what was chosen:
// name[=alias...] of each, then ROLE:name.
func choose(t *testing.T, args ...string) (said string, log string, err error) {
	t.Helper()
	var lines bytes.Buffer
	app := newApp(io.Discard, io.Discard)
	app.Command("run").Action = func(c *cli.Context) error {
		set, err := chooseModels(c, slog.New(slog.NewTextHandler(&lines, nil)))
		if err != nil {
			return err
		}
		var words []string
		for _, m := range set.files {
			words = append(words, strings.Join(append([]string{m.name}, m.aliases...), "="))
		}
		for _, role := range []string{"completion", "generation", "chat"} {
			for r, name := range set.rules.Default {
				if string(r) == role {
					words = append(words, role+":"+name)
				}
			}
		}
		said = strings.Join(words, " ")
		return nil
	}
	err = app.RunContext(t.Context(), append([]string{"aigw", "run"}, args...))
	return said, lines.String(), err
}

func TestChooseModels(t *testing.T) {
	t.Setenv("AIGW_STORE", t.TempDir())
	var imported importedModel
	must(t, &imported, "models", "import", "--json", "--name", "codestral:22b", tinyModel(t, "tiny.gguf", 1))
	must(t, &imported, "models", "import", "--json", "--name", "mistral", tinyModel(t, "tiny.gguf", 2))
	small := testmodel.Path(t)
	dir := t.TempDir()
	copyModel(t, tinyModel(t, "x.gguf", 3), filepath.Join(dir, "qwen-7b-v1.Q4_K_M.gguf"))
	copyModel(t, tinyModel(t, "y.gguf", 4), filepath.Join(dir, "b,c.gguf"))
	if err := os.WriteFile(filepath.Join(dir, "broken.gguf"), []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(dir, "b,c.gguf"), filepath.Join(dir, "qwen-7b-v1.Q4_K_M.gguf")
	entry := func(name, model string) string {
		return fmt.Sprintf("- {model_name: %s, litellm_params: {model: %q}}\n", name, model)
	}
	one := "model_list:\n" + entry("code", "ollama/codestral:22b") + entry("gone", "ollama/gone")
	two := one + entry("chat", "ollama/mistral:latest") + entry("a/b", "ollama/mistral")
	for name, tt := range map[string]struct {
		config string // of --litellm-config
		inDir  string // config.yaml of the folder
		args   []string
		want   string
		says   string // error
		logs   string
	}{
		"none":                    {args: nil, want: ""},
		"stored":                  {args: []string{"--model", "mistral"}, want: "mistral"},
		"two":                     {args: []string{"-m", first, "-m", "x=" + second}, want: "b,c x"},
		"one file twice":          {args: []string{"--model", "a=" + first, "--model", "b=" + first, "--model", first}, want: "a=b"},
		"roles":                   {args: []string{"--model", "a=" + first, "--model", "s=" + small, "--chat-model", "S", "--completion-model", "a"}, want: "a s completion:a chat:s"},
		"a folder":                {args: []string{"--models-dir", dir}, want: "b,c qwen-7b-v1.Q4_K_M", logs: "broken.gguf"},
		"a folder and a file":     {args: []string{"--models-dir", dir, "--model", "mistral"}, want: "b,c qwen-7b-v1.Q4_K_M mistral"},
		"a folder with names":     {args: []string{"--models-dir", dir}, inDir: "model_list:\n" + entry("q", "ollama/qwen:7b") + entry("b", "openai/b,c.gguf") + entry("old", "ollama/old"), want: "b q", logs: `"old" (ollama/old) has no local weights`},
		"litellm: one":            {config: one, want: "code", logs: "has no local weights; import them with: aigw models import OLLAMA_FOLDER gone"},
		"litellm: all":            {config: two, want: "code chat=a/b"},
		"litellm: by its name":    {config: two, args: []string{"--model", "chat"}, want: "chat=a/b"},
		"litellm: another file":   {config: two, args: []string{"--model", first}, want: "b,c"},
		"litellm: no weights":     {config: "model_list:\n" + entry("x", "ollama/x"), says: "none of its models has local weights"},
		"litellm: not a config":   {config: "a: 1", says: "has no model_list"},
		"two with one name":       {args: []string{"--model", "a=" + first, "--model", "A=" + second}, says: `two models are called "A": ` + first + " and " + second + "; give one of them another name"},
		"unknown role model":      {args: []string{"--model", "alpha=" + first, "--chat-model", "alpa"}, says: `did you mean "alpha"?; loaded are: alpha`},
		"role without a model":    {args: []string{"--chat-model", "alpha"}, says: "no model is loaded; name it with --model FILE, too"},
		"a role that it cannot":   {args: []string{"--model", "a=" + first, "--chat-model", "a"}, says: "--chat-model a: it cannot chat: this is a base model, which continues text and does not answer; use the instruct model of the family. It can be --completion-model or --generation-model: a: family generic"},
		"no folder":               {args: []string{"--models-dir", filepath.Join(dir, "none")}, says: "no such file"},
		"a folder without models": {args: []string{"--models-dir", filepath.Dir(write(t, "rubbish.gguf", "rubbish"))}, says: "none of its 1 GGUF files can be used"},
		"unknown stored":          {args: []string{"--model", "mistrall"}, says: `did you mean "mistral"?`},
	} {
		t.Run(name, func(t *testing.T) {
			args := tt.args
			if tt.config != "" {
				args = append(args, "--litellm-config", write(t, "config.yaml", tt.config))
			}
			yaml := filepath.Join(dir, "config.yaml")
			_ = os.Remove(yaml) // of the case before, where it had one
			if tt.inDir != "" {
				if err := os.WriteFile(yaml, []byte(tt.inDir), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			said, log, err := choose(t, args...)
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("%v, want %q", err, tt.says)
				}
				return
			}
			if err != nil || said != tt.want || !strings.Contains(log, strings.ReplaceAll(tt.logs, `"`, `\"`)) {
				t.Errorf("%q, %v; want %q; log %s", said, err, tt.want, log)
			}
		})
	}
}

// The environment names one model, which the command line replaces.
func TestModelOfTheEnvironment(t *testing.T) {
	a, b := tinyModel(t, "a.gguf", 1), tinyModel(t, "b,c.gguf", 2)
	t.Setenv("AIGW_MODEL", b)
	for _, tt := range []struct {
		args []string
		want string
	}{{nil, "b,c"}, {[]string{"--model", a}, "a"}, {[]string{"-m", a, "-m", b}, "a b,c"}} {
		if said, _, err := choose(t, tt.args...); err != nil || said != tt.want {
			t.Errorf("%v: %q, %v; want %q", tt.args, said, err, tt.want)
		}
	}
}

func copyModel(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two models of one process answer requests: by name, by family, and by role.
func TestRunServesSeveralModels(t *testing.T) {
	second := filepath.Join(t.TempDir(), "second.gguf")
	copyModel(t, testmodel.Path(t), second)
	r := start(t, "--model", "first="+testmodel.Path(t), "--model", "codestral="+second, "--completion-model", "first", "--ctx", "1024", "--parallel", "2")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	body := strings.Replace(codeBody, "%STREAM%", "false", 1)
	for _, tt := range []struct{ body, want string }{
		{body, "codestral"}, // by its name
		{strings.Replace(body, `"codestral"`, `"mistral"`, 1), "first"}, // nobody's name, so the default
	} {
		if answer := r.complete(tt.body); answer.status != http.StatusOK || !strings.Contains(answer.text, `"name":"`+tt.want+`"`) {
			t.Errorf("%d %s; want %s", answer.status, answer.text, tt.want)
		}
	}
}
