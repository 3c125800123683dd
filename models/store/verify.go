package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Fault is what is wrong with a part of a model.
type Fault struct {
	Model string `json:"model"`
	File  string `json:"file"`
	Found string `json:"found"`
}

// Verify reads all weights of a model, the way a program that loads them does, and compares them
// with their digests. A model that is removed meanwhile has no faults. Errors are those of ctx.
func (s *Store) Verify(ctx context.Context, m Model, progress func(done, total int64)) ([]Fault, error) {
	var faults []Fault
	var done int64
	add := func(n int64) {
		done += n
		if progress != nil {
			progress(done, m.Size)
		}
	}
	for _, p := range m.Parts {
		found, err := s.verifyPart(ctx, m, p, add)
		if ctx.Err() != nil {
			return faults, err
		}
		if err != nil {
			found = err.Error()
		}
		if found != "" {
			faults = append(faults, Fault{m.Name, p.File, found})
		}
	}
	if _, err := s.read(m.Name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return faults, nil
}

// verifyPart says what is wrong with a part; nothing if it is as it was.
func (s *Store) verifyPart(ctx context.Context, m Model, p Part, add func(int64)) (string, error) {
	file, err := os.Open(filepath.Join(s.model(m.Name), p.File))
	if errors.Is(err, fs.ErrNotExist) {
		return "its weights are missing", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum, size, err := digest(ctx, file, io.Discard, add)
	switch {
	case err != nil:
		return "", err
	case size != p.Size:
		return fmt.Sprintf("has %d bytes instead of %d", size, p.Size), nil
	case sum != p.Digest:
		return fmt.Sprintf("is %s instead of %s", sum, p.Digest), nil
	}
	return "", nil
}
