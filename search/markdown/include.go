package markdown

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Limits of inclusion: a page that includes itself, or the same text a thousand times, ends there.
const (
	maxDepth    = 4
	maxIncludes = 200 // files that one page asks for, with those that the included ones ask for
)

// including matches what stands for another file's text: {{< include "a.md" >}}, {{% include %}}
// and file="a.md" of site generators, and GitLab's own ::include{file=a.md} on a line.
var including = regexp.MustCompile(`\{\{[<%]\s*include\s+(?:file\s*=\s*)?["']?([^"'\s<>%{}]+)["']?[^{}]*?[>%]\}\}|^::include\{file=([^{}\s]+)\}\s*$`)

// Includes reports whether a page may include others.
func Includes(source []byte) bool {
	return bytes.Contains(source, []byte("::include{")) || bytes.Contains(source, []byte("{{")) && bytes.Contains(source, []byte("include "))
}

// Include puts the text of other pages where a page includes them. read returns a page by its path
// below the root of the tree; no other path is ever asked for. What cannot be included is dropped,
// and code blocks are left as they are.
func Include(file string, source []byte, read func(path string) ([]byte, bool)) []byte {
	i := includer{read: read, left: maxIncludes, size: MaxPageBytes - len(source)}
	return []byte(i.text(file, string(source), 0))
}

type includer struct {
	read func(string) ([]byte, bool)
	left int // files that may still be asked for
	size int // bytes that may still come in
}

func (i *includer) text(file, text string, depth int) string {
	var (
		out   strings.Builder
		fence string // that ends the code block we are in
	)
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) && strings.Trim(trimmed, fence[:1]) == "" {
				fence = ""
			}
		case fenceOf(trimmed) != "":
			fence = fenceOf(trimmed)
		case strings.Contains(line, "include"):
			line = including.ReplaceAllStringFunc(line, func(match string) string {
				names := including.FindStringSubmatch(match)
				return i.included(file, names[1]+names[2], depth) + match[len(strings.TrimRight(match, "\r\n")):]
			})
		}
		out.WriteString(line)
	}
	return out.String()
}

// included returns the text of a file that another includes. Its name begins at the folder of that
// one, or at the root.
func (i *includer) included(file, name string, depth int) string {
	fromRoot := path.Clean(strings.TrimLeft(name, "/"))
	places := []string{fromRoot}
	if !strings.HasPrefix(name, "/") {
		places = []string{path.Join(path.Dir(file), name), fromRoot}
	}
	for _, at := range places {
		if depth >= maxDepth || i.left <= 0 || at == file || !fs.ValidPath(at) {
			continue
		}
		i.left--
		source, found := i.read(at)
		if !found || len(source) > i.size {
			continue
		}
		i.size -= len(source)
		_, text := cutFrontMatter(strings.ReplaceAll(string(source), "\r\n", "\n"))
		return strings.TrimSpace(i.text(at, text, depth+1))
	}
	return ""
}
