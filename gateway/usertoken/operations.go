package usertoken

import (
	"net/http"

	"aigw/gateway/openapi"
)

// Operations are the room's routes.
func (room *Room) Operations() []openapi.Operation {
	return []openapi.Operation{{
		Method: http.MethodPost, Path: "/v1/code/user_access_token", Handler: room.Issue, Tag: "Authentication",
		Summary: "Issue a token with which an editor asks for completions itself",
		Text:    "No body is read. The headers say for whom it is.",
		Headers: wanted,
		Answers: []openapi.Answer{
			{Status: http.StatusOK, About: "The token, and when it ends, in Unix seconds.", Types: []openapi.Content{openapi.JSON[answer]()}},
			openapi.Refused(http.StatusBadRequest, "A header is missing."),
			openapi.Refused(http.StatusInternalServerError, "There is no key to sign with."),
		},
	}}
}
