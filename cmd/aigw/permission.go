package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// plainPath says what is wrong with a file in words that name the file first.
type plainPath struct{ *fs.PathError }

func (e plainPath) Error() string { return e.Path + ": " + e.Err.Error() }

func (e plainPath) Unwrap() error { return e.PathError }

// plainPathError says "open x: permission denied" in words that name the file first.
func plainPathError(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return plainPath{path}
	}
	return err
}

// permissionHint says what to do about a file that this user may not use, which in containers has two
// reasons: it belongs to somebody else, or SELinux forbids it although its mode allows it.
func permissionHint(err error) string {
	path := (*fs.PathError)(nil)
	if !errors.As(err, &path) || !errors.Is(path, fs.ErrPermission) {
		return ""
	}
	return fmt.Sprintf("user %d of group %d may not use %s: chown -R %d it, in a container the folder of the host that is mounted there; "+
		"where SELinux is on, mount it with :Z", os.Getuid(), os.Getgid(), path.Path, os.Getuid())
}

// hinted says in one line what is wrong and what to do about it.
func hinted(err error) string {
	if hint := permissionHint(err); hint != "" {
		return err.Error() + "; " + hint
	}
	return err.Error()
}
