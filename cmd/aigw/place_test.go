package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParsePlace(t *testing.T) {
	for arg, want := range map[string]place{
		"main.go:12":     {"main.go", 12, 0},
		"main.go:12:5":   {"main.go", 12, 5},
		"a:b.go:3":       {"a:b.go", 3, 0},
		"dir/a:1:2.go:7": {"dir/a:1:2.go", 7, 0},
	} {
		if got, err := parsePlace(arg); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", arg, got, err, want)
		}
	}
	for _, arg := range []string{"", "main.go", "main.go:", "main.go:x", ":3", "main.go:0", "main.go:3:-1"} {
		if got, err := parsePlace(arg); err == nil {
			t.Errorf("%q: accepted as %+v", arg, got)
		}
	}
}

func TestPlaceSplitsAtCharacters(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.go")
	if err := os.WriteFile(file, []byte("eins\r\nzwölf = \r\nlast"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at   place
		want string // prefix
	}{
		{place{file, 1, 0}, "eins"},
		{place{file, 1, 1}, ""},
		{place{file, 2, 4}, "eins\r\nzwö"},
		{place{file, 2, 0}, "eins\r\nzwölf = "},
		{place{file, 3, 5}, "eins\r\nzwölf = \r\nlast"},
	} {
		prefix, suffix, err := tt.at.read()
		if err != nil || prefix != tt.want || prefix+suffix != "eins\r\nzwölf = \r\nlast" {
			t.Errorf("%+v: prefix %q, suffix %q, %v; want prefix %q", tt.at, prefix, suffix, err, tt.want)
		}
	}
	for at, hint := range map[place]string{
		{file, 4, 0}:              "3 lines",
		{file, 1, 6}:              "4 characters",
		{file + ".missing", 1, 0}: "no such file",
	} {
		if _, _, err := at.read(); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%+v: error %v, want one about %q", at, err, hint)
		}
	}
}
