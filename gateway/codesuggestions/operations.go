package codesuggestions

import (
	"net/http"

	"aigw/gateway/openapi"
)

const tag = "Code suggestions"

// Operations are the room's routes.
func (room *Room) Operations() []openapi.Operation {
	const completes = "Code at the cursor. With stream the answer is the text itself, in pieces and nothing between them, whatever the content type says."
	completion := openapi.Operation{
		Method: http.MethodPost, Tag: tag, Handler: room.Completions,
		Summary: "Complete code", Text: completes,
		Body: openapi.BodyOf(completionRequest), Answers: answersV2,
	}
	older := completion
	completion.Path, older.Path = "/v2/code/completions", "/v2/completions"
	older.Summary = "Complete code, the older path"
	return []openapi.Operation{
		completion, older,
		{
			Method: http.MethodPost, Path: "/v2/code/generations", Tag: tag, Handler: room.Generations,
			Summary: "Generate code", Text: "Code that was asked for in words. With prompt_id the gateway writes the prompt, and prompt is the instruction; without it prompt is used as it is.",
			Body: openapi.BodyOf(generationRequest), Answers: answersV2,
		},
		{
			Method: http.MethodPost, Path: "/v3/code/completions", Tag: tag, Handler: room.CompletionsV3,
			Summary: "Complete or generate code, as the first component says", Text: completes,
			Body: openapi.BodyOf(componentsRequest), Answers: answersV3,
		},
		{
			Method: http.MethodPost, Path: "/v4/code/suggestions", Tag: tag, Handler: room.Suggestions,
			Summary: "The same; streams are server-sent events", Text: "With stream: the events stream_start, content_chunk for each piece, and stream_end.",
			Body: openapi.BodyOf(componentsRequest), Answers: answersV4,
		},
	}
}

var (
	answersV2 = answersOf(openapi.JSON[answerV2](), openapi.Text("text/event-stream"))
	answersV3 = answersOf(openapi.JSON[answerV3](), openapi.Text("text/event-stream"))
	answersV4 = answersOf(openapi.JSON[answerV3](), openapi.Events(eventStart, eventChunk, eventEnd))
)

func answersOf(types ...openapi.Content) []openapi.Answer {
	return []openapi.Answer{{Status: http.StatusOK, About: "The text, or no choice if there is none.", Types: types}}
}
