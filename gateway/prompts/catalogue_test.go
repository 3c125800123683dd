package prompts

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aigw/gateway/schema"
	"aigw/models"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew")

// marked gives each input of a prompt a text of its own.
func marked(names []string) map[string]string {
	inputs := map[string]string{}
	for _, name := range names {
		inputs[name] = "[what stands in " + name + "]"
	}
	return inputs
}

// names returns the inputs that a prompt knows.
func names(p *Prompt) []string {
	all := slices.Clone(p.required)
	for _, m := range p.messages {
		all = append(all, m.text.names...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func written(messages []models.Message) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString("--- " + m.Role + "\n" + m.Content + "\n")
	}
	return b.String()
}

// Each prompt reads as the file in testdata says, with and without its inputs; all its inputs are in it, and it is
// not another's.
func TestRenderings(t *testing.T) {
	all := map[string]string{}
	for _, id := range BuiltIn().IDs() {
		p := BuiltIn().versions[id][0]
		if p.Version.String() != "1.0.0" {
			t.Errorf("%s has version %s", id, p.Version)
		}
		inputs := marked(names(p))
		full, err := p.render(inputs)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := p.render(nil)
		if err != nil {
			t.Fatal(err)
		}
		text := written(full)
		for name, value := range inputs {
			if !strings.Contains(text, value) {
				t.Errorf("%s leaves %s out", id, name)
			}
		}
		if strings.Contains(text+written(bare), "<no value>") || strings.Contains(text, "{{") {
			t.Errorf("%s: %s", id, text)
		}
		if other, ok := all[text]; ok {
			t.Errorf("%s and %s are alike", id, other)
		}
		all[text] = id
		compare(t, filepath.Join("testdata", strings.ReplaceAll(id, "/", ".")+".txt"), text+"\n=== without inputs\n"+written(bare))
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v); if that is meant: go test ./gateway/prompts -update\n%s", file, err, got)
	}
}

// The catalogue of section 10.3 of the wire contract.
func TestParameters(t *testing.T) {
	for id, want := range map[string]struct {
		right       string
		temperature float64 // negative: the model's own
		tokens      int
		required    string
		reader      bool
	}{
		"chat/build_reader":            {"ask_build", 0, 2048, "", true},
		"chat/commit_reader":           {"ask_commit", 0, 2048, "", true},
		"chat/epic_reader":             {"ask_epic", 0.1, 2048, "", true},
		"chat/issue_reader":            {"ask_issue", 0.1, 2048, "", true},
		"chat/merge_request_reader":    {"ask_merge_request", 0, 2048, "", true},
		"chat/explain_code":            {"explain_code", 0, 2048, "", false},
		"chat/explain_vulnerability":   {"explain_vulnerability", 0.1, 2048, "", false},
		"chat/fix_code":                {"fix_code", 0.1, 2048, "", false},
		"chat/refactor_code":           {"refactor_code", 0.1, 2048, "", false},
		"chat/write_tests":             {"write_tests", 0.1, 2048, "", false},
		"chat/summarize_comments":      {"summarize_comments", 0.1, 2048, "", false},
		"chat/troubleshoot_job":        {"troubleshoot_job", 0.1, 2048, "", false},
		"code_suggestions/completions": {"complete_code", 0, 128, "prefix suffix", false},
		"code_suggestions/generations": {"generate_code", 0.2, 512, "", false},
		"model_configuration/check":    {"complete_code", 0, 12, "", false},
		"categorize_question":          {"duo_chat", 0, 500, "question previous_answer", false},
		"generate_commit_message":      {"generate_commit_message", 0, 4096, "diff", false},
		"generate_description":         {"generate_issue_description", 0, 4096, "content template", false},
		"glab_ask_git_command":         {"glab_ask_git_command", -1, 2048, "prompt", false},
		"measure_comment_temperature":  {"measure_comment_temperature", 0.5, 1000, "content", false},
		"resolve_vulnerability":        {"resolve_vulnerability", -1, 4096, "name vulnerability_description identifiers filename source_code vulnerable_code", false},
		"summarize_new_merge_request":  {"summarize_new_merge_request", 0, 2000, "extracted_diff", false},
		"summarize_review":             {"summarize_review", -1, 2048, "draft_notes_content", false},
	} {
		if !BuiltIn().has(id) {
			t.Errorf("%s is missing", id)
			continue
		}
		p := BuiltIn().versions[id][0]
		temperature := -1.0
		if p.temperature != nil {
			temperature = *p.temperature
		}
		if len(p.rights) != 1 || string(p.rights[0]) != want.right || temperature != want.temperature || p.maxTokens != want.tokens ||
			strings.Join(p.required, " ") != want.required || (p.reader != nil) != want.reader {
			t.Errorf("%s: %+v", id, p)
		}
	}
	if n := len(BuiltIn().IDs()); n != 23 {
		t.Errorf("%d prompts", n)
	}
}

