package store

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// An Ollama store has manifests/HOST/NAMESPACE/MODEL/TAG, image manifests as of a container
// registry, and blobs/sha256-HEX. It is only read. The media types are those of
// github.com/ollama/ollama, server/model.go.
const (
	ollamaWeights = "application/vnd.ollama.image.model"
	ollamaAdapter = "application/vnd.ollama.image.adapter"
	ollamaTensor  = "application/vnd.ollama.image.tensor"
)

func locateOllama(dir, model string) (Source, error) {
	all, err := ollamaModels(dir)
	if err != nil {
		return Source{}, err
	}
	wanted := model
	if wanted != "" && !strings.Contains(filepath.Base(wanted), ":") {
		wanted += ":latest"
	}
	root := filepath.Join(dir, "manifests") + string(filepath.Separator)
	c, err := choose(dir, model, all, func(c candidate) bool {
		whole := strings.TrimPrefix(c.manifest, root) // HOST/NAMESPACE/MODEL/TAG
		whole = filepath.ToSlash(filepath.Dir(whole)) + ":" + filepath.Base(whole)
		return c.name == wanted || whole == wanted
	})
	if err != nil {
		return Source{}, err
	}
	var m manifest
	if err := readJSON(c.manifest, &m); err != nil {
		return Source{}, fmt.Errorf("%w; pull the model again", err)
	}
	s := Source{Name: nameOf(strings.TrimSuffix(c.name, ":latest")), From: absolute(dir) + " " + c.name}
	for _, l := range m.Layers {
		switch l.MediaType {
		case ollamaAdapter:
			return Source{}, fmt.Errorf("%s is weights with a LoRA adapter, which would be lost; merge them into one GGUF file first", c.name)
		case ollamaTensor:
			return Source{}, fmt.Errorf("%s is kept as separate tensors, not as GGUF; import a GGUF file of the model", c.name)
		case ollamaWeights:
			blob, err := blobIn(c.manifest, l.Digest, func(d Digest) string { return filepath.Join(dir, blobsDir, d.file()) })
			if err != nil {
				return Source{}, err
			}
			s.Files = append(s.Files, SourceFile{Path: blob, Digest: l.Digest})
		}
	}
	if len(s.Files) == 0 {
		return Source{}, fmt.Errorf("%s has no weights: its manifest %s has no layer %s", c.name, c.manifest, ollamaWeights)
	}
	s.nameFiles()
	return s, nil
}

// ollamaModels lists MODEL:TAG, with the namespace where it is not Ollama's own ("library").
func ollamaModels(dir string) ([]candidate, error) {
	var all []candidate
	root := filepath.Join(dir, "manifests")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if at := strings.Split(filepath.ToSlash(rel), "/"); len(at) == 4 && !strings.HasPrefix(at[3], ".") {
			name := at[2] + ":" + at[3]
			if at[1] != "library" {
				name = at[1] + "/" + name
			}
			all = append(all, candidate{name, path})
		}
		return nil
	})
	return all, err
}

// nameFiles gives the files the names that llama.cpp expects: NAME.gguf, or those of a split set.
func (s *Source) nameFiles() {
	base := strings.NewReplacer(":", "-", "@", "-").Replace(s.Name)
	for i := range s.Files {
		s.Files[i].File = base + ".gguf"
		if n := len(s.Files); n > 1 {
			s.Files[i].File = fmt.Sprintf("%s-%05d-of-%05d.gguf", base, i+1, n)
		}
	}
}
