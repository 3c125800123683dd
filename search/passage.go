package search

import "context"

// MaxResults is the most passages of one answer.
const MaxResults = 100

// Searcher answers questions with ranked passages. Both Index and Library are Searchers; they may
// be used concurrently.
type Searcher interface {
	// Search returns at most n passages, the best first, each of another page while there are
	// pages. Any question has an answer, if only an empty one; errors are those of the index.
	Search(ctx context.Context, question string, n int) ([]Passage, error)
}

// Passage is a part of a page that was found.
type Passage struct {
	ID         string   `json:"id"`                // [0-9a-f]+, the same after every rebuild
	Collection string   `json:"collection"`        // gitlab, runner, ...; empty for a tree without a name
	Page       string   `json:"page"`              // path below the indexed folder
	Path       string   `json:"path,omitempty"`    // path below the collection's documentation; empty if unknown
	Anchor     string   `json:"anchor"`            // of the heading it begins with; may be empty
	Title      string   `json:"title"`             // of the page
	Headings   []string `json:"headings"`          // from below the title to the passage
	URL        string   `json:"url"`               // http(s), or relative to GitLab's address; empty if unknown
	Version    string   `json:"version,omitempty"` // of the documentation, as given when it was indexed
	Score      float64  `json:"score"`             // comparable within one answer
	Content    string   `json:"content"`           // Markdown, 1,500 to 4,000 characters as a rule
}
