package chat

import (
	"net/http"

	"aigw/gateway/openapi"
)

// Operations are the routes of this room.
func (room *Room) Operations() []openapi.Operation {
	return []openapi.Operation{{
		Method: http.MethodPost, Path: "/v1/chat/:name", Tag: "Duo Chat", Handler: room.Invoke,
		Summary: "Have a model answer a finished prompt",
		Text:    "name is agent, explain_code, write_tests, refactor_code, explain_vulnerability, summarize_comments or troubleshoot_job. A last message of the assistant is continued.",
		Body:    openapi.BodyOf(requestKind),
		Answers: []openapi.Answer{{Status: http.StatusOK, About: "The text; with stream in pieces and nothing between them.", Types: []openapi.Content{openapi.JSON[answer](), openapi.Text("text/event-stream")}}},
	}}
}
