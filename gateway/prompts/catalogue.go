// Package prompts answers POST /v1/prompts/{id} (section 10 of the wire contract): the caller names a prompt
// and brings what is to be put into it. The prompts are files of YAML, which operators can replace.
package prompts

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

//go:embed catalogue
var embedded embed.FS

// Catalogue is a set of prompts. It is not changed once it is made.
type Catalogue struct {
	versions map[string][]*Prompt // by id, the highest version first
}

// mostFiles bounds an operator's folder.
const mostFiles = 1000

// Load returns the prompts of this program, replaced and added to by those of a folder; "" is none.
func Load(dir string) (*Catalogue, error) {
	c := &Catalogue{versions: map[string][]*Prompt{}}
	own, err := fs.Sub(embedded, "catalogue")
	if err != nil {
		return nil, err
	}
	if err := c.add(own, ""); err != nil {
		return nil, fmt.Errorf("the program's own prompts: %w", err)
	}
	if dir == "" {
		return c, nil
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("prompts: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("prompts: %s is no folder", dir)
	}
	if err := c.add(os.DirFS(dir), dir); err != nil {
		return nil, fmt.Errorf("prompts: %w", err)
	}
	return c, nil
}

// BuiltIn returns the prompts of this program.
var BuiltIn = sync.OnceValue(func() *Catalogue {
	c, err := Load("")
	if err != nil {
		panic(err) // an error of the program, found at start-up
	}
	return c
})

// add reads all YAML files of a folder. All mistakes are reported at once.
func (c *Catalogue) add(files fs.FS, dir string) error {
	var mistakes []error
	seen := map[string]string{}
	err := fs.WalkDir(files, ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if extension := path.Ext(at); entry.IsDir() || extension != ".yaml" && extension != ".yml" {
			return nil
		}
		name := filepath.Join(dir, filepath.FromSlash(at))
		if len(seen) == mostFiles {
			return fmt.Errorf("%s: there are more than %d files", name, mostFiles)
		}
		data, err := readSmall(files, at)
		if err != nil {
			return err
		}
		p, err := parsePrompt(name, data)
		if err != nil {
			mistakes = append(mistakes, err)
			return nil
		}
		key := p.ID + " " + p.Version.String()
		if other, ok := seen[key]; ok {
			mistakes = append(mistakes, fmt.Errorf("%s:%d: %s stands in %s too", name, lineOf(data, "id"), key, other))
			return nil
		}
		seen[key] = name
		c.put(p)
		return nil
	})
	return errors.Join(append(mistakes, err)...)
}

// readSmall reads a file that should be small; of others only so much that this can be seen.
func readSmall(files fs.FS, at string) ([]byte, error) {
	if info, err := fs.Stat(files, at); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() || info.Size() > mostFileBytes {
		return nil, fmt.Errorf("%s: a prompt is a regular file of at most %d bytes", at, mostFileBytes)
	}
	return fs.ReadFile(files, at)
}

// put adds a prompt, or replaces the one with its version.
func (c *Catalogue) put(p *Prompt) {
	others := slices.DeleteFunc(c.versions[p.ID], func(other *Prompt) bool { return other.Version.Equal(p.Version) })
	c.versions[p.ID] = append(others, p)
	slices.SortFunc(c.versions[p.ID], func(a, b *Prompt) int { return b.Version.Compare(a.Version) })
}

// IDs returns the names of all prompts.
func (c *Catalogue) IDs() []string {
	var ids []string
	for id := range c.versions {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, strings.Compare)
	return ids
}

// has reports whether there is a prompt.
func (c *Catalogue) has(id string) bool { return len(c.versions[id]) > 0 }

// find returns the highest version within the constraint, or nil.
func (c *Catalogue) find(id string, within constraint) *Prompt {
	for _, p := range c.versions[id] {
		if within.allows(p.Version) {
			return p
		}
	}
	return nil
}
