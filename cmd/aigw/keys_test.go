package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeysCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	t.Setenv("AIGW_STATE_DIR", dir)
	code, stdout, stderr := call(t, "keys", "list")
	if code != 0 || stdout != "" || !strings.Contains(stderr, "aigw keys add NAME") {
		t.Errorf("without keys: %d %q %q", code, stdout, stderr)
	}
	code, stdout, stderr = call(t, "keys", "add", "alice", "--per-minute", "60", "--running=2", "--model", "codestral", "--model", "mistral", "--admin")
	key := strings.TrimSpace(stdout)
	if code != 0 || !strings.HasPrefix(key, "sk-aigw-") || len(key) < 40 || strings.Contains(key, "\n") || !strings.Contains(stderr, filepath.Join(dir, "api-keys.json")) {
		t.Fatalf("%d %q %q", code, stdout, stderr)
	}
	if code, stdout, _ = call(t, "keys", "add", "--json", "bob"); code != 0 || !strings.Contains(stdout, `"key":"sk-aigw-`) {
		t.Errorf("%d %q", code, stdout)
	}
	_, table, _ := call(t, "keys", "list")
	_, text, _ := call(t, "keys", "list", "--json")
	var list struct {
		File string
		Keys []struct {
			ID, Name   string
			Admin      bool
			PerMinute  int `json:"per_minute"`
			Running    int
			Models     []string
			Hash, Text string
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Keys) != 2 {
		t.Fatalf("%s: %v", text, err)
	}
	if k := list.Keys[0]; k.Name != "alice" || !k.Admin || k.PerMinute != 60 || k.Running != 2 || strings.Join(k.Models, " ") != "codestral mistral" || !strings.HasPrefix(k.Hash, k.ID) {
		t.Errorf("%+v", k)
	}
	if strings.Contains(text+table, key) || !strings.Contains(table, "codestral, mistral") || !strings.Contains(table, "bob") {
		t.Errorf("%s%s", table, text)
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"keys", "add"}, 2, "NAME"},
		{[]string{"keys", "add", "a", "b"}, 2, "one NAME"},
		{[]string{"keys", "add", "alice"}, 1, "already"},
		{[]string{"keys", "add", "x", "--running", "-1"}, 2, "negative"},
		{[]string{"keys", "revoke", "carol"}, 1, "aigw keys list"},
		{[]string{"keys", "revoke"}, 2, "ID or NAME"},
		{[]string{"keys", "lose"}, 2, "aigw keys --help"},
		{[]string{"keys", "revoke", "alice"}, 0, "revoked"},
		{[]string{"run", "--openai-insecure", "--listen", "0.0.0.0:0"}, 2, "other machines"},
	} {
		if code, _, stderr := call(t, test.args...); code != test.code || !strings.Contains(stderr, test.want) {
			t.Errorf("%q: %d %q", test.args, code, stderr)
		}
	}
}
