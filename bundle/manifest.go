package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"
	"time"
	"unicode"
)

// Kinds of members. Others are loaded all the same: a kind only says what something is for.
const (
	Program       = "program"
	Model         = "model"
	Documentation = "documentation"
	Image         = "image"
	Chart         = "chart"
	Paper         = "paper" // notices, list of parts, checksums
)

const (
	manifestName  = "manifest.json"
	signatureName = "manifest.sig"
	manifestV     = 1
	maxPath       = 512
	maxMembers    = 1 << 16
)

// Manifest says what a bundle holds. It is what a signature is over.
type Manifest struct {
	Format  int       `json:"format"`
	Name    string    `json:"name"`
	Version string    `json:"version"` // of the program that made it
	System  string    `json:"system"`  // GOOS/GOARCH of the program inside
	Created time.Time `json:"created"`
	Loader  Loader    `json:"loader"`
	// Start are the commands that start what was loaded; {dir} stands for the folder.
	Start   []string `json:"start"`
	Members []Member `json:"members"`
}

// Loader is the program that a bundle begins with.
type Loader struct {
	Size   int64  `json:"size"` // 0: the bundle begins with none
	SHA256 string `json:"sha256,omitempty"`
}

// Member is one file.
type Member struct {
	Path       string `json:"path"` // below the folder that is loaded into, with slashes
	Kind       string `json:"kind"`
	Size       int64  `json:"size"`
	Executable bool   `json:"executable,omitempty"`
	SHA256     string `json:"sha256"`
	// Chunks are the SHA-256 of every ChunkSize bytes. A file of one chunk needs none.
	Chunks []string `json:"chunks,omitempty"`
}

// chunks is how many a member has.
func (m Member) chunks() int { return int((m.Size + ChunkSize - 1) / ChunkSize) }

// chunkSum is the checksum that chunk i must have.
func (m Member) chunkSum(i int) string {
	if len(m.Chunks) == 0 {
		return m.SHA256
	}
	return m.Chunks[i]
}

// chunkSize is how many bytes chunk i has.
func (m Member) chunkSize(i int) int64 { return min(ChunkSize, m.Size-int64(i)*ChunkSize) }

// Total is what the members need on a disk.
func (m *Manifest) Total() int64 {
	var n int64
	for _, f := range m.Members {
		n += f.Size
	}
	return n
}

// decodeManifest reads and checks a manifest. Unknown keys are refused: whoever wrote one meant
// something by it that this program would not do.
func decodeManifest(data []byte) (*Manifest, error) {
	var m Manifest
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("the manifest is not JSON: %w", err)
	}
	if version.Format != manifestV {
		return nil, fmt.Errorf("the manifest has format %d and this program knows %d: load it with the program that the bundle begins with", version.Format, manifestV)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	return &m, nil
}

// check refuses what could harm a machine, whoever signed it.
func (m *Manifest) check() error {
	if len(m.Members) > maxMembers {
		return fmt.Errorf("%d members; at most %d are allowed", len(m.Members), maxMembers)
	}
	if m.Loader.Size < 0 || m.Loader.Size > 1<<30 || m.Loader.Size > 0 && !isSum(m.Loader.SHA256) {
		return errors.New("the loader's size or checksum makes no sense")
	}
	for _, text := range append([]string{m.Name, m.Version, m.System}, m.Start...) {
		if !printable(text) {
			return fmt.Errorf("%q has characters that a terminal would obey", text)
		}
	}
	// Two names that a file system without case takes for one would overwrite each other.
	seen := map[string]bool{}
	var total int64
	for _, f := range m.Members {
		if err := f.check(); err != nil {
			return err
		}
		folded := strings.ToLower(f.Path)
		if seen[folded] {
			return fmt.Errorf("%q is there twice", f.Path)
		}
		seen[folded] = true
		if total += f.Size; total < 0 {
			return errors.New("the sizes of the members are too large to add")
		}
	}
	for name := range seen {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return fmt.Errorf("%q is a file and a folder", dir)
			}
		}
	}
	return nil
}

func (m Member) check() error {
	switch {
	case !fs.ValidPath(m.Path) || m.Path == "." || len(m.Path) > maxPath || strings.ContainsAny(m.Path, `\:`) || !printable(m.Path):
		return fmt.Errorf("%q is no name for a file below a folder", m.Path)
	case strings.HasSuffix(m.Path, partSuffix) || path.Base(m.Path) == ".." || m.Path == manifestName || m.Path == signatureName:
		return fmt.Errorf("%q is a name that bundles use themselves", m.Path)
	case m.Size < 0 || m.Size > math.MaxInt64/2:
		return fmt.Errorf("%q has a size of %d bytes", m.Path, m.Size)
	case !isSum(m.SHA256):
		return fmt.Errorf("%q has no SHA-256 checksum", m.Path)
	case len(m.Chunks) == 0 && m.Size > ChunkSize, len(m.Chunks) > 0 && len(m.Chunks) != m.chunks():
		return fmt.Errorf("%q has %d bytes and %d checksums", m.Path, m.Size, len(m.Chunks))
	}
	for _, sum := range m.Chunks {
		if !isSum(sum) {
			return fmt.Errorf("%q has a checksum that is no SHA-256", m.Path)
		}
	}
	return nil
}

func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && s == strings.ToLower(s)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// header is the tar header of a file, with all that PAX needs before it.
func header(name string, size int64, executable bool) ([]byte, error) {
	mode := int64(0o644)
	if executable {
		mode = 0o755
	}
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: mode,
		ModTime: time.Unix(0, 0), // the manifest has the date
	})
	return b.Bytes(), err
}

const tarBlock = 512

// padding fills a tar block behind size bytes.
func padding(size int64) []byte { return make([]byte, (tarBlock-size%tarBlock)%tarBlock) }

// firstFrame is what frame 0 holds: the manifest's bytes as they were signed, and the signature.
func firstFrame(manifest, signature []byte) ([]byte, error) {
	var out []byte
	for _, f := range []struct {
		name string
		data []byte
	}{{manifestName, manifest}, {signatureName, signature}} {
		head, err := header(f.name, int64(len(f.data)), false)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, head...), f.data...), padding(int64(len(f.data)))...)
	}
	return out, nil
}
