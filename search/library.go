package search

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Library is the index that a server answers from. It can be exchanged while questions are
// answered: each is answered from one index to its end, and an index is closed when nobody reads
// it any more. Without an index nothing is found. It may be used concurrently.
type Library struct {
	current atomic.Pointer[shelf]

	mu   sync.Mutex // of what follows; exchanging takes it, searching does not
	dir  string
	seen os.FileInfo // of the manifest
}

var _ Searcher = (*Library)(nil)

// shelf is an index with the number of its readers, plus one while it is current.
type shelf struct {
	index   *Index
	readers atomic.Int64
}

// take adds a reader, unless the last one has gone.
func (s *shelf) take() bool {
	for {
		n := s.readers.Load()
		if n == 0 {
			return false
		}
		if s.readers.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *shelf) leave() error {
	if s.readers.Add(-1) == 0 {
		return s.index.Close()
	}
	return nil
}

// Search implements Searcher.
func (l *Library) Search(ctx context.Context, question string, n int) ([]Passage, error) {
	for {
		s := l.current.Load()
		if s == nil {
			return nil, nil
		}
		if !s.take() {
			continue // it was exchanged this moment
		}
		found, err := s.index.Search(ctx, question, n)
		_ = s.leave() // what was found is read already
		return found, err
	}
}

// Manifest says what the current index is made of; nil if there is none.
func (l *Library) Manifest() *Manifest {
	if s := l.current.Load(); s != nil {
		return s.index.Manifest()
	}
	return nil
}

// Use answers from x from now on. The library closes it in the end.
func (l *Library) Use(x *Index) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dir, l.seen = "", nil
	return l.exchange(x)
}

func (l *Library) exchange(x *Index) error {
	var next *shelf
	if x != nil {
		next = &shelf{index: x}
		next.readers.Store(1)
	}
	old := l.current.Swap(next)
	if x != nil {
		x.warm()
	}
	if old != nil {
		return old.leave()
	}
	return nil
}

// Open answers from the index at dir from now on. If it cannot be opened, what there was stays.
func (l *Library) Open(dir string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dir = dir
	l.seen, _ = os.Stat(filepath.Join(dir, manifestFile))
	x, err := Open(dir)
	if err != nil {
		return err
	}
	return l.exchange(x)
}

// Refresh opens the index of the last Open again if it was replaced, and reports whether it was.
// One that cannot be opened is tried again when it changes once more.
func (l *Library) Refresh() (bool, error) {
	l.mu.Lock()
	dir, seen := l.dir, l.seen
	l.mu.Unlock()
	if dir == "" {
		return false, nil
	}
	now, err := os.Stat(filepath.Join(dir, manifestFile))
	if err != nil {
		return false, nil //nolint:nilerr // between two indexes, or gone: what is open stays
	}
	if seen != nil && os.SameFile(seen, now) && seen.ModTime().Equal(now.ModTime()) && seen.Size() == now.Size() {
		return false, nil
	}
	return true, l.Open(dir)
}

// Close ends with the index. Questions that are being answered are answered to their end.
func (l *Library) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dir, l.seen = "", nil
	return l.exchange(nil)
}
