package markdown

import (
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// reader knows CommonMark and GitHub's tables. It may be used concurrently.
var reader = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser()

type blockKind int

const (
	prose blockKind = iota
	heading
	code
	table
)

// block is a piece of a page that is not cut where that can be avoided.
type block struct {
	kind  blockKind
	level int    // of a heading, 1 to 6
	title string // of a heading
	start int    // bytes of the source, up to the next block's
	end   int
	prose strings.Builder
	code  strings.Builder
	// before and after are lines that a piece of a table or a code block repeats.
	before, after string
}

// document is a page's text with its blocks in order. They cover the text without gaps.
type document struct {
	source []byte
	blocks []*block
	root   ast.Node
}

func parseBlocks(source []byte) *document {
	d := &document{source: source, root: reader.Parse(text.NewReader(source))}
	for n := d.root.FirstChild(); n != nil; n = n.NextSibling() {
		b := &block{start: lineStart(source, n.Pos())}
		switch n := n.(type) {
		case *ast.Heading:
			b.kind, b.level, b.title = heading, n.Level, strings.TrimSpace(plain(n, source))
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			b.kind = code
		case *extast.Table:
			b.kind = table
		}
		if b.start < 0 {
			continue // goldmark does not say where it is: part of the block before
		}
		if last := len(d.blocks) - 1; last >= 0 {
			if b.start <= d.blocks[last].start {
				d.collect(n, d.blocks[last])
				continue
			}
			d.blocks[last].end = b.start
		}
		d.collect(n, b)
		d.blocks = append(d.blocks, b)
	}
	if last := len(d.blocks) - 1; last >= 0 {
		d.blocks[0].start = 0
		d.blocks[last].end = len(source)
	}
	return d
}

// lineStart returns where the line of a position begins, -1 if there is no position.
func lineStart(source []byte, at int) int {
	if at < 0 || at > len(source) {
		return -1
	}
	for at > 0 && source[at-1] != '\n' {
		at--
	}
	return at
}

// collect gathers a block's words: prose and code apart.
func (d *document) collect(n ast.Node, b *block) {
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock {
				b.prose.WriteByte('\n')
			}
			if _, cell := n.(*extast.TableCell); cell {
				b.prose.WriteString(" | ")
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				b.code.Write(line.Value(d.source))
			}
			return ast.WalkSkipChildren, nil
		case *ast.HTMLBlock, *ast.RawHTML:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			b.prose.Write(n.Segment.Value(d.source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.prose.WriteByte('\n')
			}
		case *ast.String:
			b.prose.Write(n.Value)
		}
		return ast.WalkContinue, nil
	})
}

// plain returns the words of an inline text.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(source))
			if n.SoftLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// title returns the first heading if it is one of the first level.
func (d *document) title() string {
	for _, b := range d.blocks {
		if b.kind == heading {
			if b.level == 1 {
				return explicitAnchor.ReplaceAllString(b.title, "")
			}
			break
		}
	}
	return ""
}

// links returns the references to other pages of the tree, and to this page's own sections.
func (d *document) links(file string) []Link {
	var links []Link
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		l, is := n.(*ast.Link)
		if !is || !entering {
			return ast.WalkContinue, nil
		}
		target, anchor, _ := strings.Cut(string(l.Destination), "#")
		if strings.Contains(target, ":") || strings.HasPrefix(target, "/") || target != "" && !strings.HasSuffix(target, ".md") {
			return ast.WalkContinue, nil
		}
		if target != "" {
			target = path.Join(path.Dir(file), target)
			if target == file {
				target = ""
			}
		}
		links = append(links, Link{Page: target, Anchor: anchor, Text: plain(l, d.source)})
		return ast.WalkContinue, nil
	})
	return links
}
