// Package source reads pages of documentation from where they are: a folder, an archive, or the
// docs.db of GitLab's own gateway. What it reads is not trusted: sizes are bounded, and nothing is
// ever written or followed out of the tree.
package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// Limits of what is read.
const (
	MaxPages = 100_000 // pages of one source; GitLab has 2,600
	MaxPage  = 4 << 20 // bytes of one page; GitLab's longest has 400 kB
	MaxTotal = 1 << 30 // bytes of all pages of a source; GitLab's have 30 MB
)

// Document is one page as it was found.
type Document struct {
	Path string // below the root, with slashes: user/ssh.md
	Text []byte
	// Title is set where the source knows it better than the text.
	Title string
	// Unplaced says that Path is not where the page is published; no link is made of it.
	Unplaced bool
}

// Source is a set of pages.
type Source interface {
	// Documents calls yield for each page, with the share of the source that was read, from 0 to 1.
	// It ends with the first error.
	Documents(ctx context.Context, yield func(Document, float64) error) error
	// From says where the pages come from, for people.
	From() string
}

// errTooMany says that a source is larger than documentation can be.
func errTooMany(from string) error {
	return fmt.Errorf("%s has more than %d pages or %d MiB of text, which is more than documentation has", from, MaxPages, MaxTotal>>20)
}

// budget counts what was read of one source.
type budget struct {
	pages int
	bytes int64
}

func (b *budget) add(from string, bytes int) error {
	b.pages++
	b.bytes += int64(bytes)
	if b.pages > MaxPages || b.bytes > MaxTotal {
		return errTooMany(from)
	}
	return nil
}

// isPage reports whether a file is a page for readers: Markdown, in no hidden folder.
func isPage(name string) bool {
	if !strings.EqualFold(path.Ext(name), ".md") && !strings.EqualFold(path.Ext(name), ".markdown") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") {
			return false
		}
	}
	return true
}

// errNoPages says that there is nothing to index.
var errNoPages = errors.New("no Markdown pages (*.md) in it")
