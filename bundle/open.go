package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Bundle is an open bundle whose manifest somebody trusted has signed, or that was taken unsigned.
// It may be used by one goroutine at a time.
type Bundle struct {
	Manifest *Manifest
	Signed   bool // there is a signature
	Checked  bool // it was checked, with the key of Trust
	path     string
	file     io.ReaderAt
	close    func() error
	footer   footer
	frames   []frame
	decoder  *zstd.Decoder
	in, out  []byte
}

// DamageError says that a bundle does not hold what was put into it, and where.
type DamageError struct {
	Bundle string
	What   string // the member, or the part of the bundle
	Offset int64  // in the bundle's file
	Err    error
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged: %s, at byte %d of the file: %v; copy it again", e.Bundle, e.What, e.Offset, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

var (
	errChecksum = errors.New("checksum differs")
	errContent  = errors.New("content is not what the manifest says")
)

// Open opens a bundle and decides whether it may be used. It reads no member.
func Open(path string, trust Trust) (*Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	b, err := open(path, f, info.Size(), trust)
	if err != nil {
		f.Close()
		return nil, err
	}
	b.close = f.Close
	return b, nil
}

func open(path string, r io.ReaderAt, size int64, trust Trust) (*Bundle, error) {
	b := &Bundle{path: path, file: r}
	var err error
	if b.footer, b.frames, err = readIndex(r, size); err != nil {
		return nil, fmt.Errorf("%s cannot be read as a bundle: %w", path, err)
	}
	// No frame may become larger than what is written into one, whatever it says of itself.
	b.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(2*maxManifest), zstd.WithDecoderMaxWindow(2*maxManifest))
	if err != nil {
		return nil, err
	}
	if len(b.frames) == 0 {
		return nil, fmt.Errorf("%s is a bundle without a manifest", path)
	}
	first, err := b.frame(0, "the manifest")
	if err != nil {
		return nil, err
	}
	manifest, signature, err := splitFirst(first)
	if err != nil {
		return nil, b.damage(0, "the manifest", err)
	}
	// Before anything in the manifest is looked at.
	if err := trust.check(manifest, signature); err != nil {
		return nil, fmt.Errorf("%s is refused: %w", path, err)
	}
	b.Signed, b.Checked = len(signature) > 0, trust.Key != nil
	if b.Manifest, err = decodeManifest(manifest); err != nil {
		return nil, fmt.Errorf("%s is refused: %w", path, err)
	}
	want := 2
	for _, m := range b.Manifest.Members {
		want += 1 + m.chunks()
	}
	if want != len(b.frames) {
		return nil, b.damage(0, "the index", fmt.Errorf("%d frames where the manifest needs %d", len(b.frames), want))
	}
	return b, nil
}

// Close closes the file.
func (b *Bundle) Close() error {
	b.decoder.Close()
	return b.close()
}

func (b *Bundle) damage(i int, what string, err error) error {
	return &DamageError{b.path, what, b.frames[i].offset, err}
}

// frame reads frame i. The bytes are valid until the next call.
func (b *Bundle) frame(i int, what string) ([]byte, error) {
	f := b.frames[i]
	if f.size > 2*maxManifest {
		return nil, b.damage(i, what, fmt.Errorf("a frame of %d bytes", f.size))
	}
	if cap(b.in) < int(f.size) {
		b.in = make([]byte, f.size)
	}
	in := b.in[:f.size]
	if _, err := b.file.ReadAt(in, f.offset); err != nil {
		return nil, fmt.Errorf("%s cannot be read at byte %d (%s): %w", b.path, f.offset, what, err)
	}
	if crc32.Checksum(in, castagnoli) != f.crc {
		return nil, b.damage(i, what, errChecksum)
	}
	out, err := b.decoder.DecodeAll(in, b.out[:0])
	if err != nil {
		return nil, b.damage(i, what, err)
	}
	b.out = out
	return out, nil
}

