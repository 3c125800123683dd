package postprocess

import "strings"

// prependNewLine puts generated code on a line of its own: the cursor usually stands behind a
// comment that asked for it. An empty prefix does not end with a new line either; so the
// original has it.
func prependNewLine(text, prefix string) string {
	if text == "" || strings.HasSuffix(prefix, "\n") || strings.HasPrefix(text, "\n") {
		return text
	}
	return "\n" + text
}

// stripWhitespaces makes a text of nothing but white space empty.
func stripWhitespaces(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return text
}
