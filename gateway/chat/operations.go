package chat

import (
	"maps"
	"net/http"
	"slices"

	"aigw/gateway/openapi"
)

// Operations are the routes of this room.
func (room *Room) Operations() []openapi.Operation {
	return []openapi.Operation{{
		Method: http.MethodPost, Path: "/v1/chat/:chat_invokable", Tag: "Duo Chat", Handler: room.Invoke,
		Summary: "Have a model answer a finished prompt",
		Text:    "A last message of the assistant is continued.",
		Values:  slices.Sorted(maps.Keys(rights)),
		Body:    openapi.BodyOf(requestKind),
		Answers: []openapi.Answer{
			{Status: http.StatusOK, About: "The text; with stream in pieces and nothing between them.", Types: []openapi.Content{openapi.JSON[answer](), openapi.Text("text/event-stream")}},
			openapi.Refused(http.StatusNotFound, "There is no such name."),
		},
	}}
}
