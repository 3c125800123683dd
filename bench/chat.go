package main

import (
	"context"
	"encoding/json"
	"fmt"
)

// Conversations are asked of both sides as messages, each side's own template laying them out. What was said stays in the cache of
// both: that is what is compared.

// message is one of a conversation.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// chatPeer continues conversations. Its answer counts no tokens.
type chatPeer interface {
	chat(ctx context.Context, messages []message, tokens int) (answer, error)
}

var (
	_ chatPeer = (*gateway)(nil)
	_ chatPeer = (*llamaServer)(nil)
)

// chatPath is where GitLab has an answer written from messages (POST /v1/chat/{name}).
const chatPath = "/v1/chat/agent"

func newGatewayChat(messages []message, tokens int) any {
	type object = map[string]any
	return object{"stream": true, "prompt_components": []any{object{
		"type": "prompt", "metadata": object{"source": "bench", "version": "17.8.0-ee"},
		"payload": object{"content": messages, "params": object{"temperature": 0, "max_tokens_to_sample": tokens}},
	}}}
}

func (g *gateway) chat(ctx context.Context, messages []message, tokens int) (answer, error) {
	e, err := g.post(ctx, chatPath, newGatewayChat(messages, tokens))
	if err != nil {
		return answer{}, g.process.explain(err)
	}
	a := parseTextStream(e.pieces)
	a.began, a.ended = e.began, e.ended
	return a, checkChat(g.peer, a)
}

// serverChat is the body of POST /v1/chat/completions (tools/server/README.md).
type serverChat struct {
	Messages    []message `json:"messages"`
	Most        int       `json:"max_tokens"`
	Stream      bool      `json:"stream"`
	CachePrompt bool      `json:"cache_prompt"`
	Temperature float64   `json:"temperature"`
}

func newServerChat(messages []message, tokens int) serverChat {
	return serverChat{Messages: messages, Most: tokens, Stream: true, CachePrompt: true}
}

func (s *llamaServer) chat(ctx context.Context, messages []message, tokens int) (answer, error) {
	e, err := s.post(ctx, "/v1/chat/completions", newServerChat(messages, tokens))
	if err != nil {
		return answer{}, s.process.explain(err)
	}
	a, err := parseServerChat(e.pieces)
	if err != nil {
		return answer{}, s.process.explain(err)
	}
	a.began, a.ended = e.began, e.ended
	return a, checkChat(s.peer, a)
}

// parseServerChat turns llama-server's stream of a conversation, in OpenAI's form, into an answer.
func parseServerChat(pieces []piece) (answer, error) {
	var a answer
	for _, e := range events(pieces) {
		if string(e.data) == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
			Error *struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := json.Unmarshal(e.data, &chunk); err != nil {
			return answer{}, fmt.Errorf("llama-server sent an event that is not JSON: %w", err)
		}
		if chunk.Error != nil {
			return answer{}, fmt.Errorf("llama-server: %s", chunk.Error.Message)
		}
		for _, c := range chunk.Choices {
			if c.Delta.Content == "" {
				continue
			}
			if a.first.IsZero() {
				a.first = e.at
			}
			a.last = e.at
			a.text += c.Delta.Content
		}
	}
	return a, nil
}

// checkChat refuses an answer of which the first token cannot be timed.
func checkChat(peer string, a answer) error {
	if a.first.IsZero() {
		return &shortAnswerError{peer, 0, 1}
	}
	return nil
}
