package docsearch

import (
	"net/http"

	"aigw/gateway/openapi"
)

// Operations are the room's routes.
func (room *Room) Operations() []openapi.Operation {
	return []openapi.Operation{{
		Method: http.MethodPost, Path: "/v1/search/gitlab-docs", Handler: room.Search, Tag: "Documentation",
		Summary: "Find passages of the documentation that answer a question",
		Text:    "Every question is answered; an empty list says that nothing was found. page_size is how many passages are wanted, and the budget of tokens may make them fewer.",
		Body:    openapi.BodyOf(body),
		Answers: []openapi.Answer{{Status: http.StatusOK, About: "The passages, the best first.", Types: []openapi.Content{openapi.JSON[answer]()}}},
	}}
}
