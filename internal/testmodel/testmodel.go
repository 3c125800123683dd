// Package testmodel finds the real model that tests run on.
package testmodel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// find runs the script once in a test process; it fetches the model if it is not cached yet.
var find = sync.OnceValues(func() (string, string) {
	if path := os.Getenv("AIGW_TEST_MODEL"); path != "" {
		return path, ""
	}
	root, err := os.Getwd()
	if err != nil {
		return "", err.Error()
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(root)
		if parent == root {
			return "", "no go.mod above the working directory"
		}
		root = parent
	}
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(root, "third_party", "smollm2", "fetch.sh"))
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", err.Error() + ": " + strings.TrimSpace(stderr.String())
	}
	return strings.TrimSpace(string(out)), ""
})

// Path returns the GGUF file named by AIGW_TEST_MODEL, else SmolLM2-135M-Instruct as
// third_party/smollm2/fetch.sh provides it. Without a model the test fails: one that is skipped
// proves nothing.
func Path(t testing.TB) string {
	t.Helper()
	path, failure := find()
	if failure != "" {
		t.Fatalf("no test model: %s; set AIGW_TEST_MODEL to a GGUF file", failure)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no test model: %v", err)
	}
	return path
}
