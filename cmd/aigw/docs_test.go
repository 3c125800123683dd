package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docsFolder is a small tree of pages.
func docsFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"user/ssh.md":   "---\ntitle: SSH keys\n---\n\n## Make a key\n\nRun `ssh-keygen`.\n",
		"ci/_index.md":  "# Pipelines\n\nJobs run in stages. \x1b[31mred\n",
		"not-a-page.go": "package x\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Flags may stand behind what they belong to, as people type them.
func TestDocsIndexSearchInfo(t *testing.T) {
	index := filepath.Join(t.TempDir(), "docs.index")
	code, stdout, stderr := call(t, "docs", "index", docsFolder(t), "-o", index, "--version_tag", "v17.8.0-ee", "--url=https://docs.example.com/{folder}")
	if code != 0 || !strings.Contains(stdout, "2 pages, 2 passages") {
		t.Fatalf("code %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = call(t, "docs", "search", "how do I make a key", "--index", index, "-k", "10", "--json")
	var found struct {
		Results []struct {
			ID, Page, Anchor, Title, URL, Content, Version string
			Headings                                       []string
			Score                                          float64
		}
	}
	if err := json.Unmarshal([]byte(stdout), &found); code != 0 || err != nil || len(found.Results) != 1 {
		t.Fatalf("code %d, %v, %s%s", code, err, stdout, stderr)
	}
	if r := found.Results[0]; r.Page != "user/ssh.md" || r.URL != "https://docs.example.com/user/ssh/#make-a-key" || r.Version != "v17.8.0-ee" ||
		r.Title != "SSH keys" || r.Headings[0] != "Make a key" || r.Score <= 0 || r.ID == "" {
		t.Errorf("result %+v", r)
	}
	if code, stdout, _ := call(t, "docs", "search", "--index", index, "stages"); code != 0 || !strings.Contains(stdout, "1. Pipelines") || strings.Contains(stdout, "\x1b") {
		t.Errorf("code %d, %q", code, stdout)
	}
	if code, stdout, _ := call(t, "docs", "search", "--index", index, "xylophone", "--json"); code != 0 || stdout != `{"results":[]}`+"\n" {
		t.Errorf("nothing found: code %d, %q", code, stdout)
	}
	if code, stdout, _ := call(t, "docs", "info", index); code != 0 || !strings.Contains(stdout, "whole") || !strings.Contains(stdout, "v17.8.0-ee") {
		t.Errorf("info: code %d, %q", code, stdout)
	}
	if _, stdout, _ := call(t, "docs", "info", index); !strings.Contains(stdout, "GitLab B.V.") || !strings.Contains(stdout, "CC BY-SA 4.0") {
		t.Errorf("info names nobody: %q", stdout)
	}
	// Whoever passes the folder on passes this on.
	if text, err := os.ReadFile(filepath.Join(index, "ATTRIBUTION.txt")); err != nil || !strings.Contains(string(text), "GitLab B.V.") || !strings.Contains(string(text), "by-sa/4.0") {
		t.Errorf("the index names nobody: %q, %v", text, err)
	}
	if err := os.Truncate(filepath.Join(index, "passages", "store", "root.bolt"), 9); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = call(t, "docs", "info", index, "--json")
	var info struct {
		Healthy bool
		Problem string
		Pages   int
	}
	if err := json.Unmarshal([]byte(stdout), &info); code != exitFailed || err != nil || info.Healthy || info.Pages != 2 || !strings.Contains(info.Problem, "root.bolt has 9 bytes") {
		t.Errorf("info of a damaged index: code %d, %v, %s%s", code, err, stdout, stderr)
	}
}

// People see why a passage was found, and a link that they can follow; pages cannot steer the terminal.
func TestDocsSearchForPeople(t *testing.T) {
	t.Setenv(gitlabURLVar, "https://gitlab.example.com/")
	index := filepath.Join(t.TempDir(), "docs.index")
	if code, _, stderr := call(t, "docs", "index", docsFolder(t), "-o", index); code != 0 {
		t.Fatal(stderr)
	}
	if code, stdout, _ := call(t, "docs", "search", "make a key", "--index", index); code != 0 || !strings.Contains(stdout, "\n   https://gitlab.example.com/help/user/ssh#make-a-key\n") {
		t.Errorf("code %d, %q", code, stdout)
	}
	if got := highlighted("ssh keys", "Your SSH key."); got != "Your \x1b[1mSSH\x1b[0m \x1b[1mkey\x1b[0m." {
		t.Errorf("highlighted %q", got)
	}
	long := strings.Repeat("nothing here\n", 30) + "the key is made here\n" + strings.Repeat("nor here\n", 30)
	if got := excerpt("make a key", long); !strings.Contains(got, "the key is made here") || strings.Count(got, "\n") > 9 {
		t.Errorf("excerpt %q", got)
	}
}

// Without any index the program's own pages answer.
func TestDocsOfTheProgramItself(t *testing.T) {
	t.Setenv(docsVariable, "")
	code, stdout, stderr := call(t, "docs", "search", "AIGW_AUTH__BYPASS_EXTERNAL", "--json")
	if code != 0 || !strings.Contains(stdout, `"page":"authentication.md"`) {
		t.Errorf("code %d, %.300s%s", code, stdout, stderr)
	}
}

func TestDocsMistakes(t *testing.T) {
	folder, empty := docsFolder(t), t.TempDir()
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no such command":  {[]string{"find"}, exitUsage, `"find"`},
		"nothing to index": {[]string{"index", "-o", "x"}, exitUsage, "DIR"},
		"no output":        {[]string{"index", folder}, exitUsage, "-o INDEX"},
		"absent folder":    {[]string{"index", "/nowhere/doc", "-o", "x"}, exitFailed, "/nowhere/doc"},
		"no pages":         {[]string{"index", empty, "-o", filepath.Join(empty, "x")}, exitFailed, "no Markdown pages"},
		"wrong rule":       {[]string{"index", folder, "-o", "x", "--url", "gitlab=ftp://x/{path}"}, exitUsage, "http(s)"},
		"rule of nothing":  {[]string{"index", folder, "-o", "x", "--url", "runner=/x/{path}"}, exitUsage, "runner"},
		"somebody's files": {[]string{"index", folder, "-o", folder}, exitFailed, "will not be replaced"},
		"no question":      {[]string{"search"}, exitUsage, "QUERY"},
		"no index":         {[]string{"search", "x", "--index", "/nowhere/i"}, exitFailed, "aigw docs index"},
		"too many":         {[]string{"search", "x", "-k", "1000"}, exitUsage, "-k 1000"},
		"unknown flag":     {[]string{"search", "x", "--nosuch"}, exitUsage, "nosuch"},
		"flag alone":       {[]string{"search", "x", "--index"}, exitUsage, "argument"},
		"no number":        {[]string{"search", "x", "-k", "y"}, exitUsage, `"y"`},
		"info of nothing":  {[]string{"info"}, exitUsage, "INDEX"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"docs"}, tt.args...)...)
			last := strings.TrimSpace(stderr)
			if code != tt.code || stdout != "" || !strings.Contains(last, tt.says) || strings.Contains(last, "\n") {
				t.Errorf("code %d (want %d), stdout %q, stderr %q (want one line with %q)", code, tt.code, stdout, stderr, tt.says)
			}
		})
	}
}

