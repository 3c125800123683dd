package gguf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

// TestLooksLike writes files that people give in place of a model.
func TestLooksLike(t *testing.T) {
	safetensors := append(u64(40), []byte(`{"__metadata__":{"format":"pt"}}        `)...)
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
		"config":{"digest":"sha256:11"},"layers":[
		{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:22"},
		{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:33ab"}]}`
	tar := make([]byte, 512)
	copy(tar, "codestral.gguf")
	copy(tar[257:], "ustar")
	for _, tt := range []struct{ name, data, want string }{
		{"zip", "PK\x03\x04....", "a zip archive or a PyTorch checkpoint; convert the model"},
		{"safetensors", string(safetensors), "a safetensors file; convert the model"},
		{"html", "\n<!DOCTYPE html><html lang=en>", "an HTML page saved by a browser; download the file itself"},
		{"html upper", "<HTML><BODY>403", "an HTML page"},
		{"xml error", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"},
		{"git lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer, not the file it stands for; run `git lfs pull`"},
		{"ollama", manifest, "an Ollama manifest; give the weights it names: blobs/sha256-33ab"},
		{"json", `{"architectures":["LlamaForCausalLM"]}`, "a JSON document"},
		{"broken json", `{"layers":`, "a JSON document"},
		{"ggjt", "tjgg\x03\x00\x00\x00", "a model in the GGJT format that llama.cpp used before August 2023"},
		{"gzip", "\x1f\x8b\x08", "a gzip archive; unpack it"},
		{"zstd", "\x28\xb5\x2f\xfd", "a zstd archive; unpack it"},
		{"tar", string(tar), "a tar archive; unpack it"},
		{"elf", "\x7fELF\x02\x01", "a Linux program (a llamafile?)"},
		{"zeros", string(make([]byte, 4096)), "zeros: a download that was not finished; download it again"},
		{"text", "Ceci n'est pas un modèle.", "a text file"},
		{"text cut in a character", strings.Repeat("é", 300)[:513], "a text file"},
		{"binary", "\x01\x02\x03\x04\x05", "some other binary file"},
		{"short binary", "\xff", "a text file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.gguf")
			if err := os.WriteFile(path, []byte(tt.data), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := gguf.Open(path)
			checkError(t, err, gguf.NotGGUF, path+": not a GGUF file: it looks like "+tt.want)
		})
	}
}

func TestOpenRefusals(t *testing.T) {
	dir := t.TempDir()
	small().WriteFile(t, dir, "other.gguf")
	empty := filepath.Join(dir, "empty.gguf")
	pipe := filepath.Join(dir, "pipe.gguf")
	secret := filepath.Join(dir, "secret.gguf")
	link := filepath.Join(dir, "link.gguf")
	for _, err := range []error{
		os.WriteFile(empty, nil, 0o600),
		syscall.Mkfifo(pipe, 0o600),
		os.WriteFile(secret, []byte("GGUF"), 0o000),
		os.Symlink(filepath.Join(dir, "nowhere"), link),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		path string
		kind gguf.Kind
		want string
	}{
		{filepath.Join(dir, "absent.gguf"), gguf.Missing, "cannot be found: no such file or directory; give the path of a GGUF file; " + dir + " has "},
		{filepath.Join(dir, "no", "absent.gguf"), gguf.Missing, "cannot be found: no such file or directory; give the path of a GGUF file"},
		{link, gguf.Missing, "cannot be found"},
		{filepath.Join(empty, "x"), gguf.Unreadable, "cannot be read: not a directory"},
		{dir, gguf.Unreadable, "is a directory; give the path of the GGUF file in it; " + dir + " has "},
		{pipe, gguf.Unreadable, "is not a regular file"},
		{empty, gguf.Empty, "the file is empty"},
	}
	if os.Getuid() != 0 { // root may read everything
		tests = append(tests, struct {
			path string
			kind gguf.Kind
			want string
		}{secret, gguf.Unreadable, "cannot be read: permission denied; check that this user may read the file"})
	}
	for _, tt := range tests {
		_, err := gguf.Open(tt.path)
		checkError(t, err, tt.kind, tt.path+": ", tt.want)
		if n := strings.Count(err.Error(), tt.path+":"); n != 1 {
			t.Errorf("error %q names the file %d times", err, n)
		}
	}
}

// writeSplit writes a set of three parts with two tensors each.
func writeSplit(t *testing.T, dir string, change func(part int, b *gguftest.Builder)) []string {
	t.Helper()
	var paths []string
	for i := range 3 {
		b := &gguftest.Builder{}
		if i == 0 {
			b = small()
			b.Set("split.tensors.count", int32(6))
		}
		b.Set("split.no", uint16(i)).Set("split.count", uint16(3))
		if i > 0 {
			for j := range 2 {
				b.Tensor(fmt.Sprintf("t%d.%d", i, j), gguf.F16, make([]byte, 64), 32)
			}
		}
		if change != nil {
			change(i, b)
		}
		paths = append(paths, b.WriteFile(t, dir, fmt.Sprintf("m-%05d-of-00003.gguf", i+1)))
	}
	return paths
}

func TestSplitSet(t *testing.T) {
	paths := writeSplit(t, t.TempDir(), nil)
	for _, path := range paths { // any part may be named
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Path != paths[0] || len(f.Parts) != 3 || len(f.Tensors) != 6 {
			t.Errorf("path %s, %d parts, %d tensors", f.Path, len(f.Parts), len(f.Tensors))
		}
		if w, ok := f.Tensor("t2.1"); !ok || w.Part != 2 || w.Offset != f.Parts[2].DataOffset+64 {
			t.Errorf("tensor of part 3: %+v, %t", w, ok)
		}
		if a, ok := f.Array("t.ints"); !ok {
			t.Error("no array")
		} else if _, err := a.Int32s(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSplitRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(part int, b *gguftest.Builder)
		after  func(paths []string) error
		open   int
		kind   gguf.Kind
		want   string
	}{
		{name: "part missing", after: func(p []string) error { return os.Remove(p[1]) }, kind: gguf.MissingPart, want: "m-00002-of-00003.gguf: part 2 of 3 cannot be found: no such file or directory; put all parts of the set into one folder"},
		{name: "first missing", open: 2, after: func(p []string) error { return os.Remove(p[0]) }, kind: gguf.MissingPart, want: "m-00001-of-00003.gguf: the first part of the set cannot be found"},
		{name: "part truncated", after: func(p []string) error { return os.Truncate(p[2], 150) }, kind: gguf.Truncated, want: "m-00003-of-00003.gguf: truncated: the file has 150 of 288 bytes"},
		{name: "part is empty", after: func(p []string) error { return os.Truncate(p[2], 0) }, kind: gguf.Empty, want: "m-00003-of-00003.gguf: the file is empty"},
		{name: "parts exchanged", change: func(i int, b *gguftest.Builder) {
			if i > 0 {
				b.Set("split.no", uint16(3-i))
			}
		}, kind: gguf.Damaged, want: "split.no is u16 2 where u16 1 is expected"},
		{name: "number of wrong type", change: func(i int, b *gguftest.Builder) { b.Set("split.no", uint32(i)) }, kind: gguf.Damaged, want: "split.no is u32 0 where u16 0"},
		{name: "no number", change: func(i int, b *gguftest.Builder) { b.Remove("split.no") }, kind: gguf.Damaged, want: "split.no is missing"},
		{name: "renamed", after: func(p []string) error { return os.Rename(p[0], filepath.Join(filepath.Dir(p[0]), "model.gguf")) }, open: -1, kind: gguf.Damaged, want: "is part 1 of 3, but is not named so; give the parts their names back: NAME-00001-of-00003.gguf"},
		{name: "cut with split", change: func(i int, b *gguftest.Builder) { b.Remove("split.count") }, kind: gguf.Damaged, want: "its name says part 1 of 3, but its header knows of no parts; a file that was cut into pieces must be joined again"},
		{name: "too many parts", change: func(i int, b *gguftest.Builder) { b.Set("split.count", uint16(60000)) }, kind: gguf.Damaged, want: "claims to be one of 60000 parts"},
		{name: "count is text", change: func(i int, b *gguftest.Builder) { b.Set("split.count", "3") }, kind: gguf.Damaged, want: `split.count is "3", which is no count`},
		{name: "tensor twice", change: func(i int, b *gguftest.Builder) {
			if i == 2 {
				b.Tensor("a.weight", gguf.F32, nil, 1)
			}
		}, kind: gguf.Damaged, want: `has tensor "a.weight", which an earlier part has too`},
		{name: "tensor too many", change: func(i int, b *gguftest.Builder) {
			if i == 2 {
				b.Tensor("c.weight", gguf.F32, nil, 1)
			}
		}, kind: gguf.Damaged, want: "the set should have 6 tensors and has 7; its parts belong to different models"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			paths := append(writeSplit(t, dir, tt.change), filepath.Join(dir, "model.gguf"))
			if tt.after != nil {
				if err := tt.after(paths); err != nil {
					t.Fatal(err)
				}
			}
			_, err := gguf.Open(paths[(tt.open+len(paths))%len(paths)])
			checkError(t, err, tt.kind, tt.want)
		})
	}
}

// TestRealVocabularies opens the vocabularies that llama.cpp carries for its own tests.
func TestRealVocabularies(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(gguftest.LlamaSources(t), "models", "ggml-vocab-*.gguf"))
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d vocabularies found, %v", len(paths), err)
	}
	for _, path := range paths {
		f, err := gguf.Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		a, ok := f.Array("tokenizer.ggml.tokens")
		if !ok {
			t.Errorf("%s has no tokens", path)
			continue
		}
		pieces, err := a.Strings()
		if err != nil || pieces.Len() != a.Len || pieces.Len() < 30000 {
			t.Errorf("%s: %d pieces, %v", path, a.Len, err)
		}
		types, _ := f.Array("tokenizer.ggml.token_type")
		if ids, err := types.Int32s(); err != nil || len(ids) != pieces.Len() {
			t.Errorf("%s: %d token types for %d pieces, %v", path, len(ids), pieces.Len(), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
