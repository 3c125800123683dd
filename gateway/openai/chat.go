package openai

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/models"
)

// chatRequest is a body of /v1/chat/completions.
type chatRequest struct {
	parameters
	Messages            []chatMessage   `json:"messages"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Logprobs            bool            `json:"logprobs"`
	TopLogprobs         *int            `json:"top_logprobs"`
	Tools               []tool          `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	Functions           []function      `json:"functions"` // the older name of tools
	FunctionCall        json.RawMessage `json:"function_call"`
	Modalities          []string        `json:"modalities"`
}

type chatMessage struct {
	Role    string      `json:"role"`
	Content chatContent `json:"content"`
	Name    string      `json:"name"` // of the function, where the role is function
	// ToolCalls and FunctionCall, its older name, are what the assistant asked for.
	ToolCalls    []toolCall    `json:"tool_calls"`
	FunctionCall *functionCall `json:"function_call"`
	ToolCallID   string        `json:"tool_call_id"` // the call that is answered
}

// chatContent is a text, or a list of parts of which all are texts.
type chatContent string

// UnmarshalJSON implements json.Unmarshaler.
func (t *chatContent) UnmarshalJSON(raw []byte) error {
	var text *string
	if json.Unmarshal(raw, &text) == nil {
		if *t = ""; text != nil {
			*t = chatContent(*text)
		}
		return nil
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(raw, &parts) != nil {
		return mistyped("messages", "content of a message has to be a string or a list of parts")
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return unsupported("messages", "a message has a part of type %q; only text is supported", p.Type)
		}
		b.WriteString(p.Text)
	}
	*t = chatContent(b.String())
	return nil
}

type chatAnswer struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	System  string       `json:"system_fingerprint"`
	Choices []chatChoice `json:"choices"`
	Usage   *usage       `json:"usage,omitempty"`
}

type chatChoice struct {
	Index        int           `json:"index"`
	Message      *chatAnswered `json:"message,omitempty"`
	Delta        *chatDelta    `json:"delta,omitempty"`
	Logprobs     *chatLogprobs `json:"logprobs"`
	FinishReason *string       `json:"finish_reason"`
}

// chatAnswered is a whole answer; content is null where it has calls only.
type chatAnswered struct {
	Role         string        `json:"role"`
	Content      *string       `json:"content"`
	ToolCalls    []toolCall    `json:"tool_calls,omitempty"`
	FunctionCall *functionCall `json:"function_call,omitempty"`
}

// chatDelta is a piece of one.
type chatDelta struct {
	Role         string        `json:"role,omitempty"`
	Content      *string       `json:"content,omitempty"`
	ToolCalls    []toolCall    `json:"tool_calls,omitempty"`
	FunctionCall *functionCall `json:"function_call,omitempty"`
}

// chat answers POST /v1/chat/completions.
func (room *Room) chat(c *gin.Context) {
	var r chatRequest
	if !read(c, &r) {
		return
	}
	j, err := room.layChat(c, &r)
	if err != nil {
		fail(c, err)
		return
	}
	answer := chatAnswer{ID: newID("chatcmpl-"), Object: "chat.completion", Created: time.Now().Unix(), Model: j.choices[0].model.Name, System: room.fingerprint()}
	if r.Stream {
		answer.Object = "chat.completion.chunk"
		j.stream(r.StreamOptions, chatEvents{answer})
		return
	}
	if err := j.run(nil, nil); err != nil {
		fail(c, err)
		return
	}
	for _, x := range j.choices {
		answer.Choices = append(answer.Choices, chatChoice{Index: x.index, Message: x.message(), Logprobs: x.chatLogprobs(x.tokens), FinishReason: x.reason()})
	}
	used := j.usage()
	answer.Usage = &used
	j.answer(answer)
}

