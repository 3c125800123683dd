package search

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// replaceable says whether an index may be made at dir: nothing is there, an empty folder, or an
// index. Anything else is somebody's data.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s cannot become an index: %w", dir, err)
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err != nil {
		return fmt.Errorf("%s is no index and will not be replaced; name another folder with -o", dir)
	}
	return nil
}

// readable lets everybody read an index: the server may run as another user than who made it, and
// what it holds is documentation.
func readable(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}

// replace puts the finished index where the old one is, in one step, and deletes the old one.
// Processes that have its files open keep them until they close them.
func replace(aside, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if err == nil {
		return os.RemoveAll(aside) // the old one
	}
	if errors.Is(err, unix.ENOENT) {
		return os.Rename(aside, dir)
	}
	// A file system that cannot exchange: there is no index for a moment.
	old := aside + "-old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(aside, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}
