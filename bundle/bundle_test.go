package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// site is a bundle of five files: empty, small, executable, of two and a bit chunks, and of exactly one.
type site struct {
	path    string
	content map[string][]byte
	public  ed25519.PublicKey
	m       *Manifest
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = mathrand.NewChaCha8([32]byte{byte(n)}).Read(b) // never fails
	return b
}

func makeSite(t testing.TB, change func(*CreateOptions)) site {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := site{path: filepath.Join(t.TempDir(), "site.aigw"), public: public, content: map[string][]byte{
		"empty": {}, "docs/small.txt": []byte("few words\n"), "bin/aigw": noise(3000),
		"models/large.gguf": append(noise(2*ChunkSize), "tail"...), "models/one-chunk.gguf": bytes.Repeat([]byte("q"), ChunkSize),
	}}
	var sources []Source
	for _, name := range []string{"empty", "docs/small.txt", "bin/aigw", "models/large.gguf", "models/one-chunk.gguf"} {
		src := Source{Path: name, Kind: Program, Executable: name == "bin/aigw", Data: s.content[name]}
		if len(src.Data) > ChunkSize { // one from a file
			src.File, src.Data = filepath.Join(t.TempDir(), "large"), nil
			if err := os.WriteFile(src.File, s.content[name], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		sources = append(sources, src)
	}
	o := CreateOptions{
		Name: "site", Version: "1.2.3", System: "linux/amd64", Created: time.Unix(1700000000, 0),
		Start: []string{"{dir}/bin/aigw run"}, Loader: noise(5000), Key: private,
	}
	if change != nil {
		change(&o)
	}
	if s.m, err = Create(t.Context(), s.path, sources, o); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s site) open(t testing.TB) *Bundle {
	t.Helper()
	b, err := Open(s.path, Trust{Key: s.public})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// loaded checks that dir holds the site and nothing else.
func (s site) loaded(t *testing.T, dir string) {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		found[rel] = true
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if want, ok := s.content[rel]; !ok || !bytes.Equal(data, want) {
			t.Errorf("%s is not what was put into the bundle", rel)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o644)
		if rel == "bin/aigw" {
			want = 0o755
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", rel, info.Mode(), want)
		}
		return nil
	})
	if err != nil || len(found) != len(s.content) {
		t.Errorf("found %v, want %d files (%v)", found, len(s.content), err)
	}
}

func TestWhatIsPutInComesOut(t *testing.T) {
	s := makeSite(t, nil)
	b := s.open(t)
	if !b.Signed || !b.Checked || !reflect.DeepEqual(b.Manifest, s.m) {
		t.Errorf("the manifest came out as %+v", b.Manifest)
	}
	if err := b.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new", "place")
	var last int64
	done, err := b.Load(t.Context(), dir, LoadOptions{Progress: func(done, total int64) {
		if done < last || done > total || total != s.m.Total() {
			t.Errorf("progress went from %d to %d of %d", last, done, total)
		}
		last = done
	}})
	if err != nil || done != (Loaded{Written: 5}) || last != s.m.Total() {
		t.Fatalf("%+v, %d of %d bytes, %v", done, last, s.m.Total(), err)
	}
	s.loaded(t, dir)
	if got := s.m.StartCommands("/opt/it's here"); got[0] != `'/opt/it'\''s here'/bin/aigw run` {
		t.Errorf("start command %s", got[0])
	}

	// Once more: everything is there, but for what somebody changed in between.
	if err := os.WriteFile(filepath.Join(dir, "docs/small.txt"), []byte("new words\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if done, err = b.Load(t.Context(), dir, LoadOptions{}); err != nil || done != (Loaded{Written: 1, There: 4}) {
		t.Fatalf("the second load: %+v, %v", done, err)
	}
	s.loaded(t, dir)
}

// Behind the loader stands an archive that tar and zstd read, too.
func TestTheFramesAreOneTarArchive(t *testing.T) {
	s := makeSite(t, nil)
	data, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(bytes.NewReader(data[8192:])) // 5000 bytes of loader, up to a multiple of 4096
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	r := tar.NewReader(z)
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, head.Name)
		got, err := io.ReadAll(r)
		if want, ok := s.content[head.Name]; err != nil || ok && !bytes.Equal(got, want) {
			t.Errorf("%s differs in the archive (%v)", head.Name, err)
		}
	}
	if len(names) != 7 || names[0] != manifestName || names[1] != signatureName {
		t.Errorf("entries %v", names)
	}
}

