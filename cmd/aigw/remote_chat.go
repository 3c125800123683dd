package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"aigw/models"
)

// A turn of Duo Chat's agent, as GitLab has it taken: where the model asks for the documentation it is searched, and the model asked
// again with what was found. All other tools are GitLab's own.

// step is a tool that was used in a turn (section 9.2 of the wire contract).
type remoteStep struct {
	Thought     string `json:"thought"`
	Tool        string `json:"tool"`
	Input       string `json:"tool_input"`
	Observation string `json:"observation"`
}

const (
	mostSteps    = 3 // of one turn; GitLab makes 10
	mostPassages = 3 // that a step is given
	docsTool     = "gitlab_documentation"
)

// chat takes a turn of the agent in a conversation, whose last message is the person's.
func (r *remote) chat(ctx context.Context, messages []models.Message, emit func(string) error) error {
	steps := []remoteStep{}
	for {
		body := map[string]any{
			"messages": messages, "options": map[string]any{"agent_scratchpad": map[string]any{"agent_type": "react", "steps": steps}},
		}
		var wanted *remoteStep
		err := r.post(ctx, "/v2/chat/agent", body, func(in io.Reader) (err error) {
			wanted, err = readEvents(in, emit)
			return err
		})
		switch {
		case err != nil || wanted == nil:
			return err
		case len(steps) == mostSteps:
			return errors.New("the model asks for tools again and again; ask in other words, or a larger model")
		}
		if wanted.Observation, err = r.observe(ctx, *wanted); err != nil {
			return err
		}
		steps = append(steps, *wanted)
	}
}

// observe is what a tool found.
func (r *remote) observe(ctx context.Context, s remoteStep) (string, error) {
	if s.Tool != docsTool {
		return "This tool works within GitLab only. Answer without it.", nil
	}
	found, err := r.search(ctx, s.Input, mostPassages)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "The documentation says nothing about this.", nil
	}
	var b strings.Builder
	for _, p := range found {
		fmt.Fprintf(&b, "%s: %s\n", p.Title, p.Content)
	}
	return b.String(), nil
}

// readEvents hands the answer of a turn on, or returns the tool that it asks for.
func readEvents(in io.Reader, emit func(string) error) (*remoteStep, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostAnswer)
	var wanted *remoteStep
	for lines.Scan() {
		var event struct {
			Type string
			Data struct {
				Text, Tool, Thought, Message string
				Input                        string `json:"tool_input"`
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("the gateway's answer is no list of events: %w; is that an aigw?", err)
		}
		switch event.Type {
		case "final_answer_delta", "unknown":
			if err := emit(event.Data.Text); err != nil {
				return nil, err
			}
		case "action":
			wanted = &remoteStep{Thought: event.Data.Thought, Tool: event.Data.Tool, Input: event.Data.Input}
		case "error":
			if strings.Contains(event.Data.Message, "prompt is too long") {
				return nil, fmt.Errorf("%s; begin anew with /clear", event.Data.Message)
			}
			return nil, fmt.Errorf("the gateway reports: %s", printable(event.Data.Message))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("the gateway's answer breaks off: %w", err)
	}
	return wanted, nil
}