const valid = "id: chat/x\nversion: 1.0.0\nunit_primitives: [duo_chat]\nmax_tokens: 9\ninputs: [input]\nmessages:\n  - role: user\n    text: |\n      Hello\n      {{.input}}\n"

// What is wrong with a file is said with its name and line.
func TestMistakesInFiles(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"id: chat/x", "id: Chat X", "p.yaml:1: id"},
		{"id: chat/x", "id: chat/react", "p.yaml:1: chat/react is the agent's own"},
		{"1.0.0", "one", "p.yaml:2: version"},
		{"[duo_chat]", "[]", "p.yaml:3: unit_primitives"},
		{"max_tokens: 9", "max_tokens: 0", "p.yaml:4: max_tokens 0: from 1 to 8192"},
		{"max_tokens: 9", "max_tokens: many", "p.yaml:4: cannot unmarshal"},
		{"max_tokens: 9", "max_tokens: 9\ntemperature: .nan", "p.yaml:5: temperature NaN"},
		{"max_tokens: 9", "max_tokens: 9\nstops: ['']", "p.yaml:5: stops"},
		{"max_tokens: 9", "max_tokens: 9\nreader: snippet_reader", "p.yaml:5: reader"},
		{"max_tokens: 9", "max_tokens: 9\ngrammar: |\n  root ::= x\n  y ::= [", "p.yaml:7: grammar: "},
		{"max_tokens: 9", "max_tokens: 9\nreader: issue_reader\ngrammar: root ::= [a]", "p.yaml:6: a reader's prompt"},
		{"max_tokens: 9", "most_tokens: 9", "p.yaml:4: field most_tokens is unknown"},
		{"[input]", "[Input]", "p.yaml:5: input"},
		{"role: user", "role: robot", "p.yaml:7: role \"robot\""},
		{"{{.input}}", "{{.inputs}}", "p.yaml:10: inputs is not among required and inputs"},
		{"{{.input}}", "{{.input", "p.yaml:10: unclosed action"},
		{"{{.input}}", "{{printf \"%999999d\" 1}}", "p.yaml:10: only {{.name}}"},
		{"{{.input}}", "{{call .input}}", "p.yaml:10: only {{.name}}"},
		{"{{.input}}", "{{.input.more}}", "p.yaml:10: only {{.name}}"},
		{"{{.input}}", "{{range .input}}x{{end}}", "p.yaml:10: only {{.name}}"},
		{"{{.input}}", "{{$x := .input}}", "p.yaml:10: only {{.name}}"},
		{"{{.input}}", "{{if .input}}{{.}}{{end}}", "p.yaml:10: only {{.name}}"},
		{"{{.input}}", "{{define \"x\"}}x{{end}}", "p.yaml:9: a text cannot define"},
		{"      Hello\n      {{.input}}\n", "", "the text is empty"},
		{"messages:", "messages: []\nmore:", "p.yaml:7: field more is unknown"},
		{"id: chat/x", "id: [", "p.yaml:"},
		{"Hello", "Hello\n---\nid: y", "p.yaml:"},
	} {
		text := strings.Replace(valid, test.old, test.new, 1)
		if _, err := parsePrompt("p.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, not %s", test.new, err, test.want)
		}
	}
	if _, err := parsePrompt("p.yaml", []byte(valid)); err != nil {
		t.Error(err)
	}
}

