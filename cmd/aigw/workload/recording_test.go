package workload

import (
	"slices"
	"strings"
	"testing"
)

func TestTheProgramsRecording(t *testing.T) {
	r, err := Recorded()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mixed", "typing", "chat", "paste"} {
		m, err := r.Mix(name)
		if err != nil {
			t.Fatal(err)
		}
		if m.About == "" {
			t.Errorf("%s is not described", name)
		}
	}
	m, _ := r.Mix("mixed")
	if got := r.Kinds(m, len(m.People)); !slices.Equal(got, []Kind{Typing, Chat, Generation}) {
		t.Errorf("mixed has %v", got)
	}
	if got := r.Who(m, 9); got != "6 type, 1 asks for code, 2 chat" {
		t.Errorf("%q", got)
	}
	if n := len(pasted("x", 24)); n < 3000 || n > 20_000 {
		t.Errorf("a paste has %d bytes", n)
	}
	for name, s := range r.Sessions {
		if s.Kind == Typing && (len(s.Above)+len(s.Below) < 900 || !strings.Contains(s.Above[:min(200, len(s.Above))], Name)) {
			t.Errorf("%s is too short, or its beginning the same for everybody", name)
		}
	}
}

func TestRecordingsThatCannotBePlayed(t *testing.T) {
	const mix = "mixes: {m: {people: [a]}}\nsessions: {a: "
	for name, test := range map[string]struct{ text, says string }{
		"not YAML":         {"{", "is no recording"},
		"unknown key":      {"people: 3", "people"},
		"no mix":           {"sessions: {}", "no mix"},
		"nobody":           {"mixes: {m: {people: []}}", "nobody"},
		"unknown session":  {"mixes: {m: {people: [b]}}", `"b"`},
		"unknown kind":     {mix + "{kind: sleeping}}", `"sleeping"`},
		"no bursts":        {mix + "{kind: typing, file: a.go, rhythm_ms: [100]}}", "bursts"},
		"no rhythm":        {mix + "{kind: typing, file: a.go, rhythm_ms: [0], bursts: [{pause_ms: 500, text: x}]}}", "1 ms"},
		"no pause":         {mix + "{kind: typing, file: a.go, debounce_ms: 150, rhythm_ms: [100], bursts: [{text: x}]}}", "no pause"},
		"nothing asked":    {mix + "{kind: generation}}", "no asks"},
		"a paste too long": {mix + "{kind: chat, answer_tokens: 9, asks: [{text: x, paste_functions: 9999}]}}", "at most 2000"},
		"no tokens":        {mix + "{kind: chat, asks: [{text: x}]}}", "answer_tokens"},
	} {
		if _, err := parse(strings.NewReader(test.text), "it"); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open("/nowhere/mix.yaml"); err == nil {
		t.Error("a file that is not there was read")
	}
	r, err := Recorded()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Mix("nobody"); err == nil || !strings.Contains(err.Error(), "chat, mixed, paste, typing") {
		t.Errorf("%v", err)
	}
}
