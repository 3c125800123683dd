package search_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"aigw/search"
	"aigw/search/source"
)

// build makes an index of a few pages on disk.
func build(t *testing.T, dir string, pages fstest.MapFS) *search.Manifest {
	t.Helper()
	m, err := search.Build(t.Context(), dir, []search.Collection{{Source: source.Files(pages, "test")}}, search.BuildOptions{Builder: "test", VersionTag: "v17.8.0-ee"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func page(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

var twoPages = fstest.MapFS{
	"user/ssh.md":           page("---\ntitle: SSH keys\n---\n\n## Make a key\n\nRun `ssh-keygen`.\n"),
	"runner/docs/_index.md": page("# GitLab Runner\n\nRunners execute jobs.\n"),
}

func find(t *testing.T, s search.Searcher, question string) []search.Passage {
	t.Helper()
	found, err := s.Search(t.Context(), question, 4)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestIndexOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs.index")
	m := build(t, dir, twoPages)
	if m.Pages != 2 || m.Passages != 2 || m.VersionTag != "v17.8.0-ee" || m.Bytes() == 0 {
		t.Errorf("manifest %+v", m)
	}
	// Made by root, served by somebody else: everybody may read it.
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode()&0o444 != 0o444 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	old, err := search.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	found := find(t, old, "how do I make a key?")
	if len(found) != 1 {
		t.Fatalf("found %+v", found)
	}
	p := found[0]
	if p.Page != "user/ssh.md" || p.Path != "user/ssh.md" || p.Title != "SSH keys" || p.URL != "/help/user/ssh#make-a-key" || p.Anchor != "make-a-key" ||
		p.Version != "v17.8.0-ee" || !strings.Contains(p.Content, "Run `ssh-keygen`.") || !regexp.MustCompile(`^[0-9a-f]+$`).MatchString(p.ID) {
		t.Errorf("passage %+v", p)
	}
	if r := find(t, old, "runners"); len(r) != 1 || r[0].Collection != "runner" || r[0].Path != "_index.md" || r[0].URL != "https://docs.gitlab.com/runner/" {
		t.Errorf("a page of another product: %+v", r)
	}

	// The same page has the same id in the next index; who has the old one open goes on reading it.
	build(t, dir, fstest.MapFS{"user/ssh.md": twoPages["user/ssh.md"], "a.md": page("# A\n\nsomething new\n")})
	next, err := search.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if again := find(t, next, "make a key"); len(again) != 1 || again[0].ID != p.ID {
		t.Errorf("after another build: %+v", again)
	}
	if still := find(t, old, "runners"); len(still) != 1 {
		t.Errorf("the old index is gone for its reader: %+v", still)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the index: %v %v", left, err)
	}
}

func TestWhatIsNoIndexStays(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := search.Build(t.Context(), dir, []search.Collection{{Source: source.Files(twoPages, "test")}}, search.BuildOptions{})
	if err == nil || !strings.Contains(err.Error(), "will not be replaced") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "precious.txt")); err != nil {
		t.Error(err)
	}
}

// Every damage is found when the index is opened, and said in one line.
func TestDamagedIndex(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(dir string) error
		says string
	}{
		"absent":      {os.RemoveAll, "there is no index"},
		"no manifest": {func(dir string) error { return os.Remove(filepath.Join(dir, "manifest.json")) }, "no manifest.json"},
		"no JSON":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("{"), 0o600) }, "damaged"},
		"other format": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"format":99}`), 0o600)
		}, "format 99"},
		"no files": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"format":2}`), 0o600)
		}, "names no files"},
		"file missing": {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "passages")) }, "damaged"},
		"cut off":      {func(dir string) error { return os.Truncate(filepath.Join(dir, "passages", "store", "root.bolt"), 100) }, "bytes instead of"},
		"a changed byte": {func(dir string) error {
			files, err := filepath.Glob(filepath.Join(dir, "passages", "store", "*.zap"))
			if err != nil || len(files) == 0 {
				return os.ErrNotExist
			}
			b, err := os.ReadFile(files[0])
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(files[0], b, 0o600)
		}, "another checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "docs.index")
			build(t, dir, twoPages)
			if err := tt.harm(dir); err != nil {
				t.Fatal(err)
			}
			x, err := search.Open(dir)
			if err == nil {
				x.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tt.says)
			}
		})
	}
}

// Any question is answered, and one that shares a rare word with a page never with nothing.
func TestAnyQuestion(t *testing.T) {
	x := testPages(t)
	words := strings.Repeat("pipeline zebra don't ", 7000)
	for name, tt := range map[string]struct {
		question string
		found    bool
	}{
		"nothing":       {"", false},
		"fillers":       {"how can I do this?", true},
		"white space":   {" \t\n", false},
		"punctuation":   {`?!"*(){}[]^~:\/-+&|`, false},
		"emoji":         {"🦊🚀", false},
		"operators":     {"AND OR", false},
		"stop words":    {"is it of the", false},
		"unknown word":  {"xylophone", false},
		"20,000 words":  {words, true},
		"no UTF-8":      {"\xff\xfe sidekiq", true},
		"NUL":           {"sidekiq\x00", true},
		"query syntax":  {`title:"sidekiq" AND (hung^5 OR *)`, true},
		"one long word": {strings.Repeat("a", 1<<20), false},
		"slip":          {"sidekik", true},
		"one rare word": {"please tell me all about zebras and also about TTIN", true},
		"part":          {"REF_NAME", true},
		"possessive":    {"user's password's", true},
	} {
		t.Run(name, func(t *testing.T) {
			if found := find(t, x, tt.question); len(found) > 0 != tt.found {
				t.Errorf("found %d passages", len(found))
			}
		})
	}
	if found, err := x.Search(t.Context(), "job", 0); err != nil || len(found) != 0 {
		t.Errorf("no passages were asked for: %v %v", found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, "job", 1); err == nil {
		t.Error("a question that nobody waits for any more is answered")
	}
}

// The first results are of different pages; further passages of them come only behind.
func TestPagesDiffer(t *testing.T) {
	x := testPages(t)
	found, err := x.Search(t.Context(), "gitlab", 20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range found {
		if seen[p.Page] {
			t.Errorf("%s comes twice", p.Page)
		}
		seen[p.Page] = true
	}
	if len(found) < 10 {
		t.Errorf("only %d passages", len(found))
	}
}

func TestMatches(t *testing.T) {
	const text = "Set `CI_DEBUG_TRACE` to see the jobs' traces."
	var got []string
	for _, m := range search.Matches("which job shows CI_DEBUG_TRACE", text) {
		got = append(got, text[m[0]:m[1]])
	}
	if strings.Join(got, "|") != "CI_DEBUG_TRACE|jobs|traces" {
		t.Errorf("matches %q", got)
	}
}

// What a page includes is found in it.
func TestIncludedText(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs.index")
	build(t, dir, fstest.MapFS{
		"a.md":            page("# A\n\n{{< include \"_parts/zebra.md\" >}}\n"),
		"_parts/zebra.md": page("---\ntitle: Part\n---\n\nOnly zebras know.\n"),
	})
	x, err := search.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	pages := map[string]bool{}
	for _, p := range find(t, x, "zebras") {
		pages[p.Page] = strings.Contains(p.Content, "Only zebras know.")
	}
	if !pages["a.md"] || !pages["_parts/zebra.md"] {
		t.Errorf("found %v", pages)
	}
}
