package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

// weights are a small model; seed tells them apart.
func weights(seed uint64) *gguftest.Builder {
	return gguftest.Model(gguftest.SentencePiece("▁", "a", "b", "▁a"), gguftest.Network{Seed: seed})
}

func importFile(t *testing.T, s *Store, path, name string) Imported {
	t.Helper()
	src, err := Locate(path, "")
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Import(t.Context(), src, ImportOptions{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// blobs lists the weights in a store, and fails the test if an import has left anything behind.
func blobs(t *testing.T, s *Store) []string {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(s.dir, tmpDir))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, blobsDir))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func names(t *testing.T, s *Store) string {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range all {
		out = append(out, m.Name)
	}
	return strings.Join(out, " ")
}

func TestImportFile(t *testing.T) {
	s := At(filepath.Join(t.TempDir(), "new", "store"))
	if all, err := s.List(); err != nil || all != nil {
		t.Fatalf("a store that does not exist has %v, %v", all, err)
	}
	path := weights(1).WriteFile(t, t.TempDir(), "tiny-it.gguf")
	var done, total int64
	src, err := Locate(path, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Import(t.Context(), src, ImportOptions{Progress: func(d, all int64) { done, total = d, all }})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if done != info.Size() || total != info.Size() || got.Model.Size != info.Size() {
		t.Errorf("progress %d of %d, size %d, file %d", done, total, got.Model.Size, info.Size())
	}
	found, err := s.Find("tiny-it")
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(found.Path) != "tiny-it.gguf" || found.Family != "generic" || found.Role != "instruct" || found.Source != path {
		t.Errorf("%+v", found)
	}
	// What is loaded is the weights that were given, whatever happens to the folder they came from.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(found.Path)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if faults, err := s.Verify(t.Context(), found, nil); len(faults) > 0 || err != nil {
		t.Errorf("%v, %v", faults, err)
	}
	if n := blobs(t, s); len(n) != 1 || n[0] != found.Parts[0].Digest.file() {
		t.Errorf("%v", n)
	}
}

// The store works where it is moved to, and where nothing may be written.
func TestMovedAndReadOnly(t *testing.T) {
	dir := t.TempDir()
	importFile(t, At(filepath.Join(dir, "a")), weights(1).WriteFile(t, t.TempDir(), "m.gguf"), "")
	if err := os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	s := At(filepath.Join(dir, "b"))
	if err := os.Remove(filepath.Join(s.dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	m, err := s.Find("m")
	if err != nil || !strings.HasPrefix(m.Path, s.dir) {
		t.Fatal(m, err)
	}
	if faults, err := s.Verify(t.Context(), m, nil); len(faults) > 0 || err != nil {
		t.Errorf("%v, %v", faults, err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, lockFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading has made a lock: %v", err)
	}
}

func TestImportSplitSet(t *testing.T) {
	s := At(t.TempDir())
	parts := weights(1).WriteSplit(t, t.TempDir(), "big", 3)
	got := importFile(t, s, parts[1], "") // any part names the set
	if got.Model.Name != "big" || len(got.Model.Parts) != 3 || filepath.Base(got.Model.Path) != "big-00001-of-00003.gguf" {
		t.Errorf("%+v", got.Model)
	}
	f, err := gguf.Open(got.Model.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Parts) != 3 || len(blobs(t, s)) != 3 {
		t.Errorf("%d parts, blobs %v", len(f.Parts), blobs(t, s))
	}
}

// The same weights are kept once, and stay until their last name goes.
func TestSharedWeights(t *testing.T) {
	s := At(t.TempDir())
	path := weights(1).WriteFile(t, t.TempDir(), "m.gguf")
	importFile(t, s, path, "one")
	importFile(t, s, path, "two")
	if again := importFile(t, s, path, "two"); !again.Already {
		t.Errorf("%+v", again)
	}
	if n := blobs(t, s); len(n) != 1 {
		t.Errorf("%v", n)
	}
	if freed, err := s.Remove("one"); freed != 0 || err != nil {
		t.Errorf("freed %d, %v", freed, err)
	}
	if n := blobs(t, s); len(n) != 1 || names(t, s) != "two" {
		t.Errorf("%v, %s", n, names(t, s))
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if freed, err := s.Remove("two"); freed != info.Size() || err != nil {
		t.Errorf("freed %d, %v", freed, err)
	}
	if n := blobs(t, s); len(n) != 0 {
		t.Errorf("%v", n)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the source is gone: %v", err)
	}
}

func TestRefusedImports(t *testing.T) {
	dir := t.TempDir()
	good := weights(1).WriteFile(t, dir, "good.gguf")
	noScores := weights(1).Remove("tokenizer.ggml.scores").WriteFile(t, dir, "noscores.gguf")
	for _, tt := range []struct{ name, path, as, says string }{
		{"a model that cannot be used", noScores, "", "noscores.gguf"},
		{"a bad name", good, "../m", "cannot be a model's name"},
		{"a name like a file", good, "m.gguf", "leave .gguf out"},
		{"a name that is taken", good, "taken", "--name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := At(t.TempDir())
			importFile(t, s, weights(2).WriteFile(t, t.TempDir(), "taken.gguf"), "")
			src, err := Locate(tt.path, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Import(t.Context(), src, ImportOptions{Name: tt.as})
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), s.dir) {
				t.Errorf("%v, want %q and no path of the store", err, tt.says)
			}
			if n := blobs(t, s); len(n) != 1 || names(t, s) != "taken" {
				t.Errorf("%v, %s", n, names(t, s))
			}
		})
	}
}

// An import that is stopped in the middle of its weights leaves the store as it was.
func TestStoppedImport(t *testing.T) {
	s := At(t.TempDir())
	src, err := Locate(weights(1).WriteSplit(t, t.TempDir(), "m", 3)[0], "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, err = s.Import(ctx, src, ImportOptions{Progress: func(int64, int64) { stop() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := blobs(t, s); len(n) != 0 || names(t, s) != "" {
		t.Errorf("%v, %q", n, names(t, s))
	}
}

// What a process left that was killed is removed by the next import; what another one is working
// on stays.
func TestKilledImport(t *testing.T) {
	s := At(t.TempDir())
	src, err := Locate(weights(1).WriteFile(t, t.TempDir(), "m.gguf"), "")
	if err != nil {
		t.Fatal(err)
	}
	killed, err := s.stage(src)
	if err != nil {
		t.Fatal(err)
	}
	alive, err := s.stage(src)
	if err != nil {
		t.Fatal(err)
	}
	killed.lock.Close() // as the system does when the process ends
	orphan := filepath.Join(s.dir, blobsDir, "sha256-"+strings.Repeat("0", 64))
	if err := os.WriteFile(orphan, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	importFile(t, s, src.Files[0].Path, "")
	for path, want := range map[string]bool{killed.dir: false, orphan: false, alive.dir: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it to exist: %t", path, err, want)
		}
	}
	alive.close()
	blobs(t, s)
}

// Many commands at once, each a process of its own as far as locks can tell.
func TestConcurrentCommands(t *testing.T) {
	dir := t.TempDir()
	paths := []string{weights(1).WriteFile(t, t.TempDir(), "a.gguf"), weights(2).WriteFile(t, t.TempDir(), "b.gguf")}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := At(dir)
			src, err := Locate(paths[i%2], "")
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				done, err := s.Import(t.Context(), src, ImportOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.List(); err != nil {
					t.Error(err)
				}
				// It may be gone, or gone and come again, while it is read: only the weights count.
				faults, err := s.Verify(t.Context(), done.Model, nil)
				for _, f := range faults {
					if strings.Contains(f.Found, "instead of") {
						t.Errorf("%+v", f)
					}
				}
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Remove(done.Model.Name); err != nil && !errors.As(err, new(*UnknownError)) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := At(dir)
	importFile(t, s, paths[0], "")
	if n := blobs(t, s); len(n) != 1 || names(t, s) != "a" {
		t.Errorf("%v, %s", n, names(t, s))
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(path string) error
		says   string
	}{
		"a changed byte": {func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)-1] ^= 1
			return errors.Join(os.Remove(path), os.WriteFile(path, data, 0o600))
		}, "instead of sha256:"},
		"cut short": {func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("GGUF"), 0o600))
		}, "has 4 bytes"},
		"missing": {os.Remove, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := At(t.TempDir())
			path := weights(1).WriteFile(t, t.TempDir(), "m.gguf")
			m := importFile(t, s, path, "").Model
			if err := tt.damage(s.blob(m.Parts[0].Digest)); err != nil {
				t.Fatal(err)
			}
			faults, err := s.Verify(t.Context(), m, nil)
			if err != nil || len(faults) != 1 || !strings.Contains(faults[0].Found, tt.says) {
				t.Fatalf("%v, %v", faults, err)
			}
			importFile(t, s, path, "") // repairs
			if faults, err := s.Verify(t.Context(), m, nil); err != nil || len(faults) > 0 {
				t.Errorf("after importing again: %v, %v", faults, err)
			}
		})
	}
}

