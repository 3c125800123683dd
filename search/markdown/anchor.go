package markdown

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

var explicitAnchor = regexp.MustCompile(`\s*\{#([A-Za-z0-9_-]+)\}\s*$`)

// anchors names headings as GitLab's help pages do: lower case, only letters, digits, marks, _ and
// -, spaces as -; a number is added to what was there before; {#name} names a heading itself.
type anchors map[string]int

func (a anchors) name(heading string) string {
	if m := explicitAnchor.FindStringSubmatch(heading); m != nil {
		return m[1]
	}
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			b.WriteRune(r)
		}
	}
	name := b.String()
	if name != "" && strings.Trim(name, "0123456789") == "" {
		name = "anchor-" + name // a number alone is a reference to an issue
	}
	n := a[name]
	a[name]++
	if n > 0 {
		name += "-" + strconv.Itoa(n)
	}
	return name
}
