package main

import (
	"context"
	"fmt"

	"aigw/cmd/aigw/doctor"
	"aigw/search"
	"aigw/search/source"
)

// docsIndex is whether the documentation that would be searched can be: every file of the index is compared
// with its checksum.
func (p *patient) docsIndex(context.Context) doctor.Result {
	dir := p.cli.String("docs")
	if dir == "" {
		return mountedDocs()
	}
	const expected = "an index made by aigw docs index of this version"
	x, err := search.Open(dir)
	if err != nil {
		return doctor.Bad(err.Error(), expected, "see aigw docs index --help; without --docs the program's own pages are searched")
	}
	m := x.Manifest()
	if err := x.Close(); err != nil {
		return doctor.Bad(err.Error(), expected, "build it again with aigw docs index")
	}
	found := fmt.Sprintf("%s: %d pages, %d passages", dir, m.Pages, m.Passages)
	if m.VersionTag != "" {
		found += ", " + m.VersionTag
	}
	if m.Passages == 0 {
		return doctor.Bad(found, "passages to search", "build it again with aigw docs index, of a folder that has Markdown pages")
	}
	return doctor.Fine("%s", found)
}

// mountedDocs is what is searched where --docs is not set.
func mountedDocs() doctor.Result {
	file := mountedDatabase()
	if file == "" {
		return doctor.Fine("the program's own pages; for GitLab's, name an index with --docs")
	}
	if _, err := source.Database(file); err != nil {
		return doctor.Bad(err.Error(), "a docs.db as GitLab's image has it", "mount a whole one, or name an index with --docs")
	}
	return doctor.Fine("%s, which is taken over at the start", file)
}
