package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// keyPair makes keys as the help says.
func keyPair(t *testing.T) (private, public string) {
	t.Helper()
	dir := t.TempDir()
	private, public = filepath.Join(dir, "site.pem"), filepath.Join(dir, "site.pub")
	for _, args := range [][]string{
		{"genpkey", "-algorithm", "ed25519", "-out", private},
		{"pkey", "-in", private, "-pubout", "-out", public},
	} {
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
	}
	return private, public
}

// A bundle with a real model goes out and comes in again, with flags before and behind the file's name.
func TestBundleThereAndBack(t *testing.T) {
	model := testmodel.Path(t)
	private, public := keyPair(t)
	file := filepath.Join(t.TempDir(), "site.aigw")
	index := write(t, "docs.aigw", "an index")
	chart := filepath.Join(t.TempDir(), "ai-gateway")
	if err := os.MkdirAll(filepath.Join(chart, "templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(chart, "templates", "deployment.yaml"), []byte("kind: Deployment\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call(t, "bundle", "create", "-o", file, "--key", private, "--model", model, "--docs", index, "--chart", chart, "--json")
	var made struct {
		Files int
		Key   string
		Start []string
	}
	if code != 0 || json.Unmarshal([]byte(out), &made) != nil || len(made.Key) != 64 {
		t.Fatalf("create: %d, %s%s", code, out, errs)
	}
	if len(made.Start) != 1 || !strings.Contains(made.Start[0], "{dir}/bin/aigw run --model {dir}/models/"+filepath.Base(model)) {
		t.Errorf("start commands: %q", made.Start)
	}

	for name, args := range map[string][]string{
		"no key":       {"bundle", "verify", file},
		"no such key":  {"bundle", "verify", file, "--key", file + ".pub"},
		"private key":  {"bundle", "verify", file, "--key", private},
		"not a bundle": {"bundle", "verify", model, "--allow-unsigned"},
	} {
		if code, out, errs := call(t, args...); code != exitFailed || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: %d, %s%s", name, code, out, errs)
		}
	}
	for name, args := range map[string][]string{
		"two files":    {"bundle", "verify", file, file},
		"no file":      {"bundle", "verify", "--key", public},
		"no folder":    {"bundle", "load", file, "--key", public},
		"unknown flag": {"bundle", "load", file, "--dri", "x"},
		"no output":    {"bundle", "create", "--model", model},
	} {
		if code, _, errs := call(t, args...); code != exitUsage || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: %d, %s", name, code, errs)
		}
	}

	if code, out, errs := call(t, "bundle", "verify", file, "--key", public); code != 0 || !strings.Contains(out, "intact") {
		t.Fatalf("verify: %d, %s%s", code, out, errs)
	}
	dir := filepath.Join(t.TempDir(), "opt aigw")
	code, out, errs = call(t, "bundle", "load", file, "--dir", dir, "--key", public)
	if code != 0 || !strings.Contains(out, "'"+dir+"'/bin/aigw run --model '"+dir+"'/models/") {
		t.Fatalf("load: %d, %s%s", code, out, errs)
	}
	check := exec.Command("sha256sum", "--check", "--quiet", "SHA256SUMS")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	var parts struct {
		BOMFormat, SpecVersion string
		Components             []struct{ Type, Name, Version string }
	}
	data, err := os.ReadFile(filepath.Join(dir, "sbom.cdx.json"))
	if err != nil || json.Unmarshal(data, &parts) != nil || parts.BOMFormat != "CycloneDX" {
		t.Fatalf("list of parts: %v\n%s", err, data)
	}
	named := map[string]string{}
	for _, c := range parts.Components {
		named[c.Name] = c.Type
	}
	for name, kind := range map[string]string{
		"github.com/gin-gonic/gin": "library", "llama.cpp": "library", "go": "framework",
		"models/" + filepath.Base(model): "machine-learning-model", "docs/docs.aigw": "file",
	} {
		if named[name] != kind {
			t.Errorf("the list of parts has %s as %q, want %q", name, named[name], kind)
		}
	}
	for _, name := range []string{"bin/aigw", "docs/docs.aigw", "chart/ai-gateway/templates/deployment.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
