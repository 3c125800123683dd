package source

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Limits of an archive, beside those of its pages. Nothing of it is ever written to a disk.
const (
	maxEntries  = 1_000_000
	maxUnpacked = 8 << 30 // bytes that a tar archive may have in all; GitLab's source has 1.5 GB
	maxWindow   = 128 << 20
)

// archive is a .zip, .tar, .tar.gz or .tar.zst file of a product's source.
type archive struct{ file string }

// Archive reads the pages below doc/ (or docs/) of a source archive, such as GitLab's download
// "Source code" is. The kind is told by its first bytes.
func Archive(file string) (Source, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", file)
	}
	return archive{file}, nil
}

func (a archive) From() string { return a.file }

func (a archive) Documents(ctx context.Context, yield func(Document, float64) error) error {
	f, err := os.Open(a.file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	read := &counter{r: f}
	reader := bufio.NewReaderSize(read, 64<<10)
	magic, _ := reader.Peek(262)
	take := &taker{from: a.file, yield: yield}
	switch {
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")), bytes.HasPrefix(magic, []byte("PK\x05\x06")):
		err = take.zip(ctx, f, info.Size())
	case bytes.HasPrefix(magic, []byte{0x1F, 0x8B}):
		var z *gzip.Reader
		if z, err = gzip.NewReader(reader); err == nil {
			err = take.tar(ctx, z, func() float64 { return float64(read.n) / float64(info.Size()) })
		}
	case bytes.HasPrefix(magic, []byte{0x28, 0xB5, 0x2F, 0xFD}):
		var z *zstd.Decoder
		if z, err = zstd.NewReader(reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			defer z.Close()
			err = take.tar(ctx, z, func() float64 { return float64(read.n) / float64(info.Size()) })
		}
	case len(magic) >= 262 && string(magic[257:262]) == "ustar":
		err = take.tar(ctx, reader, func() float64 { return float64(read.n) / float64(info.Size()) })
	default:
		return fmt.Errorf("%s is neither a folder nor a .zip, .tar, .tar.gz or .tar.zst archive", a.file)
	}
	if err == nil && take.pages == 0 {
		return fmt.Errorf("%s: no Markdown pages below doc/ in it", a.file)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.file, err)
	}
	return nil
}

// taker hands on the pages among an archive's entries.
type taker struct {
	budget
	from    string
	entries int
	yield   func(Document, float64) error
}

// page returns the path below doc/ of an entry; empty if it is no page for readers.
func (t *taker) page(name string) (string, error) {
	if t.entries++; t.entries > maxEntries {
		return "", fmt.Errorf("more than %d entries", maxEntries)
	}
	name = strings.ReplaceAll(name, `\`, "/")
	if strings.HasPrefix(name, "/") || strings.ContainsRune(name, 0) || name == ".." || strings.HasPrefix(name, "../") || strings.Contains(name, "/../") || strings.HasSuffix(name, "/..") {
		return "", fmt.Errorf("entry %.100q leads out of the archive; this is no archive of GitLab's", name)
	}
	name = path.Clean(name)
	parts := strings.SplitN(name, "/", 3)
	for i := range min(2, len(parts)-1) { // doc/... or gitlab-v17.8.0-ee/doc/...
		if parts[i] == "doc" || parts[i] == "docs" {
			if below := strings.Join(parts[i+1:], "/"); isPage(below) {
				return below, nil
			}
			return "", nil
		}
	}
	return "", nil
}

func (t *taker) take(name string, r io.Reader, done float64) error {
	text, err := io.ReadAll(io.LimitReader(r, MaxPage+1))
	if err != nil {
		return err
	}
	if len(text) > MaxPage {
		return fmt.Errorf("page %.100q has more than %d MiB", name, MaxPage>>20)
	}
	if err := t.add(t.from, len(text)); err != nil {
		return err
	}
	return t.yield(Document{Path: name, Text: text}, done)
}

func (t *taker) zip(ctx context.Context, f io.ReaderAt, size int64) error {
	z, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	for i, entry := range z.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := t.page(entry.Name)
		if err != nil {
			return err
		}
		if name == "" || !entry.Mode().IsRegular() {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			return err
		}
		err = t.take(name, r, float64(i+1)/float64(len(z.File)))
		_ = r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *taker) tar(ctx context.Context, unpacked io.Reader, done func() float64) error {
	limited := &io.LimitedReader{R: unpacked, N: maxUnpacked}
	r := tar.NewReader(limited)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry, err := r.Next()
		switch {
		case limited.N <= 0:
			return fmt.Errorf("it unpacks to more than %d GiB", maxUnpacked>>30)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			return err
		}
		name, err := t.page(entry.Name)
		if err != nil {
			return err
		}
		if name == "" || entry.Typeflag != tar.TypeReg {
			continue
		}
		if err := t.take(name, r, done()); err != nil {
			return err
		}
	}
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
