package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes a file, with its folders.
func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// layout writes a registry-like directory: format says where a blob of a digest lies.
type layout struct {
	t      *testing.T
	dir    string
	format func(Digest) string
}

func ollamaLayout(t *testing.T) layout {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	return layout{t, dir, func(d Digest) string { return filepath.Join(dir, "blobs", d.file()) }}
}

func ociLayout(t *testing.T) layout {
	dir := filepath.Join(t.TempDir(), "weights-image")
	put(t, filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return layout{t, dir, func(d Digest) string { return ociBlob(dir, d) }}
}

func (l layout) blob(data []byte) Digest {
	sum := sha256.Sum256(data)
	d := Digest("sha256:" + hex.EncodeToString(sum[:]))
	put(l.t, l.format(d), data)
	return d
}

func (l layout) json(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		l.t.Fatal(err)
	}
	return data
}

// ollama adds a model: at is HOST/NAMESPACE/MODEL/TAG.
func (l layout) ollama(at string, layers ...descriptor) {
	put(l.t, filepath.Join(l.dir, "manifests", filepath.FromSlash(at)), l.json(manifest{Layers: layers}))
}

// oci writes index.json over images.
func (l layout) oci(images ...descriptor) {
	put(l.t, filepath.Join(l.dir, "index.json"), l.json(manifest{Manifests: images}))
}

func (l layout) image(name string, layers ...descriptor) descriptor {
	d := descriptor{Digest: l.blob(l.json(manifest{Layers: layers}))}
	if name != "" {
		d.Annotations = map[string]string{ociRefName: name}
	}
	return d
}

