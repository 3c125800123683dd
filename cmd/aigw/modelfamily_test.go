package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// What a file does not tell the operator says; what it contradicts is refused.
func TestFamilyIsSaid(t *testing.T) {
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	model := testmodel.Path(t)
	name := stem(model)
	inspected := func(args ...string) inspection {
		t.Helper()
		code, stdout, stderr := call(t, append(append([]string{"models", "inspect", "--json"}, args...), model)...)
		var i inspection
		if err := json.Unmarshal([]byte(stdout), &i); err != nil || code != 0 {
			t.Fatalf("code %d, %v: %s%s", code, err, stdout, stderr)
		}
		return i
	}
	if i := inspected("--no-plan"); i.Family != "smollm2" || i.Role != "instruct" {
		t.Errorf("%+v", i)
	}
	// The child that plans knows it, too.
	if i := inspected("--family", "chatml:base"); i.Family != "chatml" || i.Role != "base" || i.Memory == nil {
		t.Errorf("%+v", i)
	}
	if i := inspected("--no-plan", "--family", "other=starcoder, "+strings.ToUpper(name)+"=chatml"); i.Family != "chatml" {
		t.Errorf("%+v", i)
	}
	t.Setenv("AIGW_FAMILY", "chatml")
	if i := inspected("--no-plan"); i.Family != "chatml" {
		t.Errorf("by the variable: %+v", i)
	}
	t.Setenv("AIGW_FAMILY", "")

	second := filepath.Join(t.TempDir(), "second.gguf")
	copyModel(t, model, second)
	for _, test := range []struct {
		args []string
		want string // of the error; "" is none
	}{
		{[]string{"--model", model, "--family", "chatml"}, ""},
		{[]string{"--model", "x=" + model, "--model", second, "--family", "x=chatml,second=chatml:base"}, ""},
		{[]string{"--model", model, "--family", "codestral"}, "family codestral has"},
		{[]string{"--model", model, "--family", "codestrall"}, "no family is called"},
		{[]string{"--model", model, "--family", "chatml:chat"}, "a role is base or instruct"},
		{[]string{"--model", model, "--family", "=chatml"}, "is expected"},
		{[]string{"--model", model, "--family", "chatml,smollm2"}, "set twice"},
		{[]string{"--model", "x=" + model, "--family", "y=chatml"}, "loaded are: x"},
		{[]string{"--model", "x=" + model, "--model", second, "--family", "chatml"}, "--family x=chatml"},
	} {
		_, _, err := choose(t, test.args...)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%v: %v, want %q", test.args, err, test.want)
		}
	}
	code, stdout, stderr := call(t, "tokenize", "--model", model, "--family", "chatml", "--json", "--text-file", write(t, "x.txt", "x"))
	if code != 0 || !strings.Contains(stdout, `"family":"chatml"`) {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
}
