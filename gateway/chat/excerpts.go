package chat

import (
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/gateway/conversation"
	"aigw/gateway/requestlog"
	"aigw/models"
)

// excerpt is one excerpt of the documentation as GitLab puts it into a prompt, with its id at the end. A
// text without "CONTENT:" is none: an id alone may be part of what the model is told to do.
var excerpt = regexp.MustCompile(`(?s)(?:<quote>\s*)?CONTENT:.*?CNT-IDX-[0-9a-z]+(?:\s*</quote>)?\s*`)

// ask asks, and leaves excerpts out as long as the prompt does not fit: GitLab gives four, however small
// the model's context is, the best one first. The first one stays, and so does what is asked.
func (room *Room) ask(c *gin.Context, q conversation.Question) (*conversation.Asked, error) {
	left := 0
	for {
		if cited := newCitations(q.Messages); cited != nil {
			q.Filter = cited
		}
		asked, err := room.conversations.Ask(q)
		n := 0
		if tooLong := (*models.TooLongError)(nil); errors.As(err, &tooLong) {
			q.Messages, n = withoutExcerpts(q.Messages, float64(tooLong.Tokens-tooLong.Limit)/float64(max(1, tooLong.Tokens)))
		}
		if n == 0 {
			if left > 0 {
				requestlog.Add(c.Request.Context(), slog.Int("excerpts_left_out", left))
			}
			return asked, err
		}
		left += n
	}
}

// withoutExcerpts leaves out the last excerpts of the message that has several, all but its first one at
// most. What goes is about three quarters of the share of the text that is too much, at least one: nothing
// goes in vain, and a few attempts do, each of which counts all tokens again. n is how many went.
func withoutExcerpts(messages []models.Message, share float64) (left []models.Message, n int) {
	all := 0
	for _, m := range messages {
		all += len(m.Content)
	}
	tooMuch := int(share * float64(all) * 3 / 4) // bytes
	for i, m := range messages {
		found := excerpt.FindAllStringIndex(m.Content, -1)
		from := len(found)
		for gone := 0; from > 1 && (from == len(found) || gone < tooMuch); from-- {
			gone += found[from-1][1] - found[from-1][0]
		}
		if from == len(found) {
			continue
		}
		var text strings.Builder
		end := 0
		for _, at := range found[from:] {
			text.WriteString(m.Content[end:at[0]])
			end = at[1]
		}
		text.WriteString(m.Content[end:])
		messages = slices.Clone(messages)
		messages[i].Content = text.String()
		return messages, len(found) - from
	}
	return messages, 0
}
