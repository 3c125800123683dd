package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
	"aigw/models/gguf/gguftest"
)

// tinyModel writes a GGUF file of a few kilobytes.
func tinyModel(t *testing.T, name string, seed uint64) string {
	t.Helper()
	vocabulary := gguftest.SentencePiece("▁", "a", "b", "▁a")
	return gguftest.Model(vocabulary, gguftest.Network{Seed: seed}).WriteFile(t, t.TempDir(), name)
}

// must runs a command that has to succeed and decodes its --json into v.
func must(t *testing.T, v any, args ...string) {
	t.Helper()
	code, stdout, stderr := call(t, args...)
	if err := json.Unmarshal([]byte(stdout), v); code != 0 || err != nil {
		t.Fatalf("%v: code %d, %v, stdout %q, stderr %q", args, code, err, stdout, stderr)
	}
}

// A model's life in the store, by the commands of docs/models.md.
func TestModelStore(t *testing.T) {
	t.Setenv("AIGW_STORE", filepath.Join(t.TempDir(), "store"))
	path := tinyModel(t, "tiny.gguf", 1)
	var imported importedModel
	must(t, &imported, "models", "import", "--json", "--name", "little", path)
	if imported.Name != "little" || imported.How == "" || imported.Already || filepath.Base(imported.Path) != "tiny.gguf" {
		t.Errorf("%+v", imported)
	}
	var list storeList
	must(t, &list, "models", "list", "--json")
	if len(list.Models) != 1 || list.Models[0].Name != "little" || list.Models[0].Path != imported.Path || list.Store != os.Getenv("AIGW_STORE") {
		t.Errorf("%+v", list)
	}
	var ok verified
	must(t, &ok, "models", "verify", "--json")
	if len(ok.Models) != 1 || len(ok.Faults) != 0 {
		t.Errorf("%+v", ok)
	}
	var seen inspection
	must(t, &seen, "models", "inspect", "--json", "little")
	if seen.File != "tiny.gguf" || seen.Pieces != 263 {
		t.Errorf("%+v", seen)
	}
	if err := os.Remove(path); err != nil { // the store does not need it
		t.Fatal(err)
	}
	var tokens tokenized
	must(t, &tokens, "tokenize", "--json", "--model", "little", "--text-file", write(t, "a.txt", "ab"))
	if len(tokens.Tokens) == 0 {
		t.Errorf("%+v", tokens)
	}
	var gone removed
	must(t, &gone, "models", "rm", "--json", "little")
	if gone.Bytes != imported.Size {
		t.Errorf("%+v, imported %d bytes", gone, imported.Size)
	}
	must(t, &list, "models", "list", "--json")
	if len(list.Models) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestModelStoreInWords(t *testing.T) {
	t.Setenv("AIGW_STORE", t.TempDir())
	path := tinyModel(t, "tiny.gguf", 1)
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"import", path}, "Use it with --model tiny"},
		{[]string{"import", path}, "was there already"},
		{[]string{"list"}, "tiny  generic  base"},
		{[]string{"verify", "tiny"}, "tiny: "},
		{[]string{"rm", "tiny"}, "tiny removed"},
	} {
		code, stdout, stderr := call(t, append([]string{"models"}, tt.args...)...)
		if code != 0 || !strings.Contains(stdout, tt.says) {
			t.Errorf("%v: code %d, %q, %q; want %q", tt.args, code, stdout, stderr, tt.says)
		}
	}
}

func TestModelStoreMistakes(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("AIGW_STORE", dir)
	path := tinyModel(t, "tiny.gguf", 1)
	var imported importedModel
	must(t, &imported, "models", "import", "--json", "--name", "codestral", path)
	must(t, &imported, "models", "import", "--json", "--name", "damaged", tinyModel(t, "other.gguf", 2))
	if err := os.Remove(filepath.Join(dir, "blobs", strings.Replace(string(imported.Parts[0].Digest), ":", "-", 1))); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing to import":    {[]string{"models", "import"}, exitUsage, "FILE"},
		"bad name":             {[]string{"models", "import", "--name", "a/b", path}, exitUsage, `"a/b"`},
		"name that is taken":   {[]string{"models", "import", "--name", "damaged", path}, exitFailed, "--name"},
		"no such file":         {[]string{"models", "import", "/nowhere/m.gguf"}, exitFailed, "/nowhere/m.gguf"},
		"nothing to remove":    {[]string{"models", "rm"}, exitUsage, "NAME"},
		"unknown to remove":    {[]string{"models", "rm", "codestral", "codestrel"}, exitFailed, `did you mean "codestral"`},
		"unknown to verify":    {[]string{"models", "verify", "mixtral"}, exitFailed, "stored are: codestral, damaged"},
		"damaged":              {[]string{"models", "verify"}, exitFailed, "damaged: other.gguf its weights are missing"},
		"unknown to run":       {[]string{"run", "--model", "codestrl"}, exitFailed, `did you mean "codestral"`},
		"unknown, with a name": {[]string{"run", "--model", "x=mixtral"}, exitFailed, `"mixtral"`},
		"left over":            {[]string{"models", "list", "x"}, exitUsage, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := call(t, tt.args...)
			last := strings.TrimSpace(stderr)
			if code != tt.code || !strings.Contains(last, tt.says) || strings.Contains(last, "\n") {
				t.Errorf("code %d (want %d), stderr %q (want one line with %q)", code, tt.code, stderr, tt.says)
			}
		})
	}
	var list storeList
	must(t, &list, "models", "list", "--json")
	if len(list.Models) != 2 {
		t.Errorf("%+v: rm with an unknown name removes nothing", list)
	}
}

// A file wins over a stored model of the same name, a stored model over a folder.
func TestFilesBeforeStoredModels(t *testing.T) {
	t.Setenv("AIGW_STORE", t.TempDir())
	var imported importedModel
	must(t, &imported, "models", "import", "--json", "--name", "mine", tinyModel(t, "tiny.gguf", 1))
	t.Chdir(t.TempDir())
	if err := os.Mkdir("mine", 0o755); err != nil {
		t.Fatal(err)
	}
	var seen inspection
	must(t, &seen, "models", "inspect", "--json", "mine")
	if seen.File != "tiny.gguf" {
		t.Errorf("the folder was taken: %+v", seen)
	}
	if err := os.Remove("mine"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(testmodel.Path(t), "mine"); err != nil {
		t.Fatal(err)
	}
	must(t, &seen, "models", "inspect", "--json", "mine")
	if seen.File != "mine" || seen.Family != "smollm2" {
		t.Errorf("the stored model was taken: %+v", seen)
	}
}

// run serves the weights that a LiteLLM configuration names.
func TestRunWithLiteLLMConfig(t *testing.T) {
	t.Setenv("AIGW_STORE", t.TempDir())
	var imported importedModel
	must(t, &imported, "models", "import", "--json", "--name", "smollm2", testmodel.Path(t))
	config := write(t, "config.yaml", "model_list:\n  - model_name: codestral\n    litellm_params:\n      model: ollama/smollm2:latest\n")
	r := start(t, "--litellm-config", config, "--ctx", "2048")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	answer := r.complete(strings.Replace(codeBody, "%STREAM%", "false", 1))
	if answer.status != http.StatusOK || !strings.Contains(answer.text, `"name":"codestral"`) {
		t.Errorf("%d %s", answer.status, answer.text)
	}
}
