package prompts

import (
	"net/http"

	"aigw/gateway/openapi"
)

// Operations are the routes of this room.
func (room *Room) Operations() []openapi.Operation {
	return []openapi.Operation{{
		Method: http.MethodPost, Path: "/v1/prompts/*prompt_id", Tag: "Prompts", Handler: room.Invoke,
		Summary: "Have a model answer a prompt of the gateway",
		Text:    "prompt_id is the name of a prompt; its slash may be encoded. inputs are put into the prompt.",
		Values:  room.catalogue.IDs(),
		Body:    openapi.BodyOf(requestKind),
		Answers: []openapi.Answer{
			{Status: http.StatusOK, About: "The text as a JSON string; with stream in pieces and nothing between them.", Types: []openapi.Content{openapi.JSON[string](), openapi.Text("text/event-stream")}},
			{Status: http.StatusNotFound, About: "There is no such prompt."},
			{Status: http.StatusMisdirectedRequest, About: "No model could answer: its error, such as 503: Service Unavailable."},
		},
	}}
}
