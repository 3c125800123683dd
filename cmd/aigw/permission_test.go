package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestPermissionHint(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/models", Err: syscall.EACCES}
	for name, err := range map[string]error{
		"as the kernel says it": denied,
		"in other words":        fmt.Errorf("--models-dir: %w", plainPathError(fmt.Errorf("read: %w", denied))),
	} {
		hint := permissionHint(err)
		for _, want := range []string{fmt.Sprintf("user %d", os.Getuid()), "/models", fmt.Sprintf("chown -R %d", os.Getuid()), ":Z"} {
			if !strings.Contains(hint, want) {
				t.Errorf("%s: %q does not say %q", name, hint, want)
			}
		}
	}
	if got := hinted(denied); !strings.HasPrefix(got, "open /models: permission denied; user ") {
		t.Errorf("in one line: %q", got)
	}
	missing := &fs.PathError{Op: "open", Path: "/models", Err: syscall.ENOENT}
	if hint := permissionHint(missing); hint != "" {
		t.Errorf("of a file that is not there it is said: %s", hint)
	}
	if got, want := hinted(missing), missing.Error(); got != want {
		t.Errorf("in one line: %q, want %q", got, want)
	}
	if got, want := plainPathError(missing).Error(), "/models: no such file or directory"; got != want {
		t.Errorf("in plain words: %q, want %q", got, want)
	}
}
