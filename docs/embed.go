// Package docs is the documentation for administrators, as a file system within the program:
// documentation search answers from it until it has GitLab's.
package docs

import "embed"

// Pages are the Markdown files of this folder.
//
//go:embed *.md
var Pages embed.FS
