package postprocess

import (
	"strings"
	"unicode/utf8"
)

// A model that has nothing to say repeats what it read. cleanReflection takes out groups of
// lines that merely repeat lines of the context: a single comment line, or a block that is large
// and poor in characters.
//
//  1. The text after the line of the cursor is split into target lines, what stands before into
//     source lines. A line carries the newline before it, so that a line that goes takes it along.
//  2. Lines are compared without the white space around them. Each target line is matched with
//     the source line in which the longest run of equal pairs ends or goes through.
//  3. Target lines that follow each other, and whose source lines do, are a group.
//  4. A group that is one comment, or large (see isLarge), is dropped.
//
// The original also lets a group reach over lines that match nothing and drops them with it
// (section 19, no. 23); here such a line ends the group.

const (
	largeLines       = 5    // least lines of a large block
	specialShare     = 0.25 // large blocks have less than this share of special characters
	diversity        = 0.35 // and fewer different characters than this share of all
	specialCharacter = "()[];.,$%&^*@#!{}/"
	// maxSourceLines bounds the work: a file may have 100,000 empty lines. The last ones count.
	maxSourceLines = 8192
)

func cleanReflection(completion, context string) string {
	at := breakPosition(completion, context)
	if at < 0 {
		return completion
	}
	// The break is in the completion, but for a context that ends at a line's beginning.
	kept := completion[:at-len(context)]
	target := linesOf(completion[at-len(context):])
	source := linesOf(context + kept)
	source = source[max(0, len(source)-maxSourceLines):]

	var out strings.Builder
	out.WriteString(kept)
	matches := matchLines(source, target)
	for i := 0; i < len(target); {
		end := i + 1
		for end < len(target) && matches[i] >= 0 && matches[end] == matches[end-1]+1 {
			end++
		}
		if group := target[i:end]; matches[i] < 0 || !isComment(group) && !isLarge(group) {
			for _, line := range group {
				out.WriteString(line)
			}
		}
		i = end
	}
	return out.String()
}

// breakPosition returns the place in context + completion behind the line of the cursor, or -1 if
// the completion does not leave that line.
func breakPosition(completion, context string) int {
	if strings.HasSuffix(strings.TrimRight(context, " \t"), "\n") {
		return len(context)
	}
	if i := strings.IndexByte(completion, '\n'); i >= 0 {
		return len(context) + i + 1
	}
	return -1
}

// linesOf splits a text; each line but the first begins with its newline.
func linesOf(text string) []string {
	lines := strings.Split(text, "\n")
	for i := 1; i < len(lines); i++ {
		lines[i] = "\n" + lines[i]
	}
	return lines
}

// matchLines returns for each target line the source line that it repeats, or -1. Where several
// are equal, the one in the longest run of equal lines up to there is taken, the first of equals;
// a line that begins a run counts as in it.
func matchLines(source, target []string) []int {
	rows := map[string][]int{} // of each trimmed line
	for i, line := range source {
		trimmed := strings.TrimSpace(line)
		rows[trimmed] = append(rows[trimmed], i)
	}
	matches := make([]int, len(target))
	best := make([]int, len(target)) // value of the match
	before := map[int]int{}          // source row -> value in the column before
	for j, line := range target {
		matches[j] = -1
		values := map[int]int{}
		for _, i := range rows[strings.TrimSpace(line)] {
			value := 1
			if run := before[i-1]; run > 0 {
				value = max(run, 2) + 1
			}
			// A first member is raised to 2 once its run goes on.
			if run := before[i-1]; run == 1 && (best[j-1] < 2 || best[j-1] == 2 && i-1 < matches[j-1]) {
				best[j-1], matches[j-1] = 2, i-1
			}
			values[i] = value
			if value > best[j] {
				best[j], matches[j] = value, i
			}
		}
		before = values
	}
	return matches
}

func isComment(group []string) bool {
	if len(group) != 1 {
		return false
	}
	line := strings.TrimSpace(group[0])
	return strings.HasPrefix(line, "/*") || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#")
}

// isLarge reports whether a group is a block of prose or data that repeats itself, rather than
// code that happens to look alike.
func isLarge(group []string) bool {
	if len(group) < largeLines {
		return false
	}
	all, special := 0, 0
	different := map[rune]bool{}
	for _, line := range group {
		trimmed := strings.TrimSpace(line)
		all += utf8.RuneCountInString(trimmed)
		for _, r := range trimmed {
			different[r] = true
			if strings.ContainsRune(specialCharacter, r) {
				special++
			}
		}
	}
	return all > 0 && float64(special)/float64(all) < specialShare && float64(len(different))/float64(all) < diversity
}
