package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aigw/models/gguf"
)

// Source is a model outside the store.
type Source struct {
	Name  string // what it would be called here
	From  string // where it is, for people
	Files []SourceFile
}

// SourceFile is a file of a model outside the store.
type SourceFile struct {
	Path   string
	File   string // name that it gets, which ends in .gguf
	Digest Digest // what its manifest promises; empty: nothing does
}

// Locate finds the model at path: a GGUF file, a part of a split set, or a directory that is an
// Ollama store or an OCI image layout. Where a directory has several, model says which.
func Locate(path, model string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		if model != "" {
			return Source{}, fmt.Errorf("%s is no directory with several models; leave %q out", path, model)
		}
		return locateFile(path)
	}
	for _, dir := range []string{path, filepath.Join(path, "models")} { // ~/.ollama has models/
		if isDir(filepath.Join(dir, "manifests")) && isDir(filepath.Join(dir, blobsDir)) {
			return locateOllama(dir, model)
		}
	}
	if _, err := os.Stat(filepath.Join(path, "index.json")); err == nil {
		return locateOCI(path, model)
	}
	_, err = gguf.Open(path) // says what a directory has that could be meant
	return Source{}, err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// locateFile finds a file, or all parts of a set.
func locateFile(path string) (Source, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return Source{}, err
	}
	defer f.Close()
	s := Source{Name: nameOf(filepath.Base(f.Path)), From: absolute(f.Path)}
	if len(f.Parts) > 1 {
		if i := strings.LastIndex(s.Name, "-00001-of-"); i > 0 {
			s.Name = s.Name[:i]
		}
	}
	for _, p := range f.Parts {
		name := filepath.Base(p.Path)
		if !strings.HasSuffix(name, ".gguf") {
			name += ".gguf"
		}
		s.Files = append(s.Files, SourceFile{Path: p.Path, File: name})
	}
	return s, nil
}

// absolute is a path that means the same later, from another folder.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// candidate is one of several models in a directory.
type candidate struct {
	name     string // what people type
	manifest string // path
}

// choose finds the candidate that model means, or the only one.
func choose(dir, model string, all []candidate, is func(candidate) bool) (candidate, error) {
	var names []string
	for _, c := range all {
		if model != "" && is(c) {
			return c, nil
		}
		names = append(names, c.name)
	}
	switch {
	case len(all) == 0:
		return candidate{}, fmt.Errorf("%s has no models", dir)
	case model == "" && len(all) == 1:
		return all[0], nil
	case model == "":
		return candidate{}, fmt.Errorf("%s has several models; name one of them after the directory: %s", dir, strings.Join(names, ", "))
	}
	return candidate{}, fmt.Errorf("%s has no model %q; it has: %s", dir, model, strings.Join(names, ", "))
}

// manifest is the part of a distribution or OCI image manifest, or image index, that matters here.
// https://github.com/opencontainers/image-spec, manifest.md and image-index.md.
type manifest struct {
	Layers    []descriptor `json:"layers"`
	Manifests []descriptor `json:"manifests"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      Digest            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

// blobIn returns the path of a blob. Digests come from a file, so that only well-formed ones
// become paths.
func blobIn(path string, d Digest, format func(Digest) string) (string, error) {
	if !d.valid() {
		return "", fmt.Errorf("%s names the digest %.80q, which is not sha256 and 64 digits", path, d)
	}
	blob := format(d)
	if _, err := os.Stat(blob); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s names %s, which is not there: the download was not finished, or the copy is not complete", path, filepath.Base(blob))
	} else if err != nil {
		return "", err
	}
	return blob, nil
}
