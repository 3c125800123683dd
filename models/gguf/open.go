package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Open reads and checks the header of the file at path and, if it is a part of a split set, of
// all parts; any part may be named. The caller closes the File.
func Open(path string) (*File, error) {
	first := firstPart(path)
	file, h, err := openHeader(first)
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind == Missing && first != path {
		e.Kind = MissingPart
		e.Reason = "the first part of the set cannot be found"
		e.Hint = "put all parts of the set into one folder"
	}
	if err != nil {
		return nil, err
	}
	f := newFile(h)
	f.closer = file
	if err := f.addParts(h); err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

// openHeader opens a file and reads its header.
func openHeader(path string) (*os.File, *header, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return nil, nil, err
	}
	h, err := readHeader(file, size, path)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, h, nil
}

// openRegular opens a regular file. Devices and pipes are refused before they are opened:
// opening a pipe blocks.
func openRegular(path string) (*os.File, int64, error) {
	refuse := func(kind Kind, err error, reason, hint string) (*os.File, int64, error) {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err // the path is already in the message
		}
		return nil, 0, &Error{Path: path, Kind: kind, Offset: -1, Reason: reason, Hint: hint, Err: err}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse(Missing, err, "cannot be found", nearby(filepath.Dir(path), "give the path of a GGUF file"))
	case err != nil:
		return refuse(Unreadable, err, "cannot be read", "check that its folders may be entered by this user")
	case info.IsDir():
		return refuse(Unreadable, nil, "is a directory", nearby(path, "give the path of the GGUF file in it"))
	case !info.Mode().IsRegular():
		return refuse(Unreadable, nil, "is not a regular file", "give the path of a GGUF file")
	}
	file, err := os.Open(path)
	if err != nil {
		return refuse(Unreadable, err, "cannot be read", "check that this user may read the file")
	}
	return file, info.Size(), nil
}

// nearby extends a hint with the models that a directory has, up to three.
func nearby(dir, hint string) string {
	d, err := os.Open(dir)
	if err != nil {
		return hint
	}
	defer d.Close()
	const most = 1000 // entries to look at
	names, _ := d.Readdirnames(most)
	var found []string
	for _, name := range names {
		if strings.EqualFold(filepath.Ext(name), ".gguf") {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return hint
	}
	slices.Sort(found)
	more := ""
	if len(found) > 3 {
		more = fmt.Sprintf(" and %d more", len(found)-3)
	}
	return fmt.Sprintf("%s; %s has %s%s", hint, dir, strings.Join(found[:min(3, len(found))], ", "), more)
}