func (room *Room) layChat(c *gin.Context, r *chatRequest) (*job, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if most := r.MaxCompletionTokens; most != nil && r.NPredict == nil { // the newer name of max_tokens
		r.MaxTokens = most
	}
	switch {
	case r.MaxCompletionTokens != nil && *r.MaxCompletionTokens < 1:
		return nil, invalid("max_completion_tokens", "max_completion_tokens is %d; at least 1 is needed", *r.MaxCompletionTokens)
	case r.TopLogprobs != nil && (*r.TopLogprobs < 0 || *r.TopLogprobs > mostLogprobs):
		return nil, invalid("top_logprobs", "top_logprobs is %d; it has to be from 0 to %d", *r.TopLogprobs, mostLogprobs)
	case r.TopLogprobs != nil && *r.TopLogprobs > 0 && !r.Logprobs:
		return nil, invalid("top_logprobs", "top_logprobs goes with logprobs: true")
	case len(r.Modalities) > 1 || len(r.Modalities) == 1 && r.Modalities[0] != "text":
		return nil, unsupported("modalities", "only text is supported")
	}
	if r.tell = r.Logprobs; r.TopLogprobs != nil {
		r.best = *r.TopLogprobs
	}
	messages, called, err := r.messages()
	if err != nil {
		return nil, err
	}
	use, err := r.use()
	if err != nil {
		return nil, err
	}
	if text, ok := onlyFillIn(messages); ok && use == nil {
		model, err := room.choose(c, serving.Completion, r.Model)
		if err != nil {
			return nil, err
		}
		a, err := plain(model, text, r.limit(fillInAnswer))
		if err != nil {
			return nil, err
		}
		return room.job(c, &r.parameters, []*asked{a})
	}
	model, err := room.choose(c, serving.Chat, r.Model)
	if err != nil {
		return nil, err
	}
	a, err := room.layTalk(model, &r.parameters, messages, use, called)
	if err != nil {
		return nil, err
	}
	return room.job(c, &r.parameters, []*asked{a.rest(r.limit(min(longAnswer, max(1, model.ContextSize/2))))})
}

// layTalk lays out a conversation; called says that tools were called in it.
func (room *Room) layTalk(model *serving.Model, p *parameters, messages []models.Message, use *toolUse, called bool) (*asked, error) {
	a := &asked{model: model, class: engine.Chat}
	options := models.ChatOptions{Room: model.ContextSize - 1}
	var err error
	if use == nil && !called {
		a.prompt, err = model.Chat.Chat(messages, options)
		return a, err
	}
	codec, ok := model.Chat.(models.ToolChatCodec)
	if !ok {
		return nil, unsupported("tools", "the model %s is not used with tools; leave them out", model.Name)
	}
	if use == nil {
		a.prompt, err = codec.ChatTools(messages, nil, options)
		return a, err
	}
	if grammar, err := p.confine(); err != nil {
		return nil, err
	} else if grammar != nil {
		return nil, unsupported("response_format", "tools and a format of the answer (response_format, grammar or json_schema) are not supported in one request; leave one of them out, or set tool_choice to none")
	}
	lay := func(begun string) (models.Prompt, error) {
		if begun == "" {
			return codec.ChatTools(messages, use.tools, options)
		}
		with := messages
		if last := len(messages) - 1; messages[last].Role == models.Assistant && len(messages[last].Calls) == 0 {
			with, begun = messages[:last], messages[last].Content+begun
		}
		return codec.ChatTools(append(with[:len(with):len(with)], models.Message{Role: models.Assistant, Content: begun}), use.tools, options)
	}
	if a.prompt, err = lay(""); err != nil {
		return nil, err
	}
	a.plan = &callPlan{toolUse: use, format: a.prompt.Calls, lay: lay, stops: a.prompt.Stops}
	return a, nil
}

// messages checks the conversation. called says that tools are called in it.
func (r *chatRequest) messages() (out []models.Message, called bool, err error) {
	if len(r.Messages) == 0 {
		return nil, false, invalid("messages", "messages are missing; a conversation needs at least one")
	}
	out = make([]models.Message, len(r.Messages))
	for i, m := range r.Messages {
		out[i] = models.Message{Role: m.Role, Content: string(m.Content)}
		switch m.Role {
		case "developer": // OpenAI's newer name
			out[i].Role = models.System
		case models.System, models.User:
		case models.Assistant:
			if out[i].Calls, err = m.calls(i); err != nil {
				return nil, false, err
			}
			called = called || len(out[i].Calls) > 0
		case models.ToolRole:
			if out[i].CallID, called = m.ToolCallID, true; m.ToolCallID == "" {
				return nil, false, invalid("messages", "messages[%d] has the role tool and no tool_call_id: the call that it answers", i)
			}
		case "function":
			out[i].Role, out[i].CallID, called = models.ToolRole, functionID(m.Name), true
			if m.Name == "" {
				return nil, false, invalid("messages", "messages[%d] has the role function and no name", i)
			}
		default:
			return nil, false, invalid("messages", "messages[%d] has the role %q; roles are system, developer, user, assistant and tool", i, m.Role)
		}
	}
	return out, called, nil
}