// A record is outside data: what it names must not become a path elsewhere.
func TestDamagedRecord(t *testing.T) {
	s := At(t.TempDir())
	m := importFile(t, s, weights(1).WriteFile(t, t.TempDir(), "m.gguf"), "").Model
	importFile(t, s, weights(2).WriteFile(t, t.TempDir(), "other.gguf"), "")
	record := filepath.Join(s.model("m"), recordFile)
	for name, content := range map[string]string{
		"no JSON":       "{",
		"no parts":      `{"name":"m"}`,
		"another name":  `{"name":"x","parts":[{"file":"m.gguf","digest":"` + string(m.Parts[0].Digest) + `"}]}`,
		"a path":        `{"name":"m","parts":[{"file":"../x.gguf","digest":"` + string(m.Parts[0].Digest) + `"}]}`,
		"a path digest": `{"name":"m","parts":[{"file":"m.gguf","digest":"sha256:../../x"}]}`,
	} {
		if err := os.WriteFile(record, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Find("m"); err == nil || !strings.Contains(err.Error(), record) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all, err := s.List()
	if err == nil || len(all) != 1 || all[0].Name != "other" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := s.Remove("other"); err != nil {
		t.Fatal(err)
	}
	if n := blobs(t, s); !slices.Contains(n, m.Parts[0].Digest.file()) {
		t.Errorf("weights of a model with a damaged record are gone: %v", n)
	}
	if _, err := s.Remove("m"); err != nil {
		t.Fatal(err)
	}
	if n := blobs(t, s); len(n) != 0 {
		t.Errorf("%v", n)
	}
}

func TestUnknownNames(t *testing.T) {
	s := At(t.TempDir())
	if _, err := s.Find("codestral"); err == nil || !strings.Contains(err.Error(), "the store is empty") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"codestral", "codegemma:7b"} {
		importFile(t, s, weights(1).WriteFile(t, t.TempDir(), "m.gguf"), name)
	}
	for name, says := range map[string]string{
		"codestrl":  `did you mean "codestral"`,
		"CodeGemma": `did you mean "codegemma:7b"`,
		"llama":     "stored are: codegemma:7b, codestral",
		"../../etc": "stored are",
	} {
		if _, err := s.Find(name); !errors.As(err, new(*UnknownError)) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
}
