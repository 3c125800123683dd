package store

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// nameForm allows what GitLab, Ollama and file names use: codestral@2405, codellama:13b-code.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}$`)

// CheckName says why a model cannot have a name, or nil. A name never looks like a path or a
// file: `--model NAME` means a stored model only where no such file exists.
func CheckName(name string) error {
	switch {
	case !nameForm.MatchString(name):
		return fmt.Errorf("%q cannot be a model's name; use up to 100 letters, digits, and . _ : @ - after the first", name)
	case strings.EqualFold(filepath.Ext(name), ".gguf"):
		return fmt.Errorf("%q cannot be a model's name, it looks like a file; leave .gguf out", name)
	}
	return nil
}

// fileForm is what a link to weights may be called.
var fileForm = regexp.MustCompile(`^[^/\x00-\x1f\x7f]{1,250}\.gguf$`)

func checkFile(name string) error {
	if !fileForm.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a model file; rename it to NAME.gguf", name)
	}
	return nil
}

// nameOf makes a model's name of whatever a file or an image is called.
func nameOf(text string) string {
	name := strings.Map(func(r rune) rune {
		if nameForm.MatchString("a" + string(r)) {
			return r
		}
		return '-'
	}, strings.TrimSuffix(text, ".gguf"))
	name = strings.TrimLeft(name, "._:@-")
	return name[:min(len(name), 100)]
}

// UnknownError says that no model has a name.
type UnknownError struct {
	Name    string
	Nearest string // the known name that is most like it; empty: none is
	Known   []string
}

func (e *UnknownError) Error() string {
	text := fmt.Sprintf("no file and no stored model is called %q", e.Name)
	switch {
	case e.Nearest != "":
		return fmt.Sprintf("%s; did you mean %q? See aigw models list", text, e.Nearest)
	case len(e.Known) == 0:
		return text + ", and the store is empty; give the path of a GGUF file, or import one with aigw models import FILE"
	}
	const most = 5
	known := e.Known[:min(most, len(e.Known))]
	if len(e.Known) > most {
		return fmt.Sprintf("%s; stored are %s and others, see aigw models list", text, strings.Join(known, ", "))
	}
	return fmt.Sprintf("%s; stored are: %s", text, strings.Join(known, ", "))
}

// Nearest returns the known name that one may have meant, or nothing: the most similar of those
// that differ by a third of its letters or less, or begin with it.
func Nearest(name string, known []string) string {
	name = strings.ToLower(name)
	best, least := "", 0
	for _, k := range known {
		d := distance(name, strings.ToLower(k))
		near := d <= max(len(name)/3, 1) || name != "" && strings.HasPrefix(strings.ToLower(k), name)
		if near && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
