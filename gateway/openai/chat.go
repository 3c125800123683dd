package openai

import (
	"encoding/json"
	"net/http"
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
	Tools               []any           `json:"tools"`
	Functions           []any           `json:"functions"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	Modalities          []string        `json:"modalities"`
}

type chatMessage struct {
	Role    string      `json:"role"`
	Content chatContent `json:"content"`
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
		return &Error{Status: http.StatusBadRequest, Message: "content of a message has to be a string or a list of parts", Type: invalidRequest, Param: "messages", Code: "invalid_type"}
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
	Index        int             `json:"index"`
	Message      *chatText       `json:"message,omitempty"`
	Delta        *chatText       `json:"delta,omitempty"`
	Logprobs     json.RawMessage `json:"logprobs"` // always null
	FinishReason *string         `json:"finish_reason"`
}

type chatText struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
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
		text := x.text.String()
		answer.Choices = append(answer.Choices, chatChoice{Index: x.index, Message: &chatText{Role: models.Assistant, Content: &text}, FinishReason: x.reason()})
	}
	used := j.usage()
	answer.Usage = &used
	j.answer(answer)
}

func (room *Room) layChat(c *gin.Context, r *chatRequest) (*job, error) {
	if r.MaxCompletionTokens != nil { // the newer name
		r.MaxTokens = r.MaxCompletionTokens
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	switch {
	case r.Logprobs || r.TopLogprobs != nil && *r.TopLogprobs > 0:
		return nil, unsupported("logprobs", "logprobs are not supported; leave them out")
	case len(r.Functions) > 0:
		return nil, unsupported("functions", "functions are not supported; leave them out")
	case len(r.Tools) > 0 && string(r.ToolChoice) != `"none"`:
		return nil, unsupported("tools", "tools are not supported; leave them out, or set tool_choice to none")
	case len(r.Modalities) > 1 || len(r.Modalities) == 1 && r.Modalities[0] != "text":
		return nil, unsupported("modalities", "only text is supported")
	}
	messages, err := r.messages()
	if err != nil {
		return nil, err
	}
	if text, ok := onlyFillIn(messages); ok {
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
	prompt, err := model.Chat.Chat(messages, models.ChatOptions{Room: model.ContextSize - 1})
	if err != nil {
		return nil, err
	}
	a := &asked{model: model, prompt: prompt, class: engine.Chat}
	return room.job(c, &r.parameters, []*asked{a.rest(r.limit(min(longAnswer, max(1, model.ContextSize/2))))})
}

func (r *chatRequest) messages() ([]models.Message, error) {
	if len(r.Messages) == 0 {
		return nil, invalid("messages", "messages are missing; a conversation needs at least one")
	}
	out := make([]models.Message, len(r.Messages))
	for i, m := range r.Messages {
		out[i] = models.Message{Role: m.Role, Content: string(m.Content)}
		switch m.Role {
		case "developer": // OpenAI's newer name
			out[i].Role = models.System
		case models.System, models.User, models.Assistant:
		case "tool", "function":
			return nil, unsupported("messages", "messages[%d] has the role %q; tools are not supported", i, m.Role)
		default:
			return nil, invalid("messages", "messages[%d] has the role %q; roles are system, developer, user and assistant", i, m.Role)
		}
	}
	return out, nil
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
	return e.event(chatChoice{Index: x.index, Delta: &chatText{Role: models.Assistant, Content: &empty}})
}

func (e chatEvents) piece(x *choice, text string) any {
	return e.event(chatChoice{Index: x.index, Delta: &chatText{Content: &text}})
}

func (e chatEvents) end(x *choice) any {
	return e.event(chatChoice{Index: x.index, Delta: &chatText{}, FinishReason: x.reason()})
}

func (e chatEvents) used(u usage) any {
	e.Choices, e.Usage = []chatChoice{}, &u
	return e.chatAnswer
}

func (chatEvents) last() string { return done }
