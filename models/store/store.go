// Package store keeps model weights under one directory, each file once, by its SHA-256.
//
//	blobs/sha256-<hex>          weights: one file, or one part of a split set
//	models/<name>/model.json    what the model is, its parts and their digests (Model)
//	models/<name>/<file>.gguf   relative symbolic link to a blob
//	tmp/                        imports under way
//	lock                        held while models or blobs come and go
//
// The links carry the names that the files had, because llama.cpp finds the parts of a split set
// by name, and because a file's name is at times the only thing that tells a model's family.
//
// A model appears and disappears by one rename of its folder, so that readers need no lock and no
// right to write: the directory may be mounted read-only. Weights are in place, and on disk,
// before their model is; a crash in between leaves weights that nothing refers to, which the next
// command that writes removes.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Store is a directory of models. It has no state of its own: it may be used concurrently, and by
// several processes at once.
type Store struct{ dir string }

// At returns the store in a directory, which the first import makes.
func At(dir string) *Store { return &Store{dir} }

// DefaultDir is where models are kept unless somebody says otherwise: aigw/models in the user's
// data directory ($XDG_DATA_HOME, else ~/.local/share).
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) { // the specification ignores relative ones
		return filepath.Join(dir, "aigw", "models"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no folder for models: %w; name one with AIGW_STORE", err)
	}
	return filepath.Join(home, ".local", "share", "aigw", "models"), nil
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

// Model is what the store knows of a model. Family, Role, FIM and Chat are as recognised when it
// was imported.
type Model struct {
	Name     string    `json:"name"`
	Family   string    `json:"family"`
	Role     string    `json:"role"`
	FIM      bool      `json:"fim"`
	Chat     string    `json:"chat"` // format of conversations; empty: none
	Size     int64     `json:"size"` // bytes of all parts
	Parts    []Part    `json:"parts"`
	Source   string    `json:"source"` // where it was imported from
	Imported time.Time `json:"imported"`
	// Path is what a program is given to load: the file, or the first part of a split set.
	Path string `json:"path"`
}

// Part is a file of a split set, or the only one.
type Part struct {
	File   string `json:"file"` // name of the file, without folders
	Size   int64  `json:"size"` // bytes
	Digest Digest `json:"digest"`
}

// Digest is "sha256:" and 64 hexadecimal digits, as OCI manifests write it.
type Digest string

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// valid guards everything that becomes a path.
func (d Digest) valid() bool { return digestForm.MatchString(string(d)) }

// file is the name of the blob.
func (d Digest) file() string { return strings.Replace(string(d), ":", "-", 1) }

const (
	blobsDir   = "blobs"
	modelsDir  = "models"
	tmpDir     = "tmp"
	recordFile = "model.json"
	// recordLimit bounds what is read of a record or manifest, in bytes. The largest real ones, of
	// sets of a hundred parts, have about 20 kB.
	recordLimit = 4 << 20
)

func (s *Store) blob(d Digest) string     { return filepath.Join(s.dir, blobsDir, d.file()) }
func (s *Store) model(name string) string { return filepath.Join(s.dir, modelsDir, name) }

// List returns all models, by name. A store that does not exist has none. Models whose record
// cannot be read are left out and told in the error, which comes with the others.
func (s *Store) List() ([]Model, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, modelsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the model store cannot be read: %w; check AIGW_STORE and its permissions", err)
	}
	var all []Model
	var damaged []error
	for _, e := range entries { // ReadDir sorts
		m, err := s.read(e.Name())
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed just now, or a folder of somebody else's
		case err != nil:
			damaged = append(damaged, err)
		default:
			all = append(all, m)
		}
	}
	return all, errors.Join(damaged...)
}

// Find returns the model of that name, or an *UnknownError.
func (s *Store) Find(name string) (Model, error) {
	if CheckName(name) == nil {
		m, err := s.read(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	all, err := s.List()
	if err != nil && len(all) == 0 {
		return Model{}, err
	}
	known := make([]string, len(all))
	for i, m := range all {
		known[i] = m.Name
	}
	return Model{}, &UnknownError{Name: name, Nearest: Nearest(name, known), Known: known}
}

// read reads the record of a model. Nothing in it is trusted: a name in it becomes part of a path.
func (s *Store) read(name string) (Model, error) {
	var m Model
	path := filepath.Join(s.model(name), recordFile)
	if err := readJSON(path, &m); err != nil {
		return Model{}, err
	}
	bad := m.Name != name || len(m.Parts) == 0
	for _, p := range m.Parts {
		bad = bad || checkFile(p.File) != nil || !p.Digest.valid()
	}
	if bad {
		return Model{}, fmt.Errorf("%s is damaged; remove the model with `aigw models rm %s` and import it again", path, name)
	}
	m.Path = filepath.Join(s.model(name), m.Parts[0].File)
	return m, nil
}

// readJSON reads a small file of JSON.
func readJSON(path string, into any) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > recordLimit {
		return fmt.Errorf("%s is no file of at most %d MiB, which it should be", path, recordLimit>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// sameParts reports whether two models have the same weights.
func sameParts(a, b []Part) bool {
	return slices.EqualFunc(a, b, func(p, q Part) bool { return p.Digest == q.Digest })
}
