package main

import (
	"archive/tar"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"aigw/bundle"
	"aigw/engine"
	"aigw/models"
	"aigw/models/store"

	"github.com/urfave/cli/v2"
)

// bundleContent is what goes into a bundle.
type bundleContent struct {
	sources  []bundle.Source
	models   []string // path in the bundle of each model's first file
	docs     []string
	images   []string // names under which an image is started
	program  string   // file on this machine that says what it was built from
	system   string   // GOOS/GOARCH that it is for
	loader   []byte   // what the bundle begins with; empty: it cannot be run
	loads    bool     // the program is in the bundle
	warnings []string
}

func gatherBundle(c *cli.Context) (*bundleContent, error) {
	b := &bundleContent{}
	if err := b.addProgram(c.String("program")); err != nil {
		return nil, err
	}
	if err := b.addLoader(); err != nil {
		return nil, err
	}
	for _, arg := range c.StringSlice("model") {
		if err := b.addModel(c, arg); err != nil {
			return nil, err
		}
	}
	for _, arg := range c.StringSlice("docs") {
		b.docs = append(b.docs, "docs/"+filepath.Base(arg))
		if err := b.add(arg, "docs", bundle.Documentation); err != nil {
			return nil, err
		}
	}
	for _, arg := range c.StringSlice("image") {
		b.images = append(b.images, imageName(arg))
		if err := b.add(arg, "image", bundle.Image); err != nil {
			return nil, err
		}
	}
	for _, arg := range c.StringSlice("chart") {
		if err := b.add(arg, "chart", bundle.Chart); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// addModel adds all files of a model.
func (b *bundleContent) addModel(c *cli.Context, arg string) error {
	file, _, err := findModel(c, arg)
	if err != nil {
		return err
	}
	m, err := recognise(file, models.Operator{})
	if err != nil {
		return err
	}
	if err := m.what.Err(file); err != nil {
		return err
	}
	from, err := store.Locate(file, "")
	if err != nil {
		return err
	}
	for i, part := range from.Files {
		name := "models/" + part.File
		if i == 0 {
			b.models = append(b.models, name)
		}
		b.sources = append(b.sources, bundle.Source{Path: name, Kind: bundle.Model, File: part.Path})
	}
	return nil
}

// add adds a file, or all files of a folder, below a folder of the bundle.
func (b *bundleContent) add(from, below, kind string) error {
	top := path.Join(below, filepath.Base(from))
	info, err := os.Stat(from)
	if err != nil {
		return plainPathError(err)
	}
	if !info.IsDir() {
		b.sources = append(b.sources, bundle.Source{Path: top, Kind: kind, File: from, Executable: info.Mode()&0o111 != 0})
		return nil
	}
	if below == "" {
		top = ""
	}
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		info, err := os.Stat(file) // links are followed: a bundle has files only
		if err != nil {
			return err
		}
		b.sources = append(b.sources, bundle.Source{
			Path: path.Join(top, filepath.ToSlash(rel)), Kind: kind, File: file, Executable: info.Mode()&0o111 != 0,
		})
		return nil
	})
}

// start are the commands that start what was loaded.
func (b *bundleContent) start(c *cli.Context) []string {
	known := map[string]bool{}
	for _, f := range runCommand().Flags {
		for _, name := range f.Names() {
			known[name] = true
		}
	}
	var lines []string
	if b.loads {
		line := "AIGW_GITLAB_URL=https://gitlab.example.com {dir}/bin/aigw run"
		switch {
		case len(b.models) > 1 && known["models-dir"]:
			line += " --models-dir {dir}/models"
		case len(b.models) > 0:
			line += " --model {dir}/" + b.models[0]
		}
		if len(b.docs) > 0 && known["docs"] {
			line += " --docs {dir}/" + b.docs[0]
		}
		lines = append(lines, line)
	}
	for i, file := range c.StringSlice("image") {
		lines = append(lines, "docker load --input {dir}/image/"+filepath.Base(file),
			"docker run --detach --restart unless-stopped --publish 5052:5052 --volume {dir}/models:/models:ro --env AIGW_GITLAB_URL=https://gitlab.example.com "+b.images[i])
	}
	return lines
}

// imageName is the name of an image that docker save wrote, or a word in its place.
func imageName(file string) string {
	const unknown = "IMAGE"
	f, err := os.Open(file)
	if err != nil {
		return unknown // adding the file will say so
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		head, err := r.Next()
		if err != nil {
			return unknown
		}
		if head.Name != "manifest.json" {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil {
			return unknown
		}
		var images []struct{ RepoTags []string }
		if json.Unmarshal(data, &images) != nil || len(images) == 0 || len(images[0].RepoTags) == 0 {
			return unknown
		}
		return images[0].RepoTags[0]
	}
}

// papers are the list of parts, the checksums and a page that says how it is started.
func (b *bundleContent) papers(created time.Time) func([]bundle.Member) ([]bundle.Source, error) {
	return func(members []bundle.Member) ([]bundle.Source, error) {
		about, err := engine.About()
		if err != nil {
			return nil, err
		}
		list, err := bundle.PartsList(b.program, version, created, []bundle.Part{
			{Name: "llama.cpp", Version: about.Llama, Licence: "MIT"},
			{Name: "ggml", Version: about.GGML, Licence: "MIT"},
		}, members)
		if err != nil {
			return nil, err
		}
		papers := []bundle.Source{
			{Path: "SHA256SUMS", Kind: bundle.Paper, Data: bundle.Checksums(members)},
			{Path: "sbom.cdx.json", Kind: bundle.Paper, Data: list},
		}
		if !slices.ContainsFunc(members, func(m bundle.Member) bool { return m.Path == "NOTICES" }) {
			switch notices, err := readNotices(b.program); {
			case err != nil:
				return nil, err
			case notices == nil:
				b.warnings = append(b.warnings, "the licences of what is linked into the program are missing: make notices writes them to bin/NOTICES")
			default:
				papers = append(papers, bundle.Source{Path: "NOTICES", Kind: bundle.Paper, Data: notices})
			}
		}
		return papers, nil
	}
}
