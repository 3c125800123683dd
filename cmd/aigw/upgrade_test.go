package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// What another version has left in the state folder is read or ignored: no version is kept from
// starting by an older one's state, nor by a newer one's in a form that it cannot know.
func TestStateOfOtherVersions(t *testing.T) {
	mountDocsDB(t, pageRow)
	state := t.TempDir()
	t.Setenv("AIGW_STATE_DIR", state)
	built := version
	t.Cleanup(func() { version = built })
	var key string
	serves := func(t *testing.T, as string) *running {
		t.Helper()
		version = as // the stamp of another build
		r := startClosed(t, "--model", testmodel.Path(t), "--ctx", "1024", "--completion-time", "0", "--keep-prefixes", "64")
		r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
		r.eventuallyFinds(`"source_url":"https://gitlab.example.com/help/user/ssh#make-a-key"`)
		if got := r.complete(strings.Replace(codeBody, "%STREAM%", "false", 1)); got.status != http.StatusOK {
			t.Fatalf("as %s a completion is answered %d %s", as, got.status, got.text)
		}
		return r
	}
	apiKeyIs := func(t *testing.T, r *running, want int) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("an API key that an older version made: %d, want %d\n%s", res.StatusCode, want, r.log)
		}
	}

	r := serves(t, "v17.7.0")
	code, stdout, stderr := call(t, "keys", "add", "--json", "alice")
	var made struct{ Key string }
	if err := json.Unmarshal([]byte(stdout), &made); code != 0 || err != nil || made.Key == "" {
		t.Fatalf("keys add: %d, %s%s", code, stdout, stderr)
	}
	key = made.Key
	for range 4 { // so that their common beginning is kept
		r.complete(strings.Replace(codeBody, "%STREAM%", "false", 1))
	}
	r.end()
	signing := read(t, filepath.Join(state, "signing-key.pem"))
	for _, pattern := range []string{"tried/*.json", "prefixes-*.zst", "docs.index/manifest.json", "api-keys.json"} {
		if found, err := filepath.Glob(filepath.Join(state, pattern)); err != nil || len(found) != 1 {
			t.Errorf("the older version has left %q as %s: %v", found, pattern, err)
		}
	}

	r = serves(t, "v17.8.0")
	apiKeyIs(t, r, http.StatusOK)
	r.end()
	if read(t, filepath.Join(state, "signing-key.pem")) != signing {
		t.Error("the newer version has made another signing key: what editors hold is void")
	}

	for name, text := range map[string]string{
		"in a form of the future": `{"format":99,"version":"v99.0.0","keys":"elsewhere","jwks":[]}`,
		"empty":                   "",
	} {
		err := filepath.WalkDir(state, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return os.WriteFile(path, []byte(text), 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			r := serves(t, "v17.7.0")
			apiKeyIs(t, r, http.StatusNotFound) // as if nobody had made any
			r.end()
			if !strings.Contains(r.log.String(), "signing-key.pem") || !strings.Contains(r.log.String(), "api-keys.json") {
				t.Errorf("nobody is told what was ignored: %s", r.log)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
