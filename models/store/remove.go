package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Remove takes a model out of the store, and its weights unless another model has them too. It
// returns the bytes of the files that were removed; those that are linked elsewhere stay on disk.
// A process that has the weights loaded keeps them until it ends.
func (s *Store) Remove(name string) (int64, error) {
	if _, err := s.Find(name); errors.As(err, new(*UnknownError)) {
		return 0, err // without making a store of a wrong path
	}
	lock, err := s.lock()
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	gone, err := os.MkdirTemp(filepath.Join(s.dir, tmpDir), "rm-")
	if err != nil {
		return 0, err
	}
	err = os.Rename(s.model(name), filepath.Join(gone, "model"))
	if errors.Is(err, fs.ErrNotExist) { // another command was first
		return 0, errors.Join(os.Remove(gone), &UnknownError{Name: name})
	}
	if err != nil {
		return 0, err
	}
	if err := syncDir(filepath.Join(s.dir, modelsDir)); err != nil {
		return 0, err
	}
	return s.collect()
}
