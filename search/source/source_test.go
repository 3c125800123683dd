package source_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"aigw/search/source"
)

// read returns the pages of a source by their paths.
func read(t *testing.T, s source.Source) (map[string]source.Document, error) {
	t.Helper()
	pages := map[string]source.Document{}
	last := 0.0
	err := s.Documents(t.Context(), func(d source.Document, done float64) error {
		if done < last || done > 1.5 {
			t.Errorf("progress went from %f to %f", last, done)
		}
		last = done
		pages[d.Path] = d
		return nil
	})
	return pages, err
}

type entry struct {
	name, text, link string
}

var gitlabSource = []entry{
	{"gitlab-v17.8.0-ee/README.md", "no page", ""},
	{"gitlab-v17.8.0-ee/doc/user/ssh.md", "# SSH", ""},
	{"gitlab-v17.8.0-ee/doc/user/picture.png", "png", ""},
	{"gitlab-v17.8.0-ee/doc/.vale/x.md", "hidden", ""},
	{"gitlab-v17.8.0-ee/doc/link.md", "", "/etc/passwd"},
	{"gitlab-v17.8.0-ee/app/doc/other.md", "no page of the product", ""},
}

func tarOf(t *testing.T, w io.Writer, entries []entry) {
	t.Helper()
	a := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.text)), Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := a.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(a, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// archives packs the entries in all four ways.
func archives(t *testing.T, entries []entry) map[string]string {
	t.Helper()
	var plain, gz, zst, z bytes.Buffer
	tarOf(t, &plain, entries)
	g := gzip.NewWriter(&gz)
	tarOf(t, g, entries)
	s, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	tarOf(t, s, entries)
	a := zip.NewWriter(&z)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(0o600)
		text := e.text
		if e.link != "" {
			h.SetMode(os.ModeSymlink | 0o777)
			text = e.link
		}
		w, err := a.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []io.Closer{g, s, a} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]string{}
	for name, b := range map[string]*bytes.Buffer{"tar": &plain, "tar.gz": &gz, "tar.zst": &zst, "zip": &z} {
		out[name] = filepath.Join(t.TempDir(), "source."+name)
		if err := os.WriteFile(out[name], b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func open(t *testing.T, file string) source.Source {
	t.Helper()
	s, err := source.Archive(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Of a source archive only the pages below doc/ are read; links are not.
func TestArchives(t *testing.T) {
	for name, file := range archives(t, gitlabSource) {
		pages, err := read(t, open(t, file))
		if err != nil || len(pages) != 1 || string(pages["user/ssh.md"].Text) != "# SSH" {
			t.Errorf("%s: %v %v", name, slices.Collect(maps.Keys(pages)), err)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	for what, tt := range map[string]struct {
		entries []entry
		says    string
	}{
		"traversal":   {[]entry{{"a/doc/../../../etc/x.md", "x", ""}}, "leads out of the archive"},
		"absolute":    {[]entry{{"/doc/x.md", "x", ""}}, "leads out of the archive"},
		"back slash":  {[]entry{{`doc\..\..\x.md`, "x", ""}}, "leads out of the archive"},
		"large page":  {[]entry{{"doc/x.md", strings.Repeat("a", source.MaxPage+1), ""}}, "more than 4 MiB"},
		"no pages":    {[]entry{{"doc/x.txt", "x", ""}}, "no Markdown pages"},
		"only a link": {[]entry{{"doc/x.md", "", "y.md"}}, "no Markdown pages"},
	} {
		for name, file := range archives(t, tt.entries) {
			if _, err := read(t, open(t, file)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
	for name, file := range archives(t, gitlabSource) {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, whole[:len(whole)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(t, open(t, file)); err == nil {
			t.Errorf("half of a %s was read without an error", name)
		}
	}
	other := filepath.Join(t.TempDir(), "x.rar")
	if err := os.WriteFile(other, []byte("Rar!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, open(t, other)); err == nil || !strings.Contains(err.Error(), "neither a folder nor") {
		t.Errorf("another kind of file: %v", err)
	}
}

// docsDB makes an index as GitLab's gateway does.
func docsDB(t *testing.T, rows ...[2]string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "docs.db")
	db, err := sql.Open("sqlite", file)
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
	return file
}

// Both generations of docs.db are read, from a folder that cannot be written to.
func TestDatabase(t *testing.T) {
	file := docsDB(t,
		[2]string{"---\ntitle: SSH\n---\n\nkeys", `{"filename": "/user/ssh.md"}`},
		[2]string{"outside", `{"filename": "/../etc/x.md"}`},
		[2]string{"not JSON", `{`},
		[2]string{"first", `{"Header1": "Pages", "filename": "index.md"}`},
		[2]string{"second", `{"Header1": "Pages", "Header2": "DNS", "filename": "index.md"}`},
		[2]string{"third", `{"Header1": "Runner", "filename": "index.md"}`},
	)
	if err := os.Chmod(filepath.Dir(file), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Dir(file), 0o700) })
	s, err := source.Database(file)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := read(t, s)
	if err != nil || len(pages) != 3 {
		t.Fatalf("%v %v", pages, err)
	}
	if p := pages["user/ssh.md"]; p.Unplaced || !strings.HasSuffix(string(p.Text), "keys") {
		t.Errorf("a page: %+v", p)
	}
	if p := pages["index.md"]; !p.Unplaced || p.Title != "Pages" || string(p.Text) != "# Pages\n\nfirst\n\n## DNS\n\nsecond\n\n" {
		t.Errorf("pieces of a page: %v %q", p.Unplaced, p.Text)
	}
	if p := pages["index~2.md"]; !p.Unplaced || string(p.Text) != "# Runner\n\nthird\n\n" {
		t.Errorf("another page of the same name: %v %q", p.Unplaced, p.Text)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("beside it: %v", left)
	}
}

func TestWhatIsNoDatabase(t *testing.T) {
	if _, err := source.Database(t.TempDir()); err == nil || !strings.Contains(err.Error(), "Docker makes one") {
		t.Errorf("a folder: %v", err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	db, err := sql.Open("sqlite", other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE doc_index (processed, content, metadata)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	whole, err := os.ReadFile(docsDB(t, [2]string{strings.Repeat("text ", 5000), `{"filename": "/a.md"}`}))
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(whole); i += 64 {
		whole[i] ^= 0xFF
	}
	for name, tt := range map[string]struct {
		file string
		says string
	}{
		"text":    {writeFile(t, []byte("not a database, just text")), "no SQLite database"},
		"empty":   {writeFile(t, nil), "no SQLite database"},
		"no FTS5": {other, "no FTS5 table"},
		"none":    {docsDB(t), "no Markdown pages"},
		"damaged": {writeFile(t, whole), "cannot be taken over"},
		"cut off": {writeFile(t, whole[:5000]), "cannot be taken over"},
	} {
		s, err := source.Database(tt.file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(t, s); err == nil || !strings.Contains(fmt.Sprint(err), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "docs.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
