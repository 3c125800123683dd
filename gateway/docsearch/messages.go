package docsearch

import (
	"fmt"
	"strings"

	"aigw/models"
	"aigw/search"
)

// Messages asks for an answer that is based on passages alone.
func Messages(question string, passages []search.Passage) []models.Message {
	var user strings.Builder
	for i, p := range passages {
		fmt.Fprintf(&user, "Excerpt [%d], from the page %q:\n%s\n\n", i+1, p.Title, p.Content)
	}
	fmt.Fprintf(&user, "Question: %s", question)
	rules := "You answer questions about GitLab from excerpts of its documentation. Use nothing that is not in the excerpts. " +
		"Name the excerpts that you used by their numbers, such as [1]. If the excerpts do not answer the question, say so."
	if len(passages) == 0 {
		rules = "You answer questions about GitLab. The documentation says nothing that fits the question: say so first."
	}
	return []models.Message{{Role: models.System, Content: rules}, {Role: models.User, Content: user.String()}}
}
