package codesuggestions

import (
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/wire"
)

// engineName is the value of model.engine: a model behind a prompt of the gateway's own.
const engineName = "agent"

// choice is a text to insert.
type choice struct {
	Text         string `json:"text"`
	Index        int    `json:"index"`
	FinishReason string `json:"finish_reason"`
}

// choices returns the list for a text. An empty text is no choice.
func choices(text string) []choice {
	if text == "" {
		return []choice{}
	}
	// The original says "length" whatever ended the text.
	return []choice{{Text: text, FinishReason: "length"}}
}

// answerV2 is the JSON body of /v2/code, its members in the original's order.
type answerV2 struct {
	ID          string    `json:"id"`
	Model       modelInfo `json:"model"`
	Experiments []string  `json:"experiments"`
	Object      string    `json:"object"`
	Created     int64     `json:"created"` // Unix seconds
	Choices     []choice  `json:"choices"`
}

type modelInfo struct {
	Engine string       `json:"engine"`
	Name   string       `json:"name"`
	Lang   string       `json:"lang"`
	Tokens *consumption `json:"tokens_consumption_metadata"` // null without a choice
}

type consumption struct {
	Input       int `json:"input_tokens"` // of the code around the cursor; of a text prompt, all
	Output      int `json:"output_tokens"`
	ContextSent int `json:"context_tokens_sent"` // of other files, before cutting
	ContextUsed int `json:"context_tokens_used"`
}

// replyV2 is the form of answers of /v2/code. Generations report no tokens.
type replyV2 struct{ generation bool }

func (r replyV2) whole(s *suggestion, text string) any {
	a := answerV2{
		ID:          "id",
		Model:       modelInfo{Engine: engineName, Name: s.model.DisplayName(), Lang: detect(s.file).langName()},
		Experiments: []string{},
		Object:      "text_completion",
		Created:     time.Now().Unix(),
		Choices:     choices(text),
	}
	if text != "" && !r.generation {
		a.Model.Tokens = &s.used.consumption
	}
	return a
}

func (replyV2) stream(c *gin.Context, _ *suggestion, timeout time.Duration) stream {
	return wire.NewTextStream(c, timeout)
}

// answerV3 is the JSON body of /v3 and /v4.
type answerV3 struct {
	Choices  []choice   `json:"choices"`
	Metadata metadataV3 `json:"metadata"`
}

type metadataV3 struct {
	Model     modelInfoV3 `json:"model"`
	Timestamp int64       `json:"timestamp"` // Unix seconds
}

type modelInfoV3 struct {
	Engine string  `json:"engine"`
	Name   string  `json:"name"`
	Lang   *string `json:"lang,omitempty"` // not in streams
}

// replyV3 is the form of answers of /v3/code.
type replyV3 struct{}

func (replyV3) whole(s *suggestion, text string) any {
	lang := detect(s.file).langName()
	return answerV3{
		Choices:  choices(text),
		Metadata: metadataV3{Model: modelInfoV3{Engine: engineName, Name: s.model.DisplayName(), Lang: &lang}, Timestamp: time.Now().Unix()},
	}
}

func (replyV3) stream(c *gin.Context, _ *suggestion, timeout time.Duration) stream {
	return wire.NewTextStream(c, timeout)
}

// replyV4 is the form of answers of /v4/code, which streams events.
type replyV4 struct{ replyV3 }

func (replyV4) stream(c *gin.Context, s *suggestion, timeout time.Duration) stream {
	return &eventStream{wire.NewEventStream(c, timeout), s.model.DisplayName()}
}

// The events of a stream.
const (
	eventStart = "stream_start"
	eventChunk = "content_chunk"
	eventEnd   = "stream_end"
)

// eventStream sends a text as the events stream_start, content_chunk for each piece, and
// stream_end.
type eventStream struct {
	*wire.EventStream
	model string
}

type streamStart struct {
	Metadata metadataV3 `json:"metadata"`
}

type contentChunk struct {
	Choices []chunkChoice `json:"choices"`
}

type chunkChoice struct {
	Delta struct {
		Content string `json:"content"`
	} `json:"delta"`
	Index int `json:"index"`
}

func (s *eventStream) begin() error {
	if s.Started() {
		return nil
	}
	return s.EventStream.Write(eventStart, streamStart{metadataV3{Model: modelInfoV3{Engine: engineName, Name: s.model}, Timestamp: time.Now().Unix()}})
}

// Write sends a piece of the text.
func (s *eventStream) Write(piece string) error {
	if err := s.begin(); err != nil {
		return err
	}
	var one chunkChoice
	one.Delta.Content = piece
	return s.EventStream.Write(eventChunk, contentChunk{[]chunkChoice{one}})
}

// End sends the last event.
func (s *eventStream) End() {
	if s.begin() == nil {
		s.EventStream.End(eventEnd, nil)
	}
}
