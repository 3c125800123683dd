package apikeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// FileName is that of the file in the state folder.
const FileName = "api-keys.json"

// maxFile bounds the file, in bytes: some ten thousand keys.
const maxFile = 4 << 20

type document struct {
	Keys []Key `json:"keys"`
}

// Read returns the keys of a file; one that does not exist has none.
func Read(path string) ([]Key, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("file of API keys: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("file of API keys: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes; it is no file of API keys", path, maxFile)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%s is no file of API keys: %w; restore it, or remove it and make new keys with aigw keys add", path, err)
	}
	for i, k := range d.Keys {
		if len(k.Hash) != 64 || strings.Trim(k.Hash, "0123456789abcdef") != "" || k.ID == "" {
			return nil, fmt.Errorf("%s: key %d has no hash; make it anew with aigw keys add", path, i+1)
		}
	}
	return d.Keys, nil
}

// Add puts a key into a file, which it makes if there is none.
func Add(path string, k Key) error {
	return change(path, func(keys []Key) ([]Key, error) {
		if slices.ContainsFunc(keys, func(other Key) bool { return other.Name == k.Name }) {
			return nil, fmt.Errorf("there is a key named %q already; choose another name, or revoke that one first", k.Name)
		}
		return append(keys, k), nil
	})
}

// Revoke takes a key out of a file, by its id or its name, and returns it.
func Revoke(path, which string) (Key, error) {
	var gone Key
	return gone, change(path, func(keys []Key) ([]Key, error) {
		at := slices.IndexFunc(keys, func(k Key) bool { return k.ID == which || k.Name == which })
		if at < 0 {
			return nil, fmt.Errorf("there is no key %q in %s; aigw keys list shows all", which, path)
		}
		gone = keys[at]
		return slices.Delete(keys, at, at+1), nil
	})
}

// change rewrites a file, one program at a time. Who reads it sees the old text or the new one.
func change(path string, how func([]Key) ([]Key, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("folder for API keys: %w", err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("file of API keys: %w", err)
	}
	defer lock.Close() // and with it the lock ends
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	keys, err := Read(path)
	if err != nil {
		return err
	}
	if keys, err = how(keys); err != nil {
		return err
	}
	return write(path, keys)
}

func write(path string, keys []Key) (err error) {
	text, err := json.MarshalIndent(document{append([]Key{}, keys...)}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), FileName+".*") // 0600
	if err != nil {
		return fmt.Errorf("file of API keys: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("file of API keys: %w", err), f.Close(), os.Remove(f.Name()))
		}
	}()
	// Whoever runs the gateway must still be able to read what root has changed.
	if info, statErr := os.Stat(path); statErr == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	if _, err := f.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return f.Close()
}
