package search

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// format is the layout of an index. One of another number is refused: it is quickly built again.
const format = 2

const (
	manifestFile = "manifest.json"
	passagesDir  = "passages" // Bleve's own files
)

// Manifest says what an index is made of. It stands beside Bleve's files, as JSON.
type Manifest struct {
	Format      int                `json:"format"`
	Builder     string             `json:"builder"` // version of the program that made it
	Created     time.Time          `json:"created"`
	VersionTag  string             `json:"version_tag,omitempty"`
	Mark        string             `json:"mark,omitempty"` // as in BuildOptions
	Collections []CollectionInfo   `json:"collections"`
	Pages       int                `json:"pages"`
	Passages    int                `json:"passages"`
	Lengths     map[string]float64 `json:"mean_terms"` // by field, of the passages (or pages) that have it
	Files       map[string]File    `json:"files"`
}

// CollectionInfo is one tree of pages within an index.
type CollectionInfo struct {
	Name     string `json:"name,omitempty"`
	From     string `json:"from"`
	Licence  string `json:"licence,omitempty"` // of its pages, with who is to be named; empty if unknown
	Pages    int    `json:"pages"`
	Passages int    `json:"passages"`
}

// File is one file of the index.
type File struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is what the index takes on disk, the manifest aside.
func (m *Manifest) Bytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// ReadManifest reads what an index says of itself, without looking at its files.
func ReadManifest(dir string) (*Manifest, error) {
	const most = 4 << 20 // bytes
	f, err := os.Open(filepath.Join(dir, manifestFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no index %s; make one with aigw docs index DIR -o %s", dir, dir)
		}
		return nil, fmt.Errorf("%s is no index of aigw: it has no %s; make one with aigw docs index DIR -o INDEX", dir, manifestFile)
	case err != nil:
		return nil, err
	}
	defer f.Close()
	m := &Manifest{}
	if err := json.NewDecoder(io.LimitReader(f, most)).Decode(m); err != nil {
		return nil, damaged(dir, fmt.Errorf("%s cannot be read: %w", manifestFile, err))
	}
	if m.Format != format {
		return nil, fmt.Errorf("index %s has format %d, made by aigw %s; this program reads %d: build it again with aigw docs index", dir, m.Format, m.Builder, format)
	}
	return m, nil
}

func damaged(dir string, err error) error {
	return fmt.Errorf("index %s is damaged: %w; build it again with aigw docs index", dir, err)
}

// verify compares the files of an index with the manifest.
func (m *Manifest) verify(dir string) error {
	found, err := sums(dir)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("index %s cannot be read by user %d: %w; chmod -R a+rX %s", dir, os.Getuid(), err, dir)
	}
	if err != nil {
		return damaged(dir, err)
	}
	if len(m.Files) == 0 {
		return damaged(dir, errors.New("its manifest names no files"))
	}
	for name, want := range m.Files {
		switch got, ok := found[name]; {
		case !ok:
			return damaged(dir, fmt.Errorf("%s is missing", name))
		case got.Bytes != want.Bytes:
			return damaged(dir, fmt.Errorf("%s has %d bytes instead of %d", name, got.Bytes, want.Bytes))
		case got.SHA256 != want.SHA256:
			return damaged(dir, fmt.Errorf("%s has another checksum", name))
		}
	}
	return nil
}

// sums returns size and checksum of Bleve's files, by their paths below dir.
func sums(dir string) (map[string]File, error) {
	out := map[string]File{}
	err := filepath.WalkDir(filepath.Join(dir, passagesDir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", path)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		n, err := io.Copy(h, f)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[filepath.ToSlash(name)] = File{n, hex.EncodeToString(h.Sum(nil))}
		return nil
	})
	return out, err
}

func (m *Manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifestFile), append(text, '\n'), 0o644)
}