func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		all.WriteString(path + " " + hex.EncodeToString(sum[:]) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestImportOllama(t *testing.T) {
	l := ollamaLayout(t)
	license := descriptor{MediaType: "application/vnd.ollama.image.license", Digest: l.blob([]byte("MIT"))}
	for i, at := range []string{"registry.test/library/codestral/22b", "registry.test/library/mistral/latest", "registry.test/team/coder/v1"} {
		l.ollama(at, license, descriptor{MediaType: ollamaWeights, Digest: l.blob(weights(uint64(i)).Bytes())})
	}
	before := snapshot(t, l.dir)
	s := At(t.TempDir())
	for model, want := range map[string]struct{ name, file string }{
		"codestral:22b":                 {"codestral:22b", "codestral-22b.gguf"},
		"mistral":                       {"mistral", "mistral.gguf"},
		"registry.test/team/coder:v1":   {"team-coder:v1", "team-coder-v1.gguf"},
		"registry.test/library/mistral": {"mistral", "mistral.gguf"},
	} {
		src, err := Locate(l.dir, model)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Import(t.Context(), src, ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Model.Name != want.name || filepath.Base(got.Model.Path) != want.file {
			t.Errorf("%s became %+v", model, got.Model)
		}
	}
	if snapshot(t, l.dir) != before {
		t.Error("the Ollama store has changed")
	}
	for model, says := range map[string]string{
		"":          "name one of them after the directory: codestral:22b, mistral:latest, team/coder:v1",
		"codestral": `no model "codestral"; it has: codestral:22b`,
	} {
		if _, err := Locate(l.dir, model); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", model, err, says)
		}
	}
}

func TestRefusedOllamaModels(t *testing.T) {
	gone := Digest("sha256:" + strings.Repeat("1", 64))
	for name, tt := range map[string]struct {
		layers func(l layout) []descriptor
		says   string
	}{
		"an adapter": {func(layout) []descriptor { return []descriptor{{MediaType: ollamaAdapter, Digest: gone}} }, "LoRA"},
		"no weights": {func(layout) []descriptor { return nil }, "no layer"},
		"not pulled": {func(layout) []descriptor { return []descriptor{{MediaType: ollamaWeights, Digest: gone}} }, "not finished"},
		"a path as digest": {func(layout) []descriptor {
			return []descriptor{{MediaType: ollamaWeights, Digest: "sha256:../../../etc/passwd"}}
		}, "not sha256 and 64 digits"},
		"separate tensors": {func(layout) []descriptor { return []descriptor{{MediaType: ollamaTensor, Digest: gone}} }, "separate tensors"},
	} {
		t.Run(name, func(t *testing.T) {
			l := ollamaLayout(t)
			l.blob(nil)
			l.ollama("registry.test/library/m/latest", tt.layers(l)...)
			if _, err := Locate(l.dir, "m"); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

// A blob that is not what its name says is not taken over.
func TestManifestDigestIsChecked(t *testing.T) {
	l := ollamaLayout(t)
	d := l.blob(weights(1).Bytes())
	l.ollama("registry.test/library/m/latest", descriptor{MediaType: ollamaWeights, Digest: d})
	put(t, l.format(d), weights(2).Bytes())
	src, err := Locate(l.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	s := At(t.TempDir())
	_, err = s.Import(t.Context(), src, ImportOptions{})
	if err == nil || !strings.Contains(err.Error(), "its manifest says "+string(d)) {
		t.Errorf("%v", err)
	}
	if n := blobs(t, s); len(n) != 0 {
		t.Errorf("%v", n)
	}
}

func TestImportOCI(t *testing.T) {
	split := weights(3).WriteSplit(t, t.TempDir(), "big", 2)
	part := func(l layout, i int, title string) descriptor {
		data, err := os.ReadFile(split[i])
		if err != nil {
			t.Fatal(err)
		}
		return descriptor{MediaType: "application/x", Digest: l.blob(data), Annotations: map[string]string{ociTitle: title}}
	}
	for name, tt := range map[string]struct {
		fill            func(l layout)
		model, is, file string
		parts           int
		refused         string
	}{
		"one image, one layer": {fill: func(l layout) {
			l.oci(l.image("codestral:v1", descriptor{Digest: l.blob([]byte("{}"))}, descriptor{Digest: l.blob(weights(1).Bytes())}))
		}, is: "codestral:v1", file: "codestral-v1.gguf", parts: 1},
		"a file with its name, no reference": {fill: func(l layout) {
			l.oci(l.image("", descriptor{Digest: l.blob(weights(1).Bytes()), Annotations: map[string]string{ociTitle: "codegemma-2b.Q4_K_M.gguf"}}))
		}, is: "codegemma-2b.Q4_K_M", file: "codegemma-2b.Q4_K_M.gguf", parts: 1},
		"no names at all": {fill: func(l layout) {
			l.oci(l.image("", descriptor{Digest: l.blob(weights(1).Bytes())}))
		}, is: "weights-image", file: "weights-image.gguf", parts: 1},
		"a set whose layers are not in order": {fill: func(l layout) {
			l.oci(l.image("big", part(l, 1, "big-00002-of-00002.gguf"), part(l, 0, "big-00001-of-00002.gguf")))
		}, is: "big", file: "big-00001-of-00002.gguf", parts: 2},
		"a set without titles": {fill: func(l layout) {
			l.oci(l.image("big", part(l, 0, ""), part(l, 1, "")))
		}, is: "big", file: "big-00001-of-00002.gguf", parts: 2},
		"an index in the index, with an attestation": {fill: func(l layout) {
			image := l.image("", descriptor{Digest: l.blob(weights(1).Bytes())})
			attestation := descriptor{Digest: l.blob([]byte(`{"layers":[]}`)), Annotations: map[string]string{ociAttestation: "attestation-manifest"}}
			inner := descriptor{Digest: l.blob(l.json(manifest{Manifests: []descriptor{image, attestation}})), Annotations: map[string]string{ociRefName: "example.test/ai/m:1"}}
			l.oci(inner)
		}, is: "m:1", file: "m-1.gguf", parts: 1},
		"one of several": {fill: func(l layout) {
			l.oci(l.image("a", descriptor{Digest: l.blob(weights(1).Bytes())}), l.image("b", descriptor{Digest: l.blob(weights(2).Bytes())}))
		}, model: "b", is: "b", file: "b.gguf", parts: 1},
		"several, none named": {fill: func(l layout) {
			l.oci(l.image("a", descriptor{Digest: l.blob(weights(1).Bytes())}), l.image("b", descriptor{Digest: l.blob(weights(2).Bytes())}))
		}, refused: "several models"},
		"a program": {fill: func(l layout) {
			l.oci(l.image("nginx", descriptor{Digest: l.blob([]byte("\x1f\x8b\x08 a layer of files"))}))
		}, refused: "no layer of nginx is a GGUF file"},
		"empty": {fill: func(l layout) { l.oci() }, refused: "has no models"},
		"an index in itself, as far as names tell": {fill: func(l layout) {
			d := l.image("x", descriptor{Digest: l.blob([]byte("x"))})
			for range 6 {
				d = descriptor{Digest: l.blob(l.json(manifest{Manifests: []descriptor{d}}))}
			}
			l.oci(d)
		}, refused: "nested"},
	} {
		t.Run(name, func(t *testing.T) {
			l := ociLayout(t)
			tt.fill(l)
			src, err := Locate(l.dir, tt.model)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Fatalf("%v, want %q", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := At(t.TempDir()).Import(t.Context(), src, ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if m := got.Model; m.Name != tt.is || filepath.Base(m.Path) != tt.file || len(m.Parts) != tt.parts {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestLocateNothing(t *testing.T) {
	file := weights(1).WriteFile(t, t.TempDir(), "m.gguf")
	for name, tt := range map[string]struct{ path, model, says string }{
		"nothing there":           {"/nowhere/m.gguf", "", "/nowhere/m.gguf: cannot be found"},
		"a folder":                {t.TempDir(), "", "is a directory"},
		"a folder with a model":   {filepath.Dir(file), "", "m.gguf"},
		"a file and a model":      {file, "codestral", "leave \"codestral\" out"},
		"a file that is no model": {os.DevNull, "", "not a regular file"},
	} {
		if _, err := Locate(tt.path, tt.model); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
}

// FuzzManifest feeds manifests from outside: whatever they say, files outside the directory are
// never named, and nothing takes long.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:` + strings.Repeat("a", 64) + `"}]}`))
	f.Add([]byte(`{"manifests":[{"digest":"sha256:../../x"}],"layers":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		inside := Digest("sha256:" + strings.Repeat("a", 64))
		put(t, filepath.Join(dir, "blobs", inside.file()), []byte("GGUF"))
		put(t, ociBlob(dir, inside), []byte("GGUF"))
		put(t, filepath.Join(dir, "index.json"), data)
		put(t, filepath.Join(dir, "manifests", "h", "library", "m", "latest"), data)
		for _, locate := range []func(string, string) (Source, error){locateOllama, locateOCI} {
			s, err := locate(dir, "")
			if err != nil {
				continue
			}
			for _, file := range s.Files {
				if !strings.HasPrefix(file.Path, dir) || checkFile(file.File) != nil || !file.Digest.valid() {
					t.Errorf("%+v", file)
				}
			}
		}
	})
}
