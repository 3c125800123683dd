package store

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An OCI image layout is index.json, blobs/sha256/HEX and oci-layout
// (https://github.com/opencontainers/image-spec, image-layout.md). Tools disagree about the media
// type of weights, so a layer is told by its first four bytes.
const (
	ociRefName = "org.opencontainers.image.ref.name"
	ociTitle   = "org.opencontainers.image.title"
	// ociAttestation marks what BuildKit adds to an index.
	ociAttestation = "vnd.docker.reference.type"
	ociDepth       = 4 // nested indexes that are followed; real ones nest once
)

func locateOCI(dir, model string) (Source, error) {
	all, err := ociImages(dir, filepath.Join(dir, "index.json"), "", ociDepth)
	if err != nil {
		return Source{}, err
	}
	c, err := choose(dir, model, all, func(c candidate) bool {
		return c.name == model || strings.HasSuffix(c.name, "/"+model)
	})
	if err != nil {
		return Source{}, err
	}
	return ociSource(dir, c)
}

// ociImages lists the images of an index and of the indexes in it, by reference or digest.
func ociImages(dir, path, name string, depth int) ([]candidate, error) {
	var index manifest
	if err := readJSON(path, &index); err != nil {
		return nil, err
	}
	if len(index.Manifests) == 0 && name != "" {
		return []candidate{{name, path}}, nil
	}
	if depth == 0 {
		return nil, fmt.Errorf("%s: indexes are nested more than %d deep", dir, ociDepth)
	}
	var all []candidate
	for _, d := range index.Manifests {
		if d.Annotations[ociAttestation] != "" {
			continue // a statement about another image of the index
		}
		blob, err := blobIn(path, d.Digest, func(d Digest) string { return ociBlob(dir, d) })
		if err != nil {
			return nil, err
		}
		images, err := ociImages(dir, blob, cmp.Or(d.Annotations[ociRefName], name, string(d.Digest)), depth-1)
		if err != nil {
			return nil, err
		}
		all = append(all, images...)
	}
	return all, nil
}

func ociBlob(dir string, d Digest) string {
	return filepath.Join(dir, blobsDir, strings.Replace(string(d), ":", string(filepath.Separator), 1))
}

func ociSource(dir string, c candidate) (Source, error) {
	var m manifest
	if err := readJSON(c.manifest, &m); err != nil {
		return Source{}, err
	}
	s := Source{From: absolute(dir) + " " + c.name}
	titles := []string{}
	for _, l := range m.Layers {
		if strings.Contains(l.MediaType, "mmproj") || strings.Contains(l.MediaType, "lora") {
			continue // GGUF too, but no model: a projector for images, an adapter
		}
		blob, err := blobIn(c.manifest, l.Digest, func(d Digest) string { return ociBlob(dir, d) })
		if err != nil {
			return Source{}, err
		}
		if is, err := isGGUF(blob); err != nil {
			return Source{}, err
		} else if is {
			s.Files = append(s.Files, SourceFile{Path: blob, Digest: l.Digest, File: filepath.Base(l.Annotations[ociTitle])})
			titles = append(titles, l.Annotations[ociTitle])
		}
	}
	if len(s.Files) == 0 {
		return Source{}, fmt.Errorf("%s: no layer of %s is a GGUF file; an image of weights has them as a layer of their own, not inside an archive", dir, c.name)
	}
	s.Name = nameOf(filepath.Base(c.name))
	if strings.HasPrefix(c.name, "sha256:") { // an image without a name is called like its directory, or its file
		s.Name = nameOf(filepath.Base(filepath.Clean(dir)))
		if len(s.Files) == 1 && checkFile(s.Files[0].File) == nil {
			s.Name = nameOf(s.Files[0].File)
		}
	}
	// Titles are the names that the files had; without all of them the order of the layers counts.
	if slices.ContainsFunc(titles, func(t string) bool { return checkFile(filepath.Base(t)) != nil }) {
		s.nameFiles()
	} else {
		slices.SortFunc(s.Files, func(a, b SourceFile) int { return strings.Compare(a.File, b.File) })
	}
	return s, nil
}

func isGGUF(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	var magic [4]byte
	if _, err := io.ReadFull(file, magic[:]); err != nil {
		return false, nil // less than four bytes
	}
	return string(magic[:]) == "GGUF", nil
}
