package search_test

import (
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"aigw/search"
)

// Questions are answered without a gap while the index is replaced again and again.
func TestLibraryFollowsItsIndex(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs.index")
	var library search.Library
	if found := find(t, &library, "key"); found != nil {
		t.Errorf("without an index: %v", found)
	}
	if err := library.Open(dir); err == nil {
		t.Error("an index that is not there was opened")
	}
	build(t, dir, twoPages)
	if changed, err := library.Refresh(); !changed || err != nil {
		t.Errorf("the index that came later: %v %v", changed, err)
	}
	if changed, err := library.Refresh(); changed || err != nil {
		t.Errorf("nothing changed: %v %v", changed, err)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if found, err := library.Search(t.Context(), "make a key", 2); err != nil || len(found) == 0 {
					t.Errorf("found %v, %v", found, err)
					return
				}
			}
		})
	}
	for range 3 {
		build(t, dir, fstest.MapFS{"user/ssh.md": twoPages["user/ssh.md"], "more.md": page("# More\n\nunheard-of\n")})
		if changed, err := library.Refresh(); !changed || err != nil {
			t.Errorf("replaced: %v %v", changed, err)
		}
	}
	close(done)
	readers.Wait()
	if found := find(t, &library, "unheard-of"); len(found) != 1 {
		t.Errorf("the new page: %v", found)
	}
	if err := library.Close(); err != nil {
		t.Error(err)
	}
	if found := find(t, &library, "key"); found != nil {
		t.Errorf("after Close: %v", found)
	}
}
