package markdown

import (
	"strings"
	"unicode/utf8"
)

// Sizes of a passage in characters. Four of them, with the question, fit the context of a small
// local model; less than MinPassage says too little to answer from.
const (
	MinPassage = 1500
	MaxPassage = 4000
	// maxWhole is how long a code block or a table may be to stay in one piece.
	maxWhole = 6000
)

// section is a heading and what stands below it, up to the next heading.
type section struct {
	level    int
	title    string
	anchor   string
	headings []string // from below the page's title to its own
	blocks   []*block
	size     int // characters
}

// passages cuts the document. Sections that are short are laid together with those after them
// while all belong to the same part of the page; one that is long is cut between its blocks.
func (d *document) passages(title string) []Passage {
	var (
		out     []Passage
		waiting []section
		size    int
	)
	flush := func() {
		if len(waiting) > 0 {
			out = d.appendPassage(out, waiting)
		}
		waiting, size = nil, 0
	}
	for _, s := range d.sections(title) {
		switch {
		case s.size > MaxPassage:
			if size < MinPassage/3 { // a few words above it
				s.blocks, s.size = append(blocksOf(waiting), s.blocks...), s.size+size
				waiting = nil
			}
			flush()
			for _, piece := range d.cut(s) {
				out = d.appendPassage(out, []section{piece})
			}
			continue
		case len(waiting) > 0 && (size+s.size > MaxPassage || size >= MinPassage && !inside(waiting[0], s)):
			flush()
		case len(waiting) > 0 && size >= MinPassage:
			flush()
		}
		waiting, size = append(waiting, s), size+s.size
	}
	flush()
	return out
}

func blocksOf(sections []section) []*block {
	var blocks []*block
	for _, s := range sections {
		blocks = append(blocks, s.blocks...)
	}
	return blocks
}

// inside reports whether s stands below first in the page's outline.
func inside(first, s section) bool { return first.level > 0 && s.level > first.level }

// sections splits the document at its headings.
func (d *document) sections(title string) []section {
	var (
		out   []section
		trail []section // enclosing headings
		names = anchors{}
	)
	current := section{}
	for _, b := range d.blocks {
		if b.kind == heading {
			if len(current.blocks) > 0 {
				out = append(out, current)
			}
			anchor := names.name(b.title)
			b.title = explicitAnchor.ReplaceAllString(b.title, "")
			for len(trail) > 0 && trail[len(trail)-1].level >= b.level {
				trail = trail[:len(trail)-1]
			}
			if b.level == 1 && len(out) == 0 {
				anchor = "" // the page itself
			}
			current = section{level: b.level, title: b.title, anchor: anchor}
			if b.level > 1 || b.title != title {
				trail = append(trail, current)
			}
			for _, t := range trail {
				current.headings = append(current.headings, t.title)
			}
		}
		current.blocks = append(current.blocks, b)
		current.size += utf8.RuneCount(d.source[b.start:b.end])
	}
	if len(current.blocks) > 0 {
		out = append(out, current)
	}
	return out
}

// cut divides a long section between its blocks, and a block that is longer than a passage may be
// between its lines: a table's pieces keep its head, a code block's their fences.
func (d *document) cut(s section) []section {
	total := s.size
	pieces := (total + MaxPassage*3/4 - 1) / (MaxPassage * 3 / 4)
	goal := max(MinPassage, total/max(1, pieces))
	var out []section
	piece := section{level: s.level, title: s.title, anchor: s.anchor, headings: s.headings}
	flush := func() {
		if len(piece.blocks) > 0 {
			out = append(out, piece)
		}
		piece = section{level: s.level, title: s.title, anchor: s.anchor, headings: s.headings}
	}
	for _, b := range s.blocks {
		size := utf8.RuneCount(d.source[b.start:b.end])
		if piece.size > 0 && (piece.size >= goal || piece.size+size > MaxPassage && piece.size >= MinPassage/2) {
			flush()
		}
		if size > maxWhole || size > MaxPassage && b.kind != code && b.kind != table {
			for _, part := range d.cutBlock(b) {
				if piece.size > 0 && piece.size+part.end-part.start > MaxPassage {
					flush()
				}
				piece.blocks = append(piece.blocks, part)
				piece.size += utf8.RuneCount(d.source[part.start:part.end])
			}
			continue
		}
		piece.blocks = append(piece.blocks, b)
		piece.size += size
	}
	flush()
	return out
}

