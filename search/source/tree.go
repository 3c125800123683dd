package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// tree is a folder, or a file system in memory.
type tree struct {
	files fs.FS
	from  string
}

// Folder reads all Markdown pages below a folder of this machine. Symbolic links are not followed.
func Folder(dir string) (Source, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	return tree{os.DirFS(dir), dir}, nil
}

// Files reads all Markdown pages of a file system.
func Files(files fs.FS, from string) Source { return tree{files, from} }

func (t tree) From() string { return t.from }

func (t tree) Documents(ctx context.Context, yield func(Document, float64) error) error {
	var names []string
	err := fs.WalkDir(t.files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && name != "." && path.Base(name)[0] == '.':
			return fs.SkipDir
		case entry.Type().IsRegular() && isPage(name):
			names = append(names, name)
		}
		if len(names) > MaxPages {
			return errTooMany(t.from)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%s: %w", t.from, errNoPages)
	}
	var b budget
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, err := t.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		if err := b.add(t.from, len(text)); err != nil {
			return err
		}
		if err := yield(Document{Path: name, Text: text}, float64(i+1)/float64(len(names))); err != nil {
			return err
		}
	}
	return nil
}

func (t tree) read(name string) ([]byte, error) {
	f, err := t.files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxPage))
}
