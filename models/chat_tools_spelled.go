package models

import (
	"fmt"
	"strings"
)

// spelledCalls is how models answer that were not trained for tools, or in a way that is not known here: the
// instruction says it, and a grammar keeps them to it. They call one function at a time: a model that was not
// trained for calls does not know when there are enough.
var spelledCalls = CallFormat{StopToken: NoToken, Arguments: "arguments"}

// ChatTools implements ToolChatCodec: by the template in the model's file, or by an instruction. What a
// template refuses, such as two messages of the user's in turn, is told by the instruction, too.
func (c *chat) ChatTools(messages []Message, tools []Tool, o ChatOptions) (Prompt, error) {
	clean := make([]Message, len(messages))
	for i, m := range messages {
		switch m.Role {
		case System, User, Assistant, ToolRole:
		default:
			return Prompt{}, fmt.Errorf("message %d has the role %q; roles are system, user, assistant and tool", i, Clip(m.Role))
		}
		clean[i] = m
		clean[i].Content = valid(m.Content)
	}
	if len(clean) == 0 {
		return Prompt{}, fmt.Errorf("a conversation needs at least one message")
	}
	p := Prompt{Stops: c.stops, Sampling: c.sampling, Layout: layoutChat}
	if c.tools != nil {
		if ids, err := c.tools.lay(clean, tools); err == nil {
			p.Tokens, p.Calls = ids, &c.tools.format
		}
	}
	if p.Calls == nil {
		spelled, err := spellTools(clean, tools)
		if err != nil {
			return Prompt{}, err
		}
		ids, err := c.layout.lay(spelled)
		if err != nil {
			return Prompt{}, err
		}
		p.Tokens, p.Calls = ids, &spelledCalls
	}
	if len(tools) == 0 {
		p.Calls = nil
	}
	return p, tooLong(p.Tokens, o.Room)
}

// spellTools makes a conversation of texts: an instruction of the system's, and what was called and
// returned as messages of the assistant's and the user's.
func spellTools(messages []Message, tools []Tool) ([]Message, error) {
	var out []Message
	names := map[string]string{}
	for i, m := range messages {
		switch {
		case m.Role == ToolRole:
			name := names[m.CallID]
			if name == "" {
				name = "that was called"
			}
			out = append(out, Message{Role: User, Content: fmt.Sprintf("The function %s has returned:\n%s", name, m.Content)})
			continue
		case len(m.Calls) == 0:
			out = append(out, Message{Role: m.Role, Content: m.Content})
			continue
		}
		lines := []string{}
		if m.Content != "" {
			lines = append(lines, m.Content)
		}
		for _, call := range m.Calls {
			names[call.ID] = call.Name
			name, err := plainJSON(call.Name)
			if err != nil {
				return nil, err
			}
			lines = append(lines, fmt.Sprintf(`{"name": %s, "arguments": %s}`, name, call.object()))
		}
		out = append(out, Message{Role: m.Role, Content: strings.Join(lines, "\n")})
		if i == len(messages)-1 { // a call that nothing was returned for is no beginning of an answer
			out = append(out, Message{Role: User})
		}
	}
	if len(tools) == 0 {
		return out, nil
	}
	told := []string{"You can call functions. These are known, each with the JSON schema of its arguments:"}
	for _, t := range tools {
		line, err := plainJSON(templateFunction{t.Name, t.Description, t.schema()})
		if err != nil {
			return nil, err
		}
		told = append(told, string(line))
	}
	told = append(told, `To call one, write nothing but a line such as {"name": "NAME", "arguments": {"ARGUMENT": "VALUE"}}, with its name and arguments. Otherwise answer in plain words.`)
	instruction := strings.Join(told, "\n")
	if out[0].Role == System {
		out[0].Content = joinTexts(out[0].Content, instruction)
		return out, nil
	}
	return append([]Message{{Role: System, Content: instruction}}, out...), nil
}
