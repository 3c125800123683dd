package apikeys

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// watchEvery is how often a file is looked at for changes: one call of stat.
const watchEvery = 2 * time.Second

// Ring is the keys of a file, which it follows. A nil one has none. It may be used concurrently.
type Ring struct {
	path string
	keys atomic.Pointer[map[string]*Key] // by hash

	mu   sync.Mutex // of reading
	seen stamp
}

// stamp tells whether a file was replaced.
type stamp struct {
	changed time.Time
	size    int64
}

// Open reads the keys of a file, which need not exist yet.
func Open(path string) (*Ring, error) {
	r := &Ring{path: path}
	return r, r.Reload()
}

// Reload reads the file anew. If that fails, the keys stay as they were.
func (r *Ring) Reload() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read(r.stat())
}

func (r *Ring) stat() stamp {
	info, err := os.Stat(r.path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// read is called with the lock held. now is how the file looked before it is read.
func (r *Ring) read(now stamp) error {
	r.seen = now
	list, err := Read(r.path)
	if err != nil {
		if r.keys.Load() == nil {
			r.keys.Store(&map[string]*Key{})
		}
		return err
	}
	keys := make(map[string]*Key, len(list))
	for i := range list {
		keys[list[i].Hash] = &list[i]
	}
	r.keys.Store(&keys)
	return nil
}

// Watch follows the file until ctx ends.
func (r *Ring) Watch(ctx context.Context, log *slog.Logger) {
	if r == nil {
		return
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if changed, err := r.refresh(); err != nil {
			log.Error("the file of API keys cannot be read anew; the last keys stay in use", "error", err)
		} else if changed {
			log.Info("API keys read anew", "keys", r.Len())
		}
	}
}

func (r *Ring) refresh() (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.stat()
	if now == r.seen {
		return false, nil
	}
	return true, r.read(now)
}

// Len is how many keys there are.
func (r *Ring) Len() int {
	if r == nil {
		return 0
	}
	return len(*r.keys.Load())
}

// Find returns the key with a text, or nil. What is compared are hashes: how long it takes says nothing.
func (r *Ring) Find(text string) *Key {
	if r == nil || !Looks(text) {
		return nil
	}
	return (*r.keys.Load())[hashOf(text)]
}