// functionID stands for the id of a call in the older form, which has none.
func functionID(name string) string { return "function " + name }

// calls are what a message of the assistant's asks for.
func (m chatMessage) calls(i int) (out []models.ToolCall, err error) {
	if m.FunctionCall != nil {
		out = append(out, models.ToolCall{ID: functionID(m.FunctionCall.Name), Name: m.FunctionCall.Name, Arguments: m.FunctionCall.Arguments})
	}
	for _, call := range m.ToolCalls {
		if call.Type != "" && call.Type != "function" {
			return nil, unsupported("messages", "messages[%d] has a call of the type %q; only functions are supported", i, call.Type)
		}
		out = append(out, models.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
	}
	for _, call := range out {
		if call.Name == "" {
			return nil, invalid("messages", "messages[%d] has a call without the name of a function", i)
		}
	}
	if len(out) > mostTools {
		return nil, invalid("messages", "messages[%d] has %d calls; at most %d are supported", i, len(out), mostTools)
	}
	return out, nil
}

// message is a whole answer.
func (x *choice) message() *chatAnswered {
	m := &chatAnswered{Role: models.Assistant}
	for _, call := range x.calls {
		f := functionCall{Name: call.Name, Arguments: call.Arguments}
		if x.plan.legacy {
			m.FunctionCall = &f
			continue
		}
		m.ToolCalls = append(m.ToolCalls, toolCall{ID: call.ID, Type: "function", Function: f})
	}
	if text := x.text.String(); text != "" || len(x.calls) == 0 {
		m.Content = &text
	}
	return m
}

// onlyFillIn returns the code that is to be filled in, where a conversation consists of nothing else.
// GitLab's own AI Gateway asks like that for completions of a model behind custom_openai/: the user's
// message holds the family's markers, for some families after a system message that says so in words
// (section 4.6 of the wire contract). A conversation's template around them would hide what is asked.
func onlyFillIn(messages []models.Message) (text string, ok bool) {
	last := messages[len(messages)-1]
	if last.Role != models.User {
		return "", false
	}
	for _, m := range messages[:len(messages)-1] {
		if m.Role != models.System {
			return "", false
		}
	}
	text = strings.TrimSpace(last.Content)
	if _, _, ok = models.ParseFillIn(last.Content); ok {
		text = last.Content
	} else if _, _, ok = models.ParseFillIn(text); !ok {
		return "", false
	}
	return text, true
}

// chatEvents makes the pieces of a stream.
type chatEvents struct{ chatAnswer }

func (e chatEvents) event(x chatChoice) any {
	e.Choices = []chatChoice{x}
	return e.chatAnswer
}

func (e chatEvents) begin(x *choice) any {
	empty := ""
	return e.event(chatChoice{Index: x.index, Delta: &chatDelta{Role: models.Assistant, Content: &empty}})
}

func (e chatEvents) piece(x *choice, p piece) any {
	if p.call == nil {
		return e.event(chatChoice{Index: x.index, Delta: &chatDelta{Content: &p.text}, Logprobs: x.chatLogprobs(p.tokens)})
	}
	f := functionCall{Name: p.call.name, Arguments: p.call.arguments}
	if x.plan.legacy {
		return e.event(chatChoice{Index: x.index, Delta: &chatDelta{FunctionCall: &f}})
	}
	call := toolCall{Index: &p.call.index, ID: p.call.id, Function: f}
	if call.ID != "" {
		call.Type = "function"
	}
	return e.event(chatChoice{Index: x.index, Delta: &chatDelta{ToolCalls: []toolCall{call}}})
}

func (e chatEvents) end(x *choice) any {
	last := chatChoice{Index: x.index, Delta: &chatDelta{}, FinishReason: x.reason()}
	if tokens := x.news(); len(tokens) > 0 { // without a text of their own
		last.Logprobs = x.chatLogprobs(tokens)
	}
	return e.event(last)
}

func (e chatEvents) used(u usage) any {
	e.Choices, e.Usage = []chatChoice{}, &u
	return e.chatAnswer
}

func (chatEvents) last() string { return done }
