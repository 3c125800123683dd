package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
	"aigw/models/gguf/gguftest"

	"github.com/urfave/cli/v2"
)

// try runs tryModel as `aigw run` does, and returns what was logged.
func try(t *testing.T, path string) (log string, err error) {
	t.Helper()
	var lines bytes.Buffer
	app := newApp(io.Discard, io.Discard)
	app.Command("run").Action = func(c *cli.Context) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return tryModel(c, slog.New(slog.NewTextHandler(&lines, nil)), &modelFile{path: path, size: info.Size()})
	}
	err = app.RunContext(t.Context(), []string{"aigw", "run"})
	return lines.String(), err
}

// A file is tried in another process the first time that this machine sees its content, and what was
// found is kept.
func TestTryLoad(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path := testmodel.Path(t)
	log, err := try(t, path)
	if err != nil || !strings.Contains(log, "is tried in a process of its own") {
		t.Fatalf("%v, log %s", err, log)
	}
	other := filepath.Join(t.TempDir(), "other name.gguf")
	copyModel(t, path, other)
	if log, err := try(t, other); err != nil || log != "" {
		t.Errorf("the same content again: %v, log %s", err, log)
	}
}

// What ends the process of llama.cpp ends the child's, and becomes an error that is kept.
func TestTryLoadOfAFileThatEndsTheProcess(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	// Check would refuse it; here it stands for what no check foresees.
	twice := gguftest.Model(gguftest.SentencePiece("▁", "a", "b", "a"), gguftest.Network{}).WriteFile(t, t.TempDir(), "twice.gguf")
	for range 2 {
		_, err := try(t, twice)
		if err == nil || !strings.Contains(err.Error(), "twice.gguf: llama.cpp ends the process on this file") || !strings.Contains(err.Error(), "GGML_ASSERT") ||
			strings.Contains(err.Error(), "\n") {
			t.Fatalf("%v", err)
		}
	}
	// A file that llama.cpp refuses without ending is refused too.
	unknown := gguftest.Model(gguftest.SentencePiece("▁", "a", "b"), gguftest.Network{}).Set("general.architecture", "none").WriteFile(t, t.TempDir(), "unknown.gguf")
	if _, err := try(t, unknown); err == nil || !strings.Contains(err.Error(), "llama.cpp cannot use this file: ") {
		t.Errorf("a file of no known architecture: %v", err)
	}
}

func TestLastWords(t *testing.T) {
	for said, want := range map[string]string{
		"":                               "it said nothing",
		"x\ny\n":                         "x",
		"log\naigw: load x: bad magic\n": "load x: bad magic",
		"a.cpp:1: GGML_ASSERT(b) failed\nSIGABRT: abort\n\ngoroutine 1\n": "a.cpp:1: GGML_ASSERT(b) failed",
	} {
		if got := lastWords(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}
