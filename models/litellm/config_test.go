package litellm

import (
	"slices"
	"strings"
	"testing"
)

// gitLabs is the configuration of GitLab's page "Install LiteLLM", with more that real ones have.
const gitLabs = `
model_list:
  - model_name: mistral
    litellm_params:
      model: ollama/mistral:latest
      api_base: http://ollama.test:11434
  - model_name: "codestral"
    litellm_params: {model: ollama_chat/codestral:22b, api_key: os.environ/KEY}
    model_info:
      mode: completion
  - model_name: mixtral
    litellm_params:
      model: team/mixtral

litellm_settings:
  drop_params: true
general_settings:
  master_key: sk-1234
`

func TestRead(t *testing.T) {
	got, err := Read(strings.NewReader(gitLabs))
	want := []Entry{
		{"mistral", "ollama/mistral:latest", 3},
		{"codestral", "ollama_chat/codestral:22b", 7},
		{"mixtral", "team/mixtral", 11},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, says string }{
		"empty":               {"", "no model_list"},
		"another file":        {"services:\n  gitlab: {}\n", "no model_list"},
		"not YAML":            {"model_list:\n\t- x", "line"},
		"a mapping":           {"model_list:\n  mistral: x\n", "line 2: model_list is no list"},
		"a text in the list":  {"model_list:\n  - mistral\n", "line 2: is no model"},
		"no name":             {"model_list:\n  - litellm_params: {model: ollama/x}\n", "line 2: a model without model_name"},
		"no model":            {"model_list:\n  - model_name: x\n", `line 2: "x" has no litellm_params.model`},
		"too large":           {"#" + strings.Repeat(" ", limit), "larger than 1 MiB"},
		"aliases of aliases":  {"a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nmodel_list: [*b,*b]\n", "is no model"},
		"a list that is null": {"model_list:\n", "model_list"},
	} {
		_, err := Read(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", name, err, tt.says)
		}
	}
}

func TestResolve(t *testing.T) {
	for name, tt := range map[string]struct {
		entry  Entry
		stored []string
		want   string
	}{
		"imported from Ollama":        {Entry{Name: "c", Model: "ollama/codestral:22b"}, []string{"codestral", "codestral:22b"}, "codestral:22b"},
		"latest":                      {Entry{Name: "c", Model: "ollama/mistral:latest"}, []string{"mistral"}, "mistral"},
		"of somebody":                 {Entry{Name: "c", Model: "ollama/team/coder:v1"}, []string{"team-coder:v1"}, "team-coder:v1"},
		"with a dash":                 {Entry{Name: "c", Model: "ollama/codestral:22b"}, []string{"codestral-22b"}, "codestral-22b"},
		"by the entry's name":         {Entry{Name: "mistral", Model: "openai/whatever"}, []string{"mistral"}, "mistral"},
		"another tag is another one":  {Entry{Name: "c", Model: "ollama/codellama:13b-code"}, []string{"codellama", "codellama:13b"}, ""},
		"without provider, and there": {Entry{Name: "c", Model: "codestral"}, []string{"codestral"}, "codestral"},
	} {
		aliases, missing := Resolve([]Entry{tt.entry}, func(n string) bool { return slices.Contains(tt.stored, n) })
		switch {
		case tt.want == "" && (len(aliases) != 0 || len(missing) != 1):
			t.Errorf("%s: %v", name, aliases)
		case tt.want != "" && (len(missing) != 0 || len(aliases) != 1 || aliases[0] != Alias{tt.entry.Name, tt.want}):
			t.Errorf("%s: %v, %v; want %s", name, aliases, missing, tt.want)
		}
	}
}

// LiteLLM spreads requests among entries of one name; here the first with weights answers them.
func TestResolveRepeatedNames(t *testing.T) {
	entries := []Entry{{"m", "ollama/a", 2}, {"m", "ollama/b", 5}, {"m", "ollama/c", 8}}
	aliases, missing := Resolve(entries, func(n string) bool { return n != "a" && n != "m" })
	if len(aliases) != 1 || aliases[0] != (Alias{"m", "b"}) || len(missing) != 1 || missing[0].Entry.Line != 2 {
		t.Errorf("%v, %v", aliases, missing)
	}
	if text := missing[0].String(); text != `line 2: "m" (ollama/a) has no local weights; import them with: aigw models import OLLAMA_FOLDER a` {
		t.Error(text)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(gitLabs)
	f.Add("model_list: [{model_name: a, litellm_params: {model: b}}]")
	f.Add("model_list: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := Read(strings.NewReader(text))
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err)
		}
		for _, e := range entries {
			if e.Name == "" || e.Model == "" || e.Line < 1 {
				t.Errorf("%+v", e)
			}
		}
	})
}
