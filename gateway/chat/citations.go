package chat

import (
	"regexp"
	"slices"
	"strings"

	"aigw/models"
)

// GitLab gives the model excerpts of its documentation, each with an id, and asks for those it used behind "ATTRS:" at the end of
// the answer; the person sees them as sources (section 11.4 of the wire contract). Small models write ids that were never given, or repeat
// one until their tokens run out. What stands behind the mark is therefore held back, and only ids that are in the prompt are passed on.
const attributesMark = "ATTRS:"

// citation is an id as GitLab reads it.
var citation = regexp.MustCompile(`CNT-IDX-([0-9a-z]+)`)

// citations is the filter of one answer.
type citations struct {
	given  []string // ids of the prompt
	held   string   // what may become the mark
	behind *strings.Builder
}

// newCitations returns nil where the prompt holds no ids: such an answer may say what it likes.
func newCitations(messages []models.Message) *citations {
	c := &citations{}
	for _, m := range messages {
		c.given = append(c.given, citation.FindAllString(m.Content, -1)...)
	}
	if len(c.given) == 0 {
		return nil
	}
	return c
}

// Write implements conversation.Filter.
func (c *citations) Write(piece string) string {
	if c.behind != nil {
		c.note(piece)
		return ""
	}
	text := c.held + piece
	if before, behind, found := strings.Cut(text, attributesMark); found {
		c.behind, c.held = &strings.Builder{}, ""
		c.note(behind)
		return before
	}
	n := min(len(attributesMark)-1, len(text))
	for !strings.HasSuffix(text, attributesMark[:n]) {
		n--
	}
	c.held = text[len(text)-n:]
	return text[:len(text)-n]
}

// mostBehind is how much is read behind the mark, in bytes: some hundred ids.
const mostBehind = 8 << 10

func (c *citations) note(text string) {
	c.behind.WriteString(text[:min(len(text), mostBehind-min(mostBehind, c.behind.Len()))])
}

// Rest implements conversation.Filter.
func (c *citations) Rest() string {
	if c.behind == nil {
		return c.held
	}
	var cited []string
	for _, id := range citation.FindAllString(c.behind.String(), -1) {
		if slices.Contains(c.given, id) && !slices.Contains(cited, id) {
			cited = append(cited, id)
		}
	}
	if len(cited) == 0 {
		return ""
	}
	return attributesMark + " " + strings.Join(cited, " ")
}
