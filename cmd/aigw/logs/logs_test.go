package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw/cmd/aigw/logs"
	"aigw/gateway/requestlog"
)

// Section 14.1 of the wire contract.
func TestLine(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(logs.NewJSON(&b, slog.LevelDebug))
	ctx, _ := requestlog.With(context.Background(), "id-1")
	log.LogAttrs(ctx, logs.LevelCritical, "hello", slog.Int("n", 1))
	log.Warn("there", "logger", "api.access", "correlation_id", "id-2")
	log.With("a", 1).Debug("x")
	var lines []map[string]any
	for line := range strings.Lines(b.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fields)
	}
	for i, want := range []map[string]any{
		{"logger": "aigw", "level": "critical", "type": "mlops", "stage": "main", "message": "hello", "correlation_id": "id-1", "n": 1.0},
		{"logger": "api.access", "level": "warning", "correlation_id": "id-2"},
		{"logger": "aigw", "level": "debug", "a": 1.0},
	} {
		for k, v := range want {
			if lines[i][k] != v {
				t.Errorf("line %d: %s is %v, want %v", i, k, lines[i][k], v)
			}
		}
		if at, err := time.Parse(time.RFC3339Nano, lines[i]["timestamp"].(string)); err != nil || at.Location() != time.UTC {
			t.Errorf("timestamp %v, %v", lines[i]["timestamp"], err)
		}
		if lines[i]["time"] != nil || lines[i]["msg"] != nil {
			t.Errorf("%v", lines[i])
		}
	}
	if strings.Count(b.String(), "correlation_id") != 2 {
		t.Error(b.String())
	}
}

func TestFileIsReopened(t *testing.T) {
	path, also := filepath.Join(t.TempDir(), "aigw.log"), &bytes.Buffer{}
	f, err := logs.Open(path, also)
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		t.Helper()
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	say("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	say("two\n")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	say("three\n")
	for name, want := range map[string]string{path + ".1": "one\ntwo\n", path: "three\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if also.String() != "one\ntwo\nthree\n" {
		t.Errorf("%q", also)
	}
	if _, err := logs.Open(filepath.Join(path, "x"), also); err == nil || !strings.Contains(err.Error(), "AIGW_LOGGING__TO_FILE") {
		t.Errorf("%v", err)
	}
}