const searchBody = `{"type":"search-docs","metadata":{"source":"GitLab EE","version":"17.8.0-ee"},"payload":{"query":"make a key"}}`

// The server answers from its own pages, or from an index, which it takes anew when that is
// replaced; a damaged one is one line of the log.
func TestRunSearchesDocs(t *testing.T) {
	t.Setenv("AIGW_AUTH__BYPASS_EXTERNAL", "true")
	t.Setenv("AIGW_GITLAB_URL", "https://gitlab.example.com/")
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	t.Setenv(docsVariable, "")
	t.Chdir(t.TempDir())
	answers := func(r *running, want string) {
		t.Helper()
		r.wait("an answer with "+want, func() bool {
			got := r.post("/v1/search/gitlab-docs", searchBody)
			return got.status == http.StatusOK && strings.Contains(got.text, want)
		})
	}
	own := startClosed(t)
	answers(own, `"source":"authentication.md"`)
	own.wait("advice", func() bool { return strings.Contains(own.log.String(), "aigw docs index") })
	own.end()

	index := filepath.Join(t.TempDir(), "docs.index")
	folder := docsFolder(t)
	build := func() {
		t.Helper()
		if code, _, stderr := call(t, "docs", "index", folder, "-o", index); code != 0 {
			t.Fatal(stderr)
		}
	}
	build()
	r := startClosed(t, "--docs", index)
	answers(r, `"source_url":"https://gitlab.example.com/help/user/ssh#make-a-key"`)
	if err := os.WriteFile(filepath.Join(folder, "new.md"), []byte("# Make a key of gold\n\nLater.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build()
	answers(r, `"source":"new.md"`)

	if err := os.Truncate(filepath.Join(index, "manifest.json"), 5); err != nil {
		t.Fatal(err)
	}
	r.wait("a line about the damage", func() bool { return strings.Contains(r.log.String(), "cannot be read anew") })
	answers(r, `"source":"new.md"`) // what is open goes on

	broken := startClosed(t, "--docs", index)
	broken.wait("a line", func() bool { return strings.Contains(broken.log.String(), "there is no documentation to search") })
	if got := broken.post("/v1/search/gitlab-docs", searchBody); got.status != http.StatusOK || !strings.Contains(got.text, `"results":[]`) {
		t.Errorf("with a damaged index: %d %s", got.status, got.text)
	}
}

// A folder where docs.db should be is what Docker makes of a wrong path: the log says so, and the
// program's own pages answer.
func TestMountedFolderInsteadOfDatabase(t *testing.T) {
	t.Setenv("AIGW_AUTH__BYPASS_EXTERNAL", "true")
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	t.Setenv(docsVariable, "")
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("tmp/docs.db", 0o700); err != nil {
		t.Fatal(err)
	}
	r := startClosed(t)
	r.wait("the reason", func() bool { return strings.Contains(r.log.String(), "Docker makes one") })
	r.wait("an answer", func() bool {
		return !strings.Contains(r.post("/v1/search/gitlab-docs", searchBody).text, `"results":[]`)
	})
}
