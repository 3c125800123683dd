package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// How weights came into the store, the best first.
const (
	Cloned = "cloned" // shares the disk blocks (reflink); later changes of either are its own
	Linked = "linked" // is the same file (hard link): who changes the source in place changes the store
	Copied = "copied"
)

// transferred is a file that has come into the store.
type transferred struct {
	digest Digest
	size   int64 // bytes
	how    string
}

// transfer brings the file at from to the new path to, and on disk. add is called with every
// number of bytes that has been read.
func transfer(ctx context.Context, from, to string, add func(int64)) (transferred, error) {
	source, err := os.Open(from)
	if err != nil {
		return transferred{}, err
	}
	defer source.Close()
	t := transferred{how: Cloned}
	if clone(source, to) != nil {
		t.how = Linked
		if link(from, to) != nil { // another file system, or a user who may not link
			return copyFile(ctx, source, to, add)
		}
	}
	file, err := os.Open(to)
	if err != nil {
		return t, err
	}
	defer file.Close()
	if t.digest, t.size, err = digest(ctx, file, io.Discard, add); err != nil {
		return t, err
	}
	return t, file.Sync()
}

// clone makes a copy that shares the blocks of source (btrfs, xfs, and others; ioctl_ficlone(2)).
func clone(source *os.File, to string) error {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	err = errors.Join(unix.IoctlFileClone(int(file.Fd()), int(source.Fd())), file.Close())
	if err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// link links the file that from leads to; a hard link to a symbolic link would break with it.
func link(from, to string) error {
	target, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	return os.Link(target, to)
}

func copyFile(ctx context.Context, source *os.File, to string, add func(int64)) (transferred, error) {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return transferred{}, err
	}
	sum, size, err := digest(ctx, source, file, add)
	if err == nil {
		err = file.Sync()
	}
	return transferred{sum, size, Copied}, errors.Join(err, file.Close())
}

// digest reads all of src into dst and returns its SHA-256 and length.
func digest(ctx context.Context, src io.Reader, dst io.Writer, add func(int64)) (Digest, int64, error) {
	sum := sha256.New()
	buffer := make([]byte, 1<<20) // large enough that a disk reads at its speed
	var size int64
	for {
		if err := ctx.Err(); err != nil {
			return "", size, fmt.Errorf("stopped: %w", err)
		}
		n, err := src.Read(buffer)
		sum.Write(buffer[:n])
		if _, err := dst.Write(buffer[:n]); err != nil {
			return "", size, err
		}
		size += int64(n)
		add(int64(n))
		if errors.Is(err, io.EOF) {
			return Digest("sha256:" + hex.EncodeToString(sum.Sum(nil))), size, nil
		}
		if err != nil {
			return "", size, err
		}
	}
}
