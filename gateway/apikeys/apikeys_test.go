package apikeys_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aigw/gateway/apikeys"
)

func add(t *testing.T, path string, k apikeys.Key) (apikeys.Key, string) {
	t.Helper()
	made, text, err := apikeys.New(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := apikeys.Add(path, made); err != nil {
		t.Fatal(err)
	}
	return made, text
}

// A key is found by its text, of which the file holds the hash alone, until it is revoked.
func TestKeysComeAndGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", apikeys.FileName)
	ring, err := apikeys.Open(path)
	if err != nil || ring.Len() != 0 {
		t.Fatalf("%d keys without a file, %v", ring.Len(), err)
	}
	alice, text := add(t, path, apikeys.Key{Name: "alice", PerMinute: 60, Models: []string{"m"}})
	_, other := add(t, path, apikeys.Key{Name: "bob", Admin: true})
	if !apikeys.Looks(text) || text == other || ring.Find(text) != nil {
		t.Errorf("%q and %q", text, other)
	}
	if err := ring.Reload(); err != nil {
		t.Fatal(err)
	}
	if k := ring.Find(text); k == nil || k.Name != "alice" || k.ID != alice.ID || k.PerMinute != 60 || k.Admin {
		t.Errorf("%+v", k)
	}
	for _, wrong := range []string{"", "sk-aigw-", text + "x", text[:len(text)-1], strings.ToUpper(text), alice.Hash, alice.ID} {
		if ring.Find(wrong) != nil {
			t.Errorf("%q is a key", wrong)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	written, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(written), text) || strings.Contains(string(written), strings.TrimPrefix(text, apikeys.Prefix)) {
		t.Errorf("the file holds a key: %s, %v", written, err)
	}
	if err := apikeys.Add(path, alice); err == nil || !strings.Contains(err.Error(), `named "alice" already`) {
		t.Errorf("a second alice: %v", err)
	}
	if gone, err := apikeys.Revoke(path, alice.ID); err != nil || gone.Name != "alice" {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, err := apikeys.Revoke(path, "alice"); err == nil || !strings.Contains(err.Error(), "aigw keys list") {
		t.Errorf("revoked twice: %v", err)
	}
	if err := ring.Reload(); err != nil || ring.Find(text) != nil || ring.Find(other) == nil {
		t.Errorf("after revoking: %v", err)
	}
}

// Keys that are made at the same time are all kept.
func TestKeysMadeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), apikeys.FileName)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			k, _, err := apikeys.New(apikeys.Key{Name: strings.Repeat("k", i+1)})
			if err == nil {
				err = apikeys.Add(path, k)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if keys, err := apikeys.Read(path); err != nil || len(keys) != 8 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// A file that was replaced is taken without being told; a damaged one leaves the keys as they were.
func TestTheFileIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), apikeys.FileName)
	ring, err := apikeys.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_, text := add(t, path, apikeys.Key{Name: "alice"})
	synctest.Test(t, func(t *testing.T) {
		go ring.Watch(t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil))) //nolint:sloglint // nobody reads it
		time.Sleep(3 * time.Second)
		if ring.Find(text) == nil {
			t.Error("the new key is not known")
		}
		if err := os.WriteFile(path, []byte(`{"keys":[{"id":"x","hash":"short"}]}`), 0o600); err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Second)
		if ring.Find(text) == nil || ring.Reload() == nil {
			t.Error("a damaged file replaced the keys")
		}
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Second)
		if ring.Len() != 0 {
			t.Error("the file is gone and its keys are not")
		}
	})
	if _, err := apikeys.Open(t.TempDir()); err == nil {
		t.Error("a folder was read as a file of keys")
	}
}

func TestNamesAndLimits(t *testing.T) {
	for name, k := range map[string]apikeys.Key{
		"no name": {}, "blank": {Name: " "}, "long": {Name: strings.Repeat("x", 65)}, "a line end": {Name: "a\nb"}, "a byte": {Name: "a\xff"},
		"a negative limit": {Name: "a", Running: -1},
	} {
		if _, _, err := apikeys.New(k); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	var nobody *apikeys.Key
	some := &apikeys.Key{Models: []string{"Codestral"}}
	if !nobody.Allows("x") || !(&apikeys.Key{}).Allows("x") || !some.Allows("x", "codestral") || some.Allows("x") {
		t.Error("who may ask which model is wrong")
	}
}
