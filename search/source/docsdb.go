package source

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // SQLite in Go
)

// MaxDatabase bounds the size of a docs.db in bytes; GitLab's has 60 MB.
const MaxDatabase = 4 << 30

// database is the index of GitLab's own gateway (section 11.3 of the wire contract): an FTS5 table
// doc_index with columns processed, content and metadata. From 17.7 on a row is a page, with its
// path. Before, it is a piece of a page with only the base name of its file, of which no address
// can be made.
type database struct{ file string }

// Database reads a docs.db. It is opened read-only and never locked or changed.
func Database(file string) (Source, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder, not a file: Docker makes one where the path on the host that a volume names does not exist; correct that path, and delete the folder", file)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", file)
	case info.Size() > MaxDatabase:
		return nil, fmt.Errorf("%s has %d MiB, which is more than documentation has", file, info.Size()>>20)
	}
	return database{file}, nil
}

// IsDatabase reports whether a file is SQLite's.
func IsDatabase(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 16)
	n, _ := f.Read(head)
	return n == len(head) && string(head) == "SQLite format 3\x00"
}

func (d database) From() string { return d.file }

func (d database) Documents(ctx context.Context, yield func(Document, float64) error) error {
	err := d.documents(ctx, yield)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s cannot be taken over: %w", d.file, err)
	}
	return err
}

func (d database) documents(ctx context.Context, yield func(Document, float64) error) error {
	if !IsDatabase(d.file) {
		return errors.New("it is no SQLite database")
	}
	full, err := filepath.Abs(d.file)
	if err != nil {
		return err
	}
	// immutable: no journal, no lock, no shared memory beside the file, whose folder may be read-only.
	name := (&url.URL{Scheme: "file", Path: full, RawQuery: "mode=ro&immutable=1&_pragma=query_only(1)&_pragma=trusted_schema(0)"}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var definition string
	err = db.QueryRowContext(ctx, `SELECT sql FROM sqlite_master WHERE name = 'doc_index' AND type = 'table'`).Scan(&definition)
	if errors.Is(err, sql.ErrNoRows) {
		return errors.New("it has no table doc_index, so GitLab's gateway did not make it")
	}
	if err != nil {
		return err
	}
	if lower := strings.ToLower(definition); !strings.HasPrefix(lower, "create virtual table") || !strings.Contains(lower, "fts5") {
		return errors.New("its table doc_index is no FTS5 table, so GitLab's gateway did not make it")
	}
	var count int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM doc_index_content`).Scan(&count); err != nil {
		return err
	}
	// The texts stand in FTS5's own table of contents, in the order of the columns.
	rows, err := db.QueryContext(ctx, `SELECT substr(c1, 1, ?), c2 FROM doc_index_content ORDER BY id`, MaxPage)
	if err != nil {
		return err
	}
	defer rows.Close()
	j := joiner{from: d.file, yield: yield, used: map[string]int{}}
	for n := 1; rows.Next(); n++ {
		var content, metadata sql.NullString
		if err := rows.Scan(&content, &metadata); err != nil {
			return err
		}
		if err := j.row(content.String, metadata.String, float64(n)/float64(max(1, count))); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := j.flush(1); err != nil {
		return err
	}
	if j.pages == 0 {
		return errNoPages
	}
	return nil
}

// joiner makes pages of rows: pieces of one file follow each other and become one page again.
type joiner struct {
	budget
	from  string
	yield func(Document, float64) error
	used  map[string]int // base names of pages made of pieces

	name  string
	title string
	text  strings.Builder
}

func (j *joiner) row(content, metadata string, done float64) error {
	var m map[string]any
	if err := json.Unmarshal([]byte(metadata), &m); err != nil {
		return nil //nolint:nilerr // one row less
	}
	name, _ := m["filename"].(string)
	if strings.Contains(name, "/") {
		if err := j.flush(done); err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "/")
		if !fs.ValidPath(name) || !isPage(name) {
			return nil
		}
		if err := j.add(j.from, len(content)); err != nil {
			return err
		}
		return j.yield(Document{Path: name, Text: []byte(content)}, done)
	}
	if !fs.ValidPath(name) || !isPage(name) {
		return nil
	}
	first, _ := m["Header1"].(string)
	if name != j.name || first != j.title && first != "" || j.text.Len() > MaxPage {
		if err := j.flush(done); err != nil {
			return err
		}
		j.name, j.title = name, first
	}
	for level := 5; level >= 1; level-- { // the innermost heading; the text comes without it
		if h, _ := m["Header"+strconv.Itoa(level)].(string); h != "" {
			if !strings.HasPrefix(strings.TrimSpace(content), "#") {
				fmt.Fprintf(&j.text, "%s %s\n\n", strings.Repeat("#", level), h)
			}
			break
		}
	}
	j.text.WriteString(content + "\n\n")
	return nil
}

// flush hands on the page that the pieces make.
func (j *joiner) flush(done float64) error {
	if j.name == "" {
		return nil
	}
	name, title, text := j.name, j.title, j.text.String()
	j.name, j.title = "", ""
	j.text.Reset()
	j.used[name]++
	if n := j.used[name]; n > 1 { // several pages are called index.md
		name = strings.TrimSuffix(name, path.Ext(name)) + "~" + strconv.Itoa(n) + path.Ext(name)
	}
	if err := j.add(j.from, len(text)); err != nil {
		return err
	}
	return j.yield(Document{Path: name, Title: title, Text: []byte(text), Unplaced: true}, done)
}
