package agent

import (
	"net/http"

	"aigw/gateway/openapi"
)

// Operations are the routes of this room.
func (room *Room) Operations() []openapi.Operation {
	return []openapi.Operation{{
		Method: http.MethodPost, Path: "/v2/chat/agent", Tag: "Duo Chat", Handler: room.Turn,
		Summary: "Have the agent take one turn",
		Text:    "The answer is a stream of events, one JSON object a line: action (GitLab runs a tool and asks again), final_answer_delta, unknown, error.",
		Body:    openapi.BodyOf(requestKind),
		Answers: []openapi.Answer{{Status: http.StatusOK, About: "Events.", Types: []openapi.Content{openapi.Text("application/x-ndjson")}}},
	}}
}
