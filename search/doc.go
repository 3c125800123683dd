// Package search finds passages of documentation that answer a question.
//
// Pages come from source (folders, archives, GitLab's docs.db), are cut into passages by markdown
// (collect.go), become terms by lexicon (analysis.go, fields.go), and lie in a Bleve index on disk
// (build.go, mapping.go, manifest.go). A question is taken apart into concepts (question.go), whose
// postings (postings.go) are scored for passages and for whole pages at once (rank.go); each page
// answers with its best passage.
//
// Who only asks needs three things: Open (or a Library, which follows an index that is replaced
// while it is used), Search, and Passage.
//
//	index, err := search.Open("docs.index")
//	found, err := index.Search(ctx, "how do I mask a variable", 4)
package search
