package keyring

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// saved is a provider's last good set of keys on disk, for a start while the provider is away.
type saved struct {
	URL     string          `json:"url"`
	Fetched time.Time       `json:"fetched_at"`
	Set     json.RawMessage `json:"jwks"`
}

// savedPath is a file for each provider, so that replicas with different settings can share a folder.
func savedPath(dir string, p Provider) string {
	sum := sha256.Sum256([]byte(p.URL.String()))
	return filepath.Join(dir, "jwks-"+hex.EncodeToString(sum[:8])+".json")
}

// save writes the keys, readable by this user only: nobody else should be able to change them.
func save(dir string, p Provider, keys []Key, fetched time.Time) error {
	set, err := Marshal(keys)
	if err != nil {
		return err
	}
	data, err := json.Marshal(saved{URL: p.URL.String(), Fetched: fetched, Set: set})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".jwks-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), savedPath(dir, p))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// restore returns what save wrote, or nothing if there is none.
func restore(dir string, p Provider) (keys []Key, fetched time.Time, err error) {
	path := savedPath(dir, p)
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	var s saved
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.URL != p.URL.String() {
		return nil, time.Time{}, fmt.Errorf("%s holds the keys of %s", path, s.URL)
	}
	keys, err = parseKeys(s.Set, s.URL)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", path, err)
	}
	return keys, s.Fetched, nil
}

// readBounded reads a file that is no larger than a key set can be.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxDocument {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, maxDocument)
	}
	return os.ReadFile(path)
}

// ReadFile returns the keys of a JSON Web Key Set in a file, such as one downloaded from
// <gitlab>/oauth/discovery/keys.
func ReadFile(path string) ([]Key, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(data, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; download it from GitLab's /oauth/discovery/keys", path, err)
	}
	return keys, nil
}
