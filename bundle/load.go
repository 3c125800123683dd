package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// partSuffix ends the name of a file that is not whole yet. A later load continues it.
const partSuffix = ".aigw-part"

// LoadOptions say how much may be loaded.
type LoadOptions struct {
	MaxBytes int64 // of all members together; 0: what the disk has
	Progress Progress
}

// Loaded says what Load did.
type Loaded struct {
	Written, Continued, There int // members
}

// Load puts the members below dir, which is made if need be. Every chunk is checked before it is
// written, and every member before it gets its name: what has its name is whole. A load that was
// interrupted is continued. Nothing of the bundle is run.
//
// Nothing outside dir is written, whatever links are in it (os.Root).
func (b *Bundle) Load(ctx context.Context, dir string, o LoadOptions) (Loaded, error) {
	var done Loaded
	total := b.Manifest.Total()
	if o.MaxBytes > 0 && total > o.MaxBytes {
		return done, fmt.Errorf("%s holds %d bytes, and at most %d are allowed; raise --max-size", b.path, total, o.MaxBytes)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return done, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return done, err
	}
	defer root.Close()
	l := &loading{b: b, ctx: ctx, root: root, dir: dir, progress: o.Progress, total: total}
	todo, err := l.look()
	if err != nil {
		return done, err
	}
	if err := l.room(todo); err != nil {
		return done, err
	}
	for i, m := range b.Manifest.Members {
		if l.there[i] {
			done.There++
			continue
		}
		continued, err := l.member(b.firstOf(i), m)
		if err != nil {
			return done, err
		}
		if continued {
			done.Continued++
		}
		done.Written++
	}
	return done, nil
}

type loading struct {
	b           *Bundle
	ctx         context.Context
	root        *os.Root
	dir         string
	progress    Progress
	done, total int64
	there       map[int]bool
}

// look finds the members that are there already, whole, and how much is left to write.
func (l *loading) look() (todo int64, err error) {
	l.there = map[int]bool{}
	for i, m := range l.b.Manifest.Members {
		same, err := l.same(m)
		if err != nil {
			return 0, err
		}
		if same {
			l.there[i] = true
			l.done += m.Size
			l.progress.tell(l.done, l.total)
			continue
		}
		todo += m.Size
		if info, err := l.root.Lstat(m.Path + partSuffix); err == nil {
			todo -= min(info.Size(), m.Size)
		}
	}
	return todo, nil
}

// same says whether a file is there with the member's content.
func (l *loading) same(m Member) (bool, error) {
	info, err := l.root.Lstat(m.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, l.explain(m, err)
	case info.IsDir():
		return false, fmt.Errorf("%s is a folder where a file of the bundle belongs; load into another folder", path.Join(l.dir, m.Path))
	case !info.Mode().IsRegular() || info.Size() != m.Size:
		return false, nil
	}
	f, err := l.root.Open(m.Path)
	if err != nil {
		return false, l.explain(m, err)
	}
	defer f.Close()
	sum := sha256.New()
	for left := m.Size; left > 0; {
		if err := context.Cause(l.ctx); err != nil {
			return false, err
		}
		n, err := io.CopyN(sum, f, min(ChunkSize, left))
		if err != nil {
			return false, l.explain(m, err)
		}
		left -= n
	}
	if hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return false, nil
	}
	return true, l.root.Chmod(m.Path, m.mode())
}

func (m Member) mode() fs.FileMode {
	if m.Executable {
		return 0o755
	}
	return 0o644
}

// room refuses what the disk has no space for, before it is half full.
func (l *loading) room(todo int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(l.dir, &s); err != nil {
		return nil //nolint:nilerr // a file system that does not say will say so when it is full
	}
	if free := int64(s.Bavail) * s.Bsize; todo > free {
		return fmt.Errorf("%s has %d bytes free, and %d are needed; free some space or load into another folder with --dir", l.dir, free, todo)
	}
	return nil
}

// member writes one member, from where an earlier load stopped.
func (l *loading) member(at int, m Member) (continued bool, err error) {
	if err := l.b.head(at, m); err != nil {
		return false, err
	}
	if dir := path.Dir(m.Path); dir != "." {
		if err := l.root.MkdirAll(dir, 0o755); err != nil {
			return false, l.explain(m, err)
		}
	}
	part, err := l.openPart(m)
	if err != nil {
		return false, err
	}
	defer part.Close()
	whole := sha256.New()
	have, err := l.continued(part, m, whole)
	if err != nil {
		return false, l.explain(m, err)
	}
	for i := have; i < m.chunks(); i++ {
		if err := context.Cause(l.ctx); err != nil {
			return false, err
		}
		data, err := l.b.chunk(at, m, i)
		if err != nil {
			return false, err
		}
		whole.Write(data)
		if _, err := part.Write(data); err != nil {
			return false, l.explain(m, err)
		}
		l.done += int64(len(data))
		l.progress.tell(l.done, l.total)
	}
	if hex.EncodeToString(whole.Sum(nil)) != m.SHA256 {
		return false, l.b.damage(at, m.Path, errContent)
	}
	if err := errors.Join(part.Chmod(m.mode()), part.Sync()); err != nil {
		return false, l.explain(m, err)
	}
	return have > 0, l.explain(m, l.root.Rename(m.Path+partSuffix, m.Path))
}

// openPart opens the file that a member is written into, for this process alone.
func (l *loading) openPart(m Member) (*os.File, error) {
	name := m.Path + partSuffix
	// Whatever else has that name, a link above all, is nothing that an earlier load left.
	if info, err := l.root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		if err := l.root.Remove(name); err != nil {
			return nil, l.explain(m, err)
		}
	}
	part, err := l.root.OpenFile(name, os.O_RDWR|os.O_CREATE, m.mode())
	if err != nil {
		return nil, l.explain(m, err)
	}
	if err := syscall.Flock(int(part.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		part.Close()
		return nil, fmt.Errorf("another program is loading into %s; wait until it has finished", l.dir)
	}
	return part, nil
}

// continued returns how many chunks of an earlier load are there and right, and leaves the file behind them.
func (l *loading) continued(part *os.File, m Member, whole io.Writer) (int, error) {
	chunk := make([]byte, ChunkSize)
	have := 0
	for have < m.chunks() {
		data := chunk[:m.chunkSize(have)]
		if _, err := io.ReadFull(part, data); err != nil || !sumIs(data, m.chunkSum(have)) {
			break
		}
		if _, err := whole.Write(data); err != nil {
			return 0, err
		}
		have++
		l.done += int64(len(data))
		l.progress.tell(l.done, l.total)
	}
	end := min(int64(have)*ChunkSize, m.Size)
	if err := part.Truncate(end); err != nil {
		return 0, err
	}
	_, err := part.Seek(end, io.SeekStart)
	return have, err
}

// explain says which member could not be written, and what to do about the usual reasons.
func (l *loading) explain(m Member, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", path.Join(l.dir, m.Path), err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w; free some space and run the same command again: it continues", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; user %d may not write there: load into another folder with --dir", err, os.Getuid())
	}
	return err
}

// StartCommands are the commands that start what was loaded into dir.
func (m *Manifest) StartCommands(dir string) []string {
	var lines []string
	for _, line := range m.Start {
		lines = append(lines, strings.ReplaceAll(line, "{dir}", shellQuote(dir)))
	}
	return lines
}

// shellQuote quotes what a shell would not take as it is.
func shellQuote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("/._-+=:,@%", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
