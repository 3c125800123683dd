package bundle

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Source is a file that goes into a bundle. Data stands for a file that exists nowhere.
type Source struct {
	Path       string // in the bundle
	Kind       string
	File       string // on this machine
	Data       []byte // instead of File
	Executable bool
}

// CreateOptions describe a bundle.
type CreateOptions struct {
	Name    string
	Version string
	System  string // empty: this machine's
	Created time.Time
	Start   []string
	// Loader is put before everything else, so that the file can be run; empty: none.
	Loader []byte
	Key    ed25519.PrivateKey // nil: unsigned
	// Papers are made when all checksums are known, and added to the members.
	Papers func([]Member) ([]Source, error)
	// Progress is told of bytes read; every file is read twice, once for its checksums.
	Progress func(done, total int64)
}

// Create writes a bundle. Sources are read twice, because the manifest with their checksums comes first;
// a file that changes in between is an error. Nothing is left at path unless all went well.
func Create(ctx context.Context, path string, sources []Source, o CreateOptions) (*Manifest, error) {
	c := &creation{ctx: ctx, o: o}
	for _, s := range sources {
		if s.Data == nil {
			info, err := os.Stat(s.File)
			if err != nil {
				return nil, err
			}
			if !info.Mode().IsRegular() {
				return nil, fmt.Errorf("%s is not a file; a bundle holds files only", s.File)
			}
			c.total += 2 * info.Size()
		}
	}
	m := &Manifest{
		Format: manifestV, Name: o.Name, Version: o.Version, System: o.System,
		Created: o.Created.UTC().Truncate(time.Second), Start: o.Start, Members: []Member{},
	}
	if m.System == "" {
		m.System = runtime.GOOS + "/" + runtime.GOARCH
	}
	if len(o.Loader) > 0 {
		sum := sha256.Sum256(o.Loader)
		m.Loader = Loader{int64(len(o.Loader)), hex.EncodeToString(sum[:])}
	}
	if err := c.hashAll(m, sources); err != nil {
		return nil, err
	}
	if o.Papers != nil {
		papers, err := o.Papers(m.Members)
		if err != nil {
			return nil, err
		}
		if err := c.hashAll(m, papers); err != nil {
			return nil, err
		}
		sources = append(sources[:len(sources):len(sources)], papers...)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, c.write(path, m, sources)
}

type creation struct {
	ctx         context.Context
	o           CreateOptions
	done, total int64
}

func (c *creation) read(n int) {
	c.done += int64(n)
	if c.o.Progress != nil {
		c.o.Progress(c.done, max(c.total, c.done))
	}
}

func (s Source) open() (io.ReadCloser, error) {
	if s.Data != nil {
		return io.NopCloser(bytes.NewReader(s.Data)), nil
	}
	return os.Open(s.File)
}

func (c *creation) hashAll(m *Manifest, sources []Source) error {
	for _, s := range sources {
		member, err := c.hash(s)
		if err != nil {
			return err
		}
		m.Members = append(m.Members, member)
	}
	return nil
}

// hash reads a source for the first time.
func (c *creation) hash(s Source) (Member, error) {
	member := Member{Path: s.Path, Kind: s.Kind, Executable: s.Executable}
	f, err := s.open()
	if err != nil {
		return member, err
	}
	defer f.Close()
	whole := sha256.New()
	err = c.chunks(f, func(chunk []byte) error {
		whole.Write(chunk)
		sum := sha256.Sum256(chunk)
		member.Size += int64(len(chunk))
		member.Chunks = append(member.Chunks, hex.EncodeToString(sum[:]))
		return nil
	})
	member.SHA256 = hex.EncodeToString(whole.Sum(nil))
	if len(member.Chunks) <= 1 {
		member.Chunks = nil
	}
	return member, err
}

// chunks calls back with every ChunkSize bytes of r.
func (c *creation) chunks(r io.Reader, each func([]byte) error) error {
	chunk := make([]byte, ChunkSize)
	for {
		if err := context.Cause(c.ctx); err != nil {
			return err
		}
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			c.read(n)
			if err := each(chunk[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// write makes the file beside its place and moves it there when it is whole.
func (c *creation) write(path string, m *Manifest, sources []Source) (err error) {
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			part.Close()
			_ = os.Remove(part.Name())
		}
	}()
	buffered := bufio.NewWriterSize(part, 1<<20)
	start := (int64(len(c.o.Loader)) + alignment - 1) / alignment * alignment
	if _, err := buffered.Write(append(c.o.Loader[:len(c.o.Loader):len(c.o.Loader)], make([]byte, start-int64(len(c.o.Loader)))...)); err != nil {
		return err
	}
	w, err := newFrameWriter(buffered)
	if err != nil {
		return err
	}
	if err := c.frames(w, m, sources); err != nil {
		return err
	}
	if err := writeIndex(buffered, start, w.frames); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if len(c.o.Loader) > 0 {
		mode = 0o755
	}
	if err := errors.Join(part.Chmod(mode), part.Sync()); err != nil {
		return err
	}
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}

func (c *creation) frames(w *frameWriter, m *Manifest, sources []Source) error {
	manifest, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(manifest) > maxManifest {
		return fmt.Errorf("the manifest has %d bytes, at most %d are allowed: make two bundles of it", len(manifest), maxManifest)
	}
	var signature []byte
	if c.o.Key != nil {
		signature = sign(c.o.Key, manifest)
	}
	first, err := firstFrame(manifest, signature)
	if err != nil {
		return err
	}
	if err := w.frame(first); err != nil {
		return err
	}
	for i, s := range sources {
		if err := c.member(w, s, m.Members[i]); err != nil {
			return err
		}
	}
	return w.frame(make([]byte, 2*tarBlock))
}

// member reads a source for the second time.
func (c *creation) member(w *frameWriter, s Source, m Member) error {
	head, err := header(m.Path, m.Size, m.Executable)
	if err != nil {
		return err
	}
	if err := w.frame(head); err != nil {
		return err
	}
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	changed := fmt.Errorf("%s changed while it was read; try again when nothing writes to it", s.File)
	i := 0
	err = c.chunks(f, func(chunk []byte) error {
		sum := sha256.Sum256(chunk)
		if i >= m.chunks() || m.chunkSum(i) != hex.EncodeToString(sum[:]) {
			return changed
		}
		if i++; i == m.chunks() {
			chunk = append(chunk[:len(chunk):len(chunk)], padding(m.Size)...)
		}
		return w.frame(chunk)
	})
	if err == nil && i != m.chunks() {
		err = changed
	}
	return err
}

// frameWriter compresses pieces one by one and remembers where they are.
type frameWriter struct {
	w       io.Writer
	encoder *zstd.Encoder
	out     []byte
	frames  []frame
}

func newFrameWriter(w io.Writer) (*frameWriter, error) {
	// Weights hardly become smaller: the fastest level, which still notices that.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	return &frameWriter{w: w, encoder: encoder}, err
}

func (w *frameWriter) frame(data []byte) error {
	w.out = w.encoder.EncodeAll(data, w.out[:0])
	w.frames = append(w.frames, frame{size: uint32(len(w.out)), crc: crc32.Checksum(w.out, castagnoli)})
	_, err := w.w.Write(w.out)
	return err
}
