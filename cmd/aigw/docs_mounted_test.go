package main

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mountDocsDB makes a docs.db as GitLab's gateway does, as tmp/docs.db below a new working directory.
func mountDocsDB(t *testing.T, rows ...[2]string) {
	t.Helper()
	t.Setenv("AIGW_AUTH__BYPASS_EXTERNAL", "true")
	t.Setenv("AIGW_GITLAB_URL", "https://gitlab.example.com")
	t.Setenv(docsVariable, "")
	t.Chdir(t.TempDir())
	if err := os.Mkdir("tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "tmp/docs.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE VIRTUAL TABLE doc_index USING fts5(processed, content, metadata, tokenize='porter trigram'); PRAGMA user_version = 1`); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if _, err := db.Exec(`INSERT INTO doc_index VALUES (?, ?, ?)`, strings.ToLower(r[0]), r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
}

// eventuallyFinds waits until the server answers a search with want.
func (r *running) eventuallyFinds(want string) string {
	r.t.Helper()
	var text string
	r.wait("an answer with "+want, func() bool {
		got := r.post("/v1/search/gitlab-docs", searchBody)
		text = got.text
		return got.status == http.StatusOK && strings.Contains(text, want)
	})
	return text
}

var (
	pageRow    = [2]string{"---\ntitle: SSH keys\n---\n\n## Make a key\n\nRun `ssh-keygen`.\n", `{"filename": "/user/ssh.md"}`}
	headerRows = [][2]string{
		{"Run `ssh-keygen`.", `{"Header1": "SSH keys", "Header2": "Make a key", "filename": "index.md"}`},
		{"Look around.", `{"Header1": "SSH keys", "Header2": "Where keys are", "filename": "index.md"}`},
	}
)

// A mounted docs.db is taken over into the state folder while the server runs, and not again by
// the next server, unless it has changed.
func TestMountedDatabaseOfPages(t *testing.T) {
	mountDocsDB(t, pageRow)
	state := t.TempDir()
	t.Setenv("AIGW_STATE_DIR", state)
	manifest := filepath.Join(state, "docs.index", "manifest.json")
	start := func() os.FileInfo {
		t.Helper()
		r := startClosed(t)
		r.eventuallyFinds(`"source_url":"https://gitlab.example.com/help/user/ssh#make-a-key"`)
		r.end()
		info, err := os.Stat(manifest)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := start()
	if second := start(); !os.SameFile(first, second) {
		t.Error("the same docs.db was taken over twice")
	}
	mountDocsDB(t, pageRow, [2]string{"# Other\n\nPage.\n", `{"filename": "/other.md"}`})
	if third := start(); os.SameFile(first, third) {
		t.Error("another docs.db was not taken over")
	}
	left, err := os.ReadDir("tmp")
	if err != nil || len(left) != 1 {
		t.Errorf("beside docs.db: %v %v", left, err)
	}
}

// Pieces of pages whose paths nobody knows have a title and no link. A state folder that cannot be
// written to is done without.
func TestMountedDatabaseOfPieces(t *testing.T) {
	mountDocsDB(t, headerRows...)
	t.Setenv("AIGW_STATE_DIR", "/proc/aigw") // where nobody can make a folder
	r := startClosed(t)
	if text := r.eventuallyFinds(`"title":"SSH keys"`); !strings.Contains(text, `"source_url":""`) || strings.Contains(text, "gitlab.example.com") {
		t.Errorf("a link: %s", text)
	}
	if !strings.Contains(r.log.String(), "in memory") {
		t.Errorf("log %s", r.log)
	}
}

// One that cannot be read is one line of the log, and the program's own pages answer.
func TestMountedDatabaseDamaged(t *testing.T) {
	mountDocsDB(t, pageRow)
	t.Setenv("AIGW_STATE_DIR", t.TempDir())
	if err := os.Truncate("tmp/docs.db", 3000); err != nil {
		t.Fatal(err)
	}
	r := startClosed(t)
	r.wait("the reason", func() bool { return strings.Contains(r.log.String(), "docs.db cannot be taken over") })
	r.eventuallyFinds(`"source":"`)
}