func TestTheSameTwiceHasTheSameBytes(t *testing.T) {
	same := func(o *CreateOptions) { o.Key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }
	one, err := os.ReadFile(makeSite(t, same).path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(makeSite(t, same).path)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("two bundles of the same files differ (%v)", err)
	}
}

func TestWhoIsTrusted(t *testing.T) {
	signed, unsigned := makeSite(t, nil), makeSite(t, func(o *CreateOptions) { o.Key = nil })
	other, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path  string
		trust Trust
		says  string // empty: opens
	}{
		"signed, its key":          {signed.path, Trust{Key: signed.public}, ""},
		"signed, another key":      {signed.path, Trust{Key: other}, "not of the key"},
		"signed, another, allowed": {signed.path, Trust{Key: other, AllowUnsigned: true}, "not of the key"},
		"signed, no key":           {signed.path, Trust{}, "--key FILE"},
		"signed, allowed":          {signed.path, Trust{AllowUnsigned: true}, ""},
		"unsigned":                 {unsigned.path, Trust{}, "--allow-unsigned"},
		"unsigned, allowed":        {unsigned.path, Trust{AllowUnsigned: true}, ""},
		"unsigned, a key":          {unsigned.path, Trust{Key: other}, "not signed"},
		"unsigned, key, allowed":   {unsigned.path, Trust{Key: other, AllowUnsigned: true}, "not signed"},
	} {
		b, err := Open(tt.path, tt.trust)
		if err == nil {
			b.Close()
		}
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A flipped bit is found wherever it is, and a cut file whatever is left of it.
func TestDamageIsFoundAnywhere(t *testing.T) {
	s := makeSite(t, nil)
	good, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	tried := func(data []byte) error {
		b, err := open("site.aigw", bytes.NewReader(data), int64(len(data)), Trust{Key: s.public})
		if err != nil {
			return err
		}
		return b.Verify(context.Background(), nil)
	}
	if err := tried(good); err != nil {
		t.Fatal(err)
	}
	b := s.open(t)
	var places []int64
	for _, f := range b.frames { // both ends and the middle of every frame
		places = append(places, f.offset, f.offset+4, f.offset+5, f.offset+int64(f.size)/2, f.offset+int64(f.size)-1)
	}
	for at := int64(len(good)) - footerSize - 40; at < int64(len(good)); at++ { // index and footer
		places = append(places, at)
	}
	places = append(places, 0, 4999, 5000, 8191) // loader and the zeros behind it
	for _, at := range places {
		good[at] ^= 0x10
		if err := tried(good); err == nil {
			t.Errorf("a bit at %d of %d was changed, and nobody noticed", at, len(good))
		}
		good[at] ^= 0x10
	}
	for _, n := range []int{0, 1, footerSize - 1, footerSize, 5000, 8192, 9000, len(good) / 2, len(good) - 1} {
		if err := tried(good[:n]); err == nil || !strings.Contains(err.Error(), "end") {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if err := tried(append(good[:len(good):len(good)], 0)); err == nil {
		t.Error("a byte behind the end was not noticed")
	}
}

func TestDamageIsNamed(t *testing.T) {
	s := makeSite(t, nil)
	b := s.open(t)
	at := b.frames[b.firstOf(3)+2].offset + 1000 // the second chunk of the large file
	flip(t, s.path, at)
	for name, err := range map[string]error{
		"verify": s.open(t).Verify(t.Context(), nil),
		"load":   second(s.open(t).Load(t.Context(), t.TempDir(), LoadOptions{})),
	} {
		var damage *DamageError
		if !errors.As(err, &damage) || damage.What != "models/large.gguf, bytes 8388608 to 16777216" || !errors.Is(err, errChecksum) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ Loaded, err error) error { return err }

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// What was interrupted goes on where it stopped, and leaves nothing under a final name that is not whole.
func TestALoadIsContinued(t *testing.T) {
	s := makeSite(t, nil)
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	pulled := errors.New("the plug was pulled")
	_, err := s.open(t).Load(ctx, dir, LoadOptions{Progress: func(done, _ int64) {
		if done > ChunkSize { // in the middle of the large file
			cancel(pulled)
		}
	}})
	if !errors.Is(err, pulled) {
		t.Fatalf("the load ended with %v", err)
	}
	large := filepath.Join(dir, "models/large.gguf")
	if _, err := os.Stat(large); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("a file that is not whole has its name")
	}
	part, err := os.Stat(large + partSuffix)
	if err != nil || part.Size() == 0 {
		t.Fatalf("nothing was kept of the large file: %v", err)
	}
	for _, test := range []struct {
		name  string
		spoil func()
	}{ // in this order: the first one finds what the interrupted load has left
		{"continued", func() {}},
		{"with rubbish at the end", func() {
			if err := os.WriteFile(large+partSuffix, append(s.content["models/large.gguf"][:ChunkSize:ChunkSize], noise(ChunkSize)...), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		name := test.name
		_ = os.Remove(large)
		test.spoil()
		var first int64 = -1
		done, err := s.open(t).Load(t.Context(), dir, LoadOptions{Progress: func(done, _ int64) {
			if first < 0 {
				first = done
			}
		}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "continued" && done.Continued != 1 {
			t.Errorf("%s: %+v, nothing was continued", name, done)
		}
		s.loaded(t, dir)
	}
}

// Whatever is in the folder already, nothing outside it is written.
func TestNothingOutsideIsWritten(t *testing.T) {
	s := makeSite(t, nil)
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious")
	if err := os.WriteFile(precious, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		link   string
		target string
		fails  bool
	}{
		"a folder that leads away":         {"models", outside, true},
		"a file that leads away":           {"docs/small.txt", precious, false}, // is replaced
		"an unfinished file that does":     {"docs/small.txt" + partSuffix, precious, false},
		"a file where a folder should be":  {"bin", "", true},
		"a folder where a file should be:": {"empty", "folder", true},
	} {
		dir := t.TempDir()
		at := filepath.Join(dir, tt.link)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch tt.target {
		case "":
			err = os.WriteFile(at, nil, 0o600)
		case "folder":
			err = os.Mkdir(at, 0o755)
		default:
			err = os.Symlink(tt.target, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.open(t).Load(t.Context(), dir, LoadOptions{})
		if (err != nil) != tt.fails {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			s.loaded(t, dir)
		}
		entries, err := os.ReadDir(outside)
		data, errRead := os.ReadFile(precious)
		if err != nil || errRead != nil || len(entries) != 1 || string(data) != "old" {
			t.Fatalf("%s: something outside was written", name)
		}
	}
}

func TestTooMuch(t *testing.T) {
	s := makeSite(t, nil)
	_, err := s.open(t).Load(t.Context(), t.TempDir(), LoadOptions{MaxBytes: s.m.Total() - 1})
	if err == nil || !strings.Contains(err.Error(), "--max-size") {
		t.Errorf("more than --max-size was loaded: %v", err)
	}
}

func TestManifestsThatAreRefused(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	ok := Member{Path: "models/a.gguf", Size: 3, SHA256: sum}
	with := func(change func(*Member)) []Member { m := ok; change(&m); return []Member{m} }
	for name, members := range map[string][]Member{
		"absolute":           with(func(m *Member) { m.Path = "/etc/passwd" }),
		"above":              with(func(m *Member) { m.Path = "../a" }),
		"above, inside":      with(func(m *Member) { m.Path = "a/../../b" }),
		"dot":                with(func(m *Member) { m.Path = "." }),
		"empty name":         with(func(m *Member) { m.Path = "" }),
		"backslash":          with(func(m *Member) { m.Path = `a\b` }),
		"terminal sequence":  with(func(m *Member) { m.Path = "a\x1b[2J" }),
		"long name":          with(func(m *Member) { m.Path = strings.Repeat("a", maxPath+1) }),
		"name of a part":     with(func(m *Member) { m.Path = "a" + partSuffix }),
		"the manifest":       with(func(m *Member) { m.Path = manifestName }),
		"negative size":      with(func(m *Member) { m.Size = -1 }),
		"no checksum":        with(func(m *Member) { m.SHA256 = "" }),
		"checksum of chunks": with(func(m *Member) { m.Size = 2 * ChunkSize }),
		"too many chunks":    with(func(m *Member) { m.Chunks = []string{sum, sum} }),
		"twice":              {ok, ok},
		"twice but for case": append(with(func(m *Member) { m.Path = "Models/A.gguf" }), ok),
		"file and folder":    append(with(func(m *Member) { m.Path = "models" }), ok),
		"sum of sizes":       manyHuge(sum),
	} {
		m := Manifest{Format: manifestV, Members: members}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeManifest(data); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, text := range map[string]string{
		"mode":    `{"format":1,"members":[{"path":"a","mode":4755,"size":0,"sha256":"` + sum + `"}]}`,
		"link":    `{"format":1,"members":[{"path":"a","link":"/etc/passwd","size":0,"sha256":"` + sum + `"}]}`,
		"version": `{"format":2}`, "no JSON": `{`, "other": `[]`,
		"command": `{"format":1,"start":["a\u001b[2J"]}`,
	} {
		if _, err := decodeManifest([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := decodeManifest([]byte(`{"format":1,"members":[{"path":"a","size":0,"sha256":"` + sum + `"}]}`)); err != nil {
		t.Errorf("a good one was refused: %v", err)
	}
}

func manyHuge(sum string) []Member {
	var all []Member
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, Member{Path: name, Size: 1 << 62, SHA256: sum})
	}
	return all
}

func TestAFileThatChangesIsNoticed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(file, noise(100), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "site.aigw")
	_, err := Create(t.Context(), out, []Source{{Path: "weights", File: file}}, CreateOptions{
		Papers: func([]Member) ([]Source, error) { // between the first reading and the second
			return nil, os.WriteFile(file, noise(101), 0o600)
		},
	})
	if err == nil || !strings.Contains(err.Error(), "changed while") {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Any bytes are refused or are a bundle that verifies; none ends the program or takes its memory.
func FuzzOpen(f *testing.F) {
	s := makeSmall(f)
	f.Add(s)
	f.Add(s[:len(s)/2])
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := open("site.aigw", bytes.NewReader(data), int64(len(data)), Trust{AllowUnsigned: true})
		if err != nil {
			return
		}
		if err := b.Manifest.check(); err != nil {
			t.Fatalf("opened with a manifest that is refused: %v", err)
		}
		if b.Verify(t.Context(), nil) != nil {
			return
		}
		dir := t.TempDir()
		if _, err := b.Load(t.Context(), dir, LoadOptions{MaxBytes: 1 << 20}); err != nil && b.Manifest.Total() <= 1<<20 {
			t.Fatalf("verified, and not loaded: %v", err)
		}
	})
}

// FuzzManifest reaches the checks that a signature or a checksum hides from FuzzOpen.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"members":[{"path":"a/b","size":0,"sha256":"` + strings.Repeat("0a", 32) + `"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(data)
		if err != nil {
			return
		}
		for _, f := range m.Members {
			if !filepath.IsLocal(f.Path) || f.mode()&^0o755 != 0 || f.chunks() > 1 && f.chunks() != len(f.Chunks) {
				t.Errorf("taken: %+v", f)
			}
		}
	})
}

func makeSmall(f *testing.F) []byte {
	path := filepath.Join(f.TempDir(), "small.aigw")
	_, err := Create(f.Context(), path, []Source{{Path: "a/b", Kind: Paper, Data: []byte("words")}}, CreateOptions{Name: "small"})
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return data
}