// cutBlock divides a block between its lines. The words of the pieces are their lines: the markup
// that is left in them does the index no harm.
func (d *document) cutBlock(b *block) []*block {
	var (
		out        []*block
		start      = b.start
		head, foot = d.repeated(b)
	)
	add := func(end int) {
		if end <= start {
			return
		}
		part := &block{kind: b.kind, start: start, end: end}
		if b.kind == code {
			part.code.Write(d.source[start:end])
		} else {
			part.prose.Write(d.source[start:end])
		}
		if len(out) > 0 {
			part.before = head
		}
		if end < b.end {
			part.after = foot
		}
		out = append(out, part)
		start = end
	}
	for at := b.start; at < b.end; {
		next := b.end
		for i := at; i < b.end; i++ {
			if d.source[i] == '\n' {
				next = i + 1
				break
			}
		}
		for next-at > MaxPassage { // a line without end
			at += MaxPassage
			for at > start && !utf8.RuneStart(d.source[at]) {
				at--
			}
			add(at)
		}
		if next-start > MaxPassage {
			add(at)
		}
		at = next
	}
	add(b.end)
	return out
}

// repeated returns the lines that a block's pieces need above and below them to be read alone.
func (d *document) repeated(b *block) (head, foot string) {
	const most = 500 // characters; a longer head would crowd out the rows
	lines := strings.SplitAfterN(string(d.source[b.start:b.end]), "\n", 3)
	switch {
	case b.kind == table && len(lines) == 3 && len(lines[0])+len(lines[1]) <= most:
		head = lines[0] + lines[1]
	case b.kind == code:
		if fence := fenceOf(strings.TrimSpace(lines[0])); fence != "" && len(lines[0]) <= most {
			head, foot = lines[0], fence+"\n"
		}
	}
	return head, foot
}

// appendPassage adds the passage that the sections make together.
func (d *document) appendPassage(out []Passage, sections []section) []Passage {
	p := Passage{Anchor: sections[0].anchor, Headings: sections[0].headings}
	var text, words, codes strings.Builder
	for i, s := range sections {
		if i > 0 {
			p.Inner = append(p.Inner, s.title)
		}
		if s.anchor != "" {
			p.Anchors = append(p.Anchors, s.anchor)
		}
		for _, b := range s.blocks {
			text.WriteString(b.before)
			text.Write(d.source[b.start:b.end])
			text.WriteString(b.after)
			if b.kind != heading {
				words.WriteString(b.prose.String())
				words.WriteByte('\n')
			}
			codes.WriteString(b.code.String())
		}
	}
	p.Text = strings.TrimSpace(blankLines(text.String()))
	p.Prose, p.Code = strings.TrimSpace(words.String()), codes.String()
	if strings.TrimSpace(p.Prose+p.Code) == "" {
		return out // headings alone
	}
	return append(out, p)
}

// blankLines leaves at most one empty line in a row, outside of code.
func blankLines(text string) string {
	var (
		out   strings.Builder
		fence string
		empty bool
	)
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if fence == "" {
			fence = fenceOf(trimmed)
			if trimmed == "" {
				if !empty {
					out.WriteByte('\n')
				}
				empty = true
				continue
			}
		} else if strings.HasPrefix(trimmed, fence) {
			fence = ""
		}
		empty = false
		out.WriteString(line)
	}
	return out.String()
}
