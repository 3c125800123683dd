package xray

import (
	"net/http"

	"aigw/gateway/openapi"
)

// Operations are the routes of this room.
func (room *Room) Operations() []openapi.Operation {
	return []openapi.Operation{{
		Method: http.MethodPost, Path: "/v1/x-ray/libraries", Tag: "X-Ray", Handler: room.Libraries,
		Summary: "Have a model read a list of dependencies", Text: "The caller brings the prompt; jobs of older GitLab versions do this.",
		Body:    openapi.BodyOf(requestKind),
		Answers: []openapi.Answer{{Status: http.StatusOK, About: "The text.", Types: []openapi.Content{openapi.JSON[answer]()}}},
	}}
}
