package search

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// attributionFile stands in an index beside the manifest, so that whoever passes the folder on, in an
// image or a bundle, passes on whose the pages are.
const attributionFile = "ATTRIBUTION.txt"

// Attribution says whose the pages are, one line for each licence, as the licences ask of who passes
// them on. It is empty if nothing is known.
func (m *Manifest) Attribution() []string {
	var lines []string
	names := map[string][]string{} // by licence
	for _, c := range m.Collections {
		if c.Licence == "" {
			continue
		}
		if names[c.Licence] == nil {
			lines = append(lines, c.Licence)
		}
		name := c.Name
		if name == "" {
			name = "pages"
		}
		if !slices.Contains(names[c.Licence], name) {
			names[c.Licence] = append(names[c.Licence], name)
		}
	}
	for i, licence := range lines {
		lines[i] = strings.Join(names[licence], ", ") + ": " + licence + "; cut into passages here"
	}
	return lines
}

func (m *Manifest) writeAttribution(dir string) error {
	lines := m.Attribution()
	if len(lines) == 0 {
		return nil
	}
	text := "The documentation in this index belongs to others, who let it be passed on like this:\n\n" + strings.Join(lines, "\n") + "\n"
	return os.WriteFile(filepath.Join(dir, attributionFile), []byte(text), 0o644)
}
