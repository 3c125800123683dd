package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A copy, which file systems that can link never make, has the digest and the bytes of its source.
func TestCopyFile(t *testing.T) {
	from := weights(1).WriteFile(t, t.TempDir(), "m.gguf")
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	dir := t.TempDir()
	var read int64
	copied, err := copyFile(t.Context(), source, filepath.Join(dir, "copy"), func(n int64) { read += n })
	if err != nil {
		t.Fatal(err)
	}
	linked, err := transfer(t.Context(), from, filepath.Join(dir, "linked"), func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if copied.how != Copied || linked.how == Copied || copied.digest != linked.digest || copied.size != linked.size || read != copied.size {
		t.Errorf("copied %+v, linked %+v, read %d", copied, linked, read)
	}
	want, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "copy")); err != nil || string(got) != string(want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A link to weights, as caches of downloads keep them, brings the weights and not the link.
func TestTransferOfALink(t *testing.T) {
	from := weights(1).WriteFile(t, t.TempDir(), "m.gguf")
	link := filepath.Join(t.TempDir(), "link.gguf")
	if err := os.Symlink(from, link); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "m")
	if _, err := transfer(t.Context(), link, to, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(to); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}

func TestStoppedCopy(t *testing.T) {
	source, err := os.Open(weights(1).WriteFile(t, t.TempDir(), "m.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := copyFile(ctx, source, filepath.Join(t.TempDir(), "m"), func(int64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