// splitFirst takes frame 0 apart, and puts it together again to see that nothing else is in it.
func splitFirst(data []byte) (manifest, signature []byte, err error) {
	r := tar.NewReader(bytes.NewReader(data))
	var parts [2][]byte
	for i, name := range []string{manifestName, signatureName} {
		head, err := r.Next()
		if err != nil {
			return nil, nil, fmt.Errorf("%s is missing: %w", name, err)
		}
		if head.Name != name || head.Size > maxManifest {
			return nil, nil, errContent
		}
		if parts[i], err = io.ReadAll(io.LimitReader(r, head.Size)); err != nil {
			return nil, nil, err
		}
	}
	again, err := firstFrame(parts[0], parts[1])
	if err != nil || !bytes.Equal(again, data) {
		return nil, nil, errContent
	}
	return parts[0], parts[1], nil
}

// firstOf is the frame of a member's header.
func (b *Bundle) firstOf(member int) int {
	at := 1
	for _, m := range b.Manifest.Members[:member] {
		at += 1 + m.chunks()
	}
	return at
}

// head checks the tar header of a member.
func (b *Bundle) head(at int, m Member) error {
	want, err := header(m.Path, m.Size, m.Executable)
	if err != nil {
		return err
	}
	got, err := b.frame(at, m.Path)
	if err == nil && !bytes.Equal(got, want) {
		err = b.damage(at, m.Path, errContent)
	}
	return err
}

// chunk returns chunk i of a member whose header is frame at. The bytes are valid until the next call.
func (b *Bundle) chunk(at int, m Member, i int) ([]byte, error) {
	from := int64(i) * ChunkSize
	what := fmt.Sprintf("%s, bytes %d to %d", m.Path, from, from+m.chunkSize(i))
	data, err := b.frame(at+1+i, what)
	if err != nil {
		return nil, err
	}
	size := int(m.chunkSize(i))
	var tail []byte
	if i == m.chunks()-1 {
		tail = padding(m.Size)
	}
	if len(data) != size+len(tail) || !bytes.Equal(data[size:], tail) || !sumIs(data[:size], m.chunkSum(i)) {
		return nil, b.damage(at+1+i, what, errContent)
	}
	return data[:size], nil
}

func sumIs(data []byte, sum string) bool {
	got := sha256.Sum256(data)
	return hex.EncodeToString(got[:]) == sum
}

// Progress is told how many bytes of how many are done.
type Progress func(done, total int64)

func (p Progress) tell(done, total int64) {
	if p != nil {
		p(done, total)
	}
}

// Verify reads the whole file and finds out whether every byte of it is what was written.
func (b *Bundle) Verify(ctx context.Context, progress Progress) error {
	if err := b.verifyLoader(); err != nil {
		return err
	}
	var done int64
	total := b.Manifest.Total()
	at := 1
	for _, m := range b.Manifest.Members {
		if err := b.head(at, m); err != nil {
			return err
		}
		whole := sha256.New()
		for i := range m.chunks() {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			data, err := b.chunk(at, m, i)
			if err != nil {
				return err
			}
			whole.Write(data)
			done += int64(len(data))
			progress.tell(done, total)
		}
		if hex.EncodeToString(whole.Sum(nil)) != m.SHA256 {
			return b.damage(at, m.Path, errContent)
		}
		at += 1 + m.chunks()
	}
	end, err := b.frame(at, "the end of the archive")
	if err == nil && !bytes.Equal(end, make([]byte, 2*tarBlock)) {
		err = b.damage(at, "the end of the archive", errContent)
	}
	return err
}

// verifyLoader checks what stands before the frames.
func (b *Bundle) verifyLoader() error {
	l := b.Manifest.Loader
	if l.Size > b.footer.start || b.footer.start-l.Size >= alignment {
		return &DamageError{b.path, "the loader", 0, errContent}
	}
	r := io.NewSectionReader(b.file, 0, b.footer.start)
	sum := sha256.New()
	if _, err := io.CopyN(sum, r, l.Size); err != nil {
		return err
	}
	if l.Size > 0 && hex.EncodeToString(sum.Sum(nil)) != l.SHA256 {
		return &DamageError{b.path, "the loader", 0, errChecksum}
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if len(bytes.Trim(rest, "\x00")) > 0 {
		return &DamageError{b.path, "the space behind the loader", l.Size, errContent}
	}
	return nil
}
