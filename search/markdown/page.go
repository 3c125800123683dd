// Package markdown turns a page of GitLab's documentation into passages: what a search can rank
// and a chat model can read at once.
//
// Pages that include others are put together first (include.go). A page is then read in four steps.
// The front matter gives title and description. Shortcodes and badges of GitLab's site generator
// become plain Markdown (shortcodes.go). goldmark says where the blocks are: headings, paragraphs,
// code, tables (blocks.go). Whole sections are then laid together or cut between blocks until each
// passage has its size (passages.go).
package markdown

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxPageBytes bounds what is read of one page; GitLab's longest has 400 kB.
const MaxPageBytes = 4 << 20

// Page is one documentation page, cut into passages.
type Page struct {
	Title       string
	Description string
	Passages    []Passage
	Links       []Link
}

// Passage is a part of a page.
type Passage struct {
	// Anchor of the heading it begins with, as GitLab's help pages render it; empty above the first.
	Anchor string
	// Headings lead from below the page's title to the passage.
	Headings []string
	// Inner are the headings of further sections that the passage holds, and Anchors theirs.
	Inner   []string
	Anchors []string
	// Text is the passage as Markdown, its own headings included.
	Text string
	// Prose and Code are the same without markup, apart from each other, for the index.
	Prose, Code string
}

// Link is a reference to another page.
type Link struct {
	Page   string // path below the root, as far as the link says; empty: this page
	Anchor string
	Text   string
}

// Parse reads a page. file is its path below the root of its tree, with slashes. Any input gives
// a page; one without text has no passages.
func Parse(file string, source []byte) *Page {
	if len(source) > MaxPageBytes {
		source = source[:MaxPageBytes]
	}
	text := strings.ToValidUTF8(string(source), "\uFFFD")
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\uFEFF")
	page := &Page{}
	matter, text := cutFrontMatter(text)
	page.Title, page.Description = clean(matter.Title), clean(matter.Description)
	doc := parseBlocks([]byte(plainShortcodes(text)))
	if page.Title == "" {
		page.Title = doc.title()
	}
	if page.Title == "" {
		page.Title = titleFromPath(file)
	}
	page.Links = doc.links(file)
	page.Passages = doc.passages(page.Title)
	return page
}

type frontMatter struct {
	Title       string `yaml:"title"`
	Description string `yaml:"description"`
}

// cutFrontMatter separates the YAML above a page from its text. What is no YAML is dropped all
// the same: it is for the site generator, not for readers.
func cutFrontMatter(text string) (frontMatter, string) {
	var m frontMatter
	rest, found := strings.CutPrefix(text, "---\n")
	if !found {
		return m, text
	}
	matter, body, found := strings.Cut(rest, "\n---")
	if !found {
		return m, text
	}
	if _, after, more := strings.Cut(body, "\n"); more {
		body = after
	} else {
		body = ""
	}
	if err := yaml.Unmarshal([]byte(matter), &m); err != nil {
		for line := range strings.Lines(matter) { // a colon in a title that is not quoted
			if v, ok := strings.CutPrefix(line, "title:"); ok {
				m.Title = strings.Trim(strings.TrimSpace(v), `"'`)
			}
			if v, ok := strings.CutPrefix(line, "description:"); ok {
				m.Description = strings.Trim(strings.TrimSpace(v), `"'`)
			}
		}
	}
	return m, body
}

// titleFromPath names a page that has no title: user/ssh_keys.md is "ssh keys".
func titleFromPath(file string) string {
	name := strings.TrimSuffix(path.Base(file), path.Ext(file))
	if name == "_index" || name == "index" || name == "README" {
		if dir := path.Base(path.Dir(file)); dir != "." && dir != "/" {
			name = dir
		}
	}
	return strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ").Replace(name))
}

// clean drops inline markup from a title.
func clean(s string) string {
	return strings.TrimSpace(strings.Join(strings.Fields(strings.NewReplacer("`", "", "**", "").Replace(s)), " "))
}