// An operator's folder replaces a version, adds another, and adds prompts; the rest stays.
func TestFolderOfAnOperator(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("own.yaml", strings.Replace(valid, "chat/x", "chat/explain_code", 1))
	write("newer.yml", strings.Replace(strings.Replace(valid, "chat/x", "chat/write_tests", 1), "1.0.0", "1.2.0", 1))
	write("more.yaml", valid)
	write("notes.txt", "not a prompt")
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.IDs()) != 24 || len(c.versions["chat/explain_code"]) != 1 || c.versions["chat/explain_code"][0].maxTokens != 9 {
		t.Errorf("%v", c.IDs())
	}
	for text, want := range map[string]string{"": "1.2.0", "1.0.0": "1.0.0", "<1.1": "1.0.0", "^1.1": "1.2.0"} {
		within, err := parseConstraint(text)
		if got := c.find("chat/write_tests", within); err != nil || got == nil || got.Version.String() != want {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	write("twice.yaml", valid)
	write("wrong.yaml", "id: 1\nversion: 1\n")
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "twice.yaml")+":1:") || !strings.Contains(err.Error(), filepath.Join(dir, "wrong.yaml")+":") {
		t.Error(err)
	}
	if _, err := Load(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is missing is taken")
	}
}

// A question that holds no path is answered without one.
func TestReadersOfQuestions(t *testing.T) {
	for _, test := range []struct {
		id, question string
		bare         bool
	}{
		{"chat/issue_reader", "What is #3 about?", true},
		{"chat/issue_reader", "What is shop/cart#3 about?", false},
		{"chat/issue_reader", "Read https://git.example.test/shop/cart/-/issues/3", false},
		{"chat/epic_reader", "Is &3 done?", true},
		{"chat/epic_reader", "Is shop&3 done?", false},
		{"chat/build_reader", "Why did job 12 fail?", true},
		{"chat/commit_reader", "Who wrote this commit?", true},
		{"chat/commit_reader", "Who wrote 7be41f09?", false},
	} {
		r := BuiltIn().versions[test.id][0].reader
		if got := r.grammar(map[string]string{"input": test.question, "suggestions": "I need it."}); (got == r.bare) != test.bare {
			t.Errorf("%s: %s", test.id, test.question)
		}
	}
}

