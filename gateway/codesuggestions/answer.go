package codesuggestions

import (
	"time"

	"aigw/gateway/serving"
)

// engineName is the value of model.engine: a model behind a prompt of the gateway's own.
const engineName = "agent"

// answer is the JSON body of a suggestion, its members in the original's order.
type answer struct {
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

type choice struct {
	Text         string `json:"text"`
	Index        int    `json:"index"`
	FinishReason string `json:"finish_reason"`
}

// newAnswer returns the body for a text. An empty text is no choice.
func newAnswer(m *serving.Model, l *language, text string, used consumption) answer {
	a := answer{
		ID:          "id",
		Model:       modelInfo{Engine: engineName, Name: m.DisplayName(), Lang: l.langName()},
		Experiments: []string{},
		Object:      "text_completion",
		Created:     time.Now().Unix(),
		Choices:     []choice{},
	}
	if text != "" {
		a.Model.Tokens = &used
		// The original says "length" whatever ended the text.
		a.Choices = append(a.Choices, choice{Text: text, FinishReason: "length"})
	}
	return a
}
