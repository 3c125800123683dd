package markdown

import (
	"regexp"
	"strings"
)

// GitLab's pages carry shortcodes of its site generator, and badges of the one before. A reader of
// a passage needs what they say, not how a web page draws it:
//
//	{{< details >}}, {{< history >}}   dropped with what they enclose: tier, offering and versions,
//	                                   the same on nearly every page
//	{{< alert type="note" >}}          > **note**
//	{{< tab title="Linux package" >}}  **Linux package**
//	{{< icon ... >}}, {{< yes >}}      icon dropped; yes and no spelled out
//	others                             dropped; of {{< include >}} see include.go
//	> [!note]                          > **note**
//	**(PREMIUM SELF)**, [...]          badges at the end of a heading, and "Introduced in" lists
var (
	shortcode   = regexp.MustCompile(`\{\{[<%]\s*(/?)\s*([a-zA-Z][\w-]*)([^{}]*?)\s*/?[>%]\}\}`)
	attribute   = regexp.MustCompile(`(title|type)\s*=\s*"([^"]*)"`)
	githubAlert = regexp.MustCompile(`^(\s*>\s*)\[!([a-zA-Z]+)\]\s*(.*)$`)
	badge       = regexp.MustCompile(`\s*\*\*\((?:FREE|PREMIUM|ULTIMATE|BETA|EXPERIMENT)[A-Z ]*\)\*\*`)
	introduced  = regexp.MustCompile(`^>?\s*-\s+\[?(?:Introduced|Generally available|Deprecated|Moved|Enabled|Feature flag)\b.*\bGitLab \d+\.\d+`)
	detailLine  = regexp.MustCompile(`^(?:\*\*)?(?:Tier|Offering|Status|Add-on):(?:\*\*)?\s`)
)

// plainShortcodes returns the text without shortcodes. Code blocks are left as they are.
func plainShortcodes(text string) string {
	var (
		out    strings.Builder
		fence  string // that ends the code block we are in
		hidden string // shortcode whose contents are dropped
		remark bool   // within an HTML comment
	)
	out.Grow(len(text))
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if fence != "" {
			if strings.HasPrefix(trimmed, fence) && strings.Trim(trimmed, fence[:1]) == "" {
				fence = ""
			}
			if hidden == "" {
				out.WriteString(line)
			}
			continue
		}
		if remark || strings.Contains(line, "<!--") {
			line, remark = dropComments(line, remark)
			trimmed = strings.TrimSpace(line)
		}
		if f := fenceOf(trimmed); f != "" && hidden == "" {
			fence = f
			out.WriteString(line)
			continue
		}
		// Looking for a word first saves most of the regular expressions' time.
		if hidden == "" && (strings.Contains(trimmed, "GitLab ") && introduced.MatchString(trimmed) || strings.Contains(trimmed, ":") && detailLine.MatchString(trimmed)) {
			continue
		}
		if hidden == "" && strings.Contains(line, "[!") {
			line = plainAlert(line)
		}
		if strings.Contains(line, "{{") {
			line, hidden = replaceShortcodes(line, hidden, lines[i+1:])
		} else if hidden != "" {
			continue
		}
		if strings.Contains(line, "**(") {
			line = badge.ReplaceAllString(line, "")
		}
		out.WriteString(line)
	}
	return out.String()
}

func plainAlert(line string) string {
	m := githubAlert.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	return strings.TrimRight(m[1]+"**"+strings.ToLower(m[2])+"** "+m[3], " ") + "\n"
}

// fenceOf returns the fence that a line opens a code block with.
func fenceOf(trimmed string) string {
	if !strings.HasPrefix(trimmed, "```") && !strings.HasPrefix(trimmed, "~~~") {
		return ""
	}
	mark := trimmed[:1]
	n := len(trimmed) - len(strings.TrimLeft(trimmed, mark))
	if mark == "`" && strings.Contains(trimmed[n:], "`") {
		return "" // code in a line
	}
	return trimmed[:n]
}

// replaceShortcodes returns a line without its shortcodes, and which shortcode's contents are
// hidden after it. One that nothing closes hides nothing.
func replaceShortcodes(line, hidden string, rest []string) (string, string) {
	var out strings.Builder
	last := 0
	for _, at := range shortcode.FindAllStringSubmatchIndex(line, -1) {
		if hidden == "" {
			out.WriteString(line[last:at[0]])
		}
		last = at[1]
		closing := at[3] > at[2]
		name := strings.ToLower(line[at[4]:at[5]])
		attributes := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(line[at[6]:at[7]], -1) {
			attributes[a[1]] = a[2]
		}
		switch {
		case closing:
			if name == hidden {
				hidden = ""
			}
		case hidden != "":
		case name == "details" || name == "history":
			if closedIn(name, line[at[1]:], rest) {
				hidden = name
			}
		case name == "yes" || name == "no":
			out.WriteString(strings.ToUpper(name[:1]) + name[1:])
		case name == "alert":
			out.WriteString("**" + attributes["type"] + "**")
		case name == "tab" || name == "collapsible":
			out.WriteString("**" + attributes["title"] + "**")
		}
	}
	if hidden == "" {
		out.WriteString(line[last:])
	}
	if out.Len() == 0 {
		return "", hidden
	}
	text := strings.ReplaceAll(out.String(), "****", "")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text, hidden
}

// closedIn reports whether a shortcode is closed within its section.
func closedIn(name, line string, rest []string) bool {
	const most = 200 // lines; GitLab's longest history has 60
	for i := -1; i < len(rest) && i < most; i++ {
		if i >= 0 {
			line = rest[i]
		}
		for _, m := range shortcode.FindAllStringSubmatch(line, -1) {
			if m[1] == "/" && strings.EqualFold(m[2], name) {
				return true
			}
		}
	}
	return false
}

// dropComments returns a line without HTML comments, and whether one goes on after it.
func dropComments(line string, inside bool) (string, bool) {
	var out strings.Builder
	for {
		if inside {
			_, after, closed := strings.Cut(line, "-->")
			if !closed {
				if out.Len() > 0 {
					out.WriteByte('\n')
				}
				return out.String(), true
			}
			line = after
		}
		before, after, opened := strings.Cut(line, "<!--")
		out.WriteString(before)
		if !opened {
			return out.String(), false
		}
		line, inside = after, true
	}
}