func TestConstraints(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "^1.0.0": true, "1.0.0": true, "=1.0.0": true, "==1.0.0": true, "~1.0": true, "~1": true, "1.*": true, "*": true, "1.0.x": true,
		">=1.0,<2.0": true, ">=1.0 <2.0": true, ">=1.0, <2.0": true, "^2.0 || ^1.0": true, "^2.0|1.0.0": true, "~=1.0": true, "~=1.0.0": true, "!=1.1.0": true,
		"^2.0.0": false, "~1.2": false, ">1.0.0": false, "2.*": false, "<>1.0.0": false, "^0.9": false,
	} {
		c, err := parseConstraint(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := c.allows(BuiltIn().versions["chat/explain_code"][0].Version); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	for _, text := range []string{"latest", "^", "1.0.0 ||", "^^1", "a.b.c", "^1.0.0\x00", " ", "1.0 - 2.0", "~>1", "=>1", strings.Repeat("1.0.0||", 100)} {
		if _, err := parseConstraint(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Inputs are data: what looks like a template, and a text that grows, do nothing.
func TestInputsAreData(t *testing.T) {
	p := BuiltIn().versions["chat/explain_code"][0]
	const hostile = `{{.input}}{{printf "%99999999d" 1}}{{end}}`
	messages, err := p.render(map[string]string{"selected_text": hostile, "input": "x"})
	if err != nil || !strings.Contains(written(messages), hostile) {
		t.Errorf("%v %v", messages, err)
	}
	if _, err := p.render(map[string]string{"selected_text": strings.Repeat("x", mostRendered)}); err != errTooLong { //nolint:errorlint // it is returned as it is
		t.Error(err)
	}
}

func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"inputs":{}}`, `{"inputs":{"input":"x","suggestions":null},"stream":true}`, `{"inputs":{"a":[1,2.5,"x",[null,{"b":NaN}]],"c":{"d":true}},"prompt_version":">=1,<2"}`,
		`{"inputs":1}`, `{"inputs":{"input":"\ud800"},"model_metadata":{"name":"mistral","provider":"openai","endpoint":"http://x.test"}}`, `[]`, ``,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := schema.Parse(requestKind, "application/json", body)
		if err != nil {
			return
		}
		inputs := request.texts()
		for _, id := range BuiltIn().IDs() {
			p := BuiltIn().versions[id][0]
			p.missing(inputs)
			if _, err := p.render(inputs); err != nil && len(body) < mostRendered/100 {
				t.Fatalf("%s: %v", id, err)
			}
		}
		if request.Version != nil {
			if c, err := parseConstraint(*request.Version); err == nil {
				BuiltIn().find("chat/explain_code", c)
			}
		}
	})
}

// What the grammars of prompts derive is what GitLab reads, and what their texts ask for.
func TestForms(t *testing.T) {
	for id, forms := range map[string]struct{ right, wrong []string }{
		"measure_comment_temperature": {
			[]string{"<temperature_rating>\n{\"rating\": 2, \"issues\": [\"It calls the author careless.\"]}\n</temperature_rating>", "<temperature_rating>\n{\"rating\": 1, \"issues\": []}\n</temperature_rating>"},
			[]string{"<temperature_rating>\n{\"rating\": 3, \"issues\": []}\n</temperature_rating>", "{\"rating\": 1, \"issues\": []}", ""},
		},
		"resolve_vulnerability": {
			[]string{
				"<analysis>\nIt is.\n</analysis>\n<fixed_code>\n<old_code>\n  <b>x</b>\n</old_code>\n<new_code>\n</nav>\n</new_code>\n</fixed_code>\n<is_false_positive>false</is_false_positive>\n<summary>\nMended.\n</summary>",
				"<analysis>\nIt is not, a < b.\n</analysis>\n<fixed_code>\n</fixed_code>\n<is_false_positive>true</is_false_positive>\n<summary>\nNothing.\n</summary>",
			},
			[]string{"<analysis>\nIt is.\n</analysis>", "<analysis>\nx</analysis>\n</analysis>\n<fixed_code>\n</fixed_code>\n<is_false_positive>true</is_false_positive>\n<summary>\nNothing.\n</summary>"},
		},
		"categorize_question": {
			[]string{`{"category": "Code", "detailed_category": "Fix Code", "labels": ["contains_code", "asks_for_code"], "language": "en"}`, `{"category": "CI/CD", "detailed_category": "Deploy", "labels": [], "language": "de"}`},
			[]string{`{"category": "Code", "detailed_category": "Deploy", "labels": [], "language": "en"}`, `{"category": "Code", "detailed_category": "Fix Code", "labels": ["none"], "language": "en"}`},
		},
	} {
		p := BuiltIn().versions[id][0]
		for _, text := range forms.right {
			if !p.form.Derives(text) {
				t.Errorf("%s refuses %q", id, text)
			}
		}
		for _, text := range forms.wrong {
			if p.form.Derives(text) {
				t.Errorf("%s accepts %q", id, text)
			}
		}
	}
	// The lists of the text are those of the grammar.
	p := BuiltIn().versions["categorize_question"][0]
	messages, err := p.render(map[string]string{"question": "q", "previous_answer": ""})
	if err != nil {
		t.Fatal(err)
	}
	detailed := 0
	for line := range strings.Lines(messages[0].Content) {
		category, list, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || !strings.Contains(list, ", ") || strings.Contains(category, "{") {
			continue
		}
		for _, d := range strings.Split(list, ", ") {
			detailed++
			if text := `{"category": "` + category + `", "detailed_category": "` + d + `", "labels": [], "language": "en"}`; !p.form.Derives(text) {
				t.Errorf("the grammar lacks %s", text)
			}
		}
	}
	if detailed != 96 {
		t.Errorf("%d detailed categories", detailed)
	}
}
