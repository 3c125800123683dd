package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile names the lock of a store and of an import under way. A lock is flock(2): the system
// gives it back when its holder ends, however it ends.
const lockFile = "lock"

// lockWait is how long a command waits for another one. The lock is held for renames only, never
// while weights are copied or hashed.
const lockWait = 30 * time.Second

// lock takes the right to change the store. The caller closes the file to give it back.
func (s *Store) lock() (*os.File, error) {
	for _, dir := range []string{"", blobsDir, modelsDir, tmpDir} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			return nil, fmt.Errorf("the model store cannot be written: %w; name another folder with AIGW_STORE", err)
		}
	}
	path := filepath.Join(s.dir, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the model store cannot be written: %w; name another folder with AIGW_STORE", err)
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(20 * time.Millisecond) {
		err := tryLock(file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			file.Close()
			return nil, fmt.Errorf("%s is not given: %w; wait for the other aigw models command to end", path, err)
		}
	}
}

func tryLock(file *os.File) error { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// collect removes what nobody needs: imports that were cut off, and weights without a model. The
// caller holds the lock. It returns the bytes that became free.
func (s *Store) collect() (int64, error) {
	if err := s.removeCutOff(); err != nil {
		return 0, err
	}
	used := map[string]bool{}
	all, err := s.List()
	if err != nil {
		return 0, nil //nolint:nilerr // a record that cannot be read may refer to any weights; List tells people
	}
	for _, m := range all {
		for _, p := range m.Parts {
			used[p.Digest.file()] = true
		}
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, blobsDir))
	if err != nil {
		return 0, err
	}
	var freed int64
	for _, e := range entries {
		if used[e.Name()] {
			continue
		}
		if info, err := e.Info(); err == nil {
			freed += info.Size()
		}
		if err := os.RemoveAll(filepath.Join(s.dir, blobsDir, e.Name())); err != nil {
			return freed, err
		}
	}
	return freed, nil
}

// removeCutOff removes the folders of imports whose process is gone: their lock is free.
func (s *Store) removeCutOff() error {
	entries, err := os.ReadDir(filepath.Join(s.dir, tmpDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(s.dir, tmpDir, e.Name())
		file, err := os.Open(filepath.Join(dir, lockFile))
		if err == nil {
			err = tryLock(file)
			defer file.Close() // keeps the lock until the folder is gone
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue // under way
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncDir brings the names in a folder to disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
