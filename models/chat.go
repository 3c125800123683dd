package models

import "fmt"

// The roles of a message.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Message is one turn of a conversation. A last message of the assistant is the beginning of the
// answer that the model continues.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"` // UTF-8
	// Calls are the tools that a message of the assistant asks for, CallID the call that a message with
	// ToolRole answers. Only ChatTools takes them.
	Calls  []ToolCall `json:"-"`
	CallID string     `json:"-"`
}

// ChatOptions bound a prompt.
type ChatOptions struct {
	Room int // most tokens that the prompt may have
}

// ChatCodec lays out conversations for one model. It may be used concurrently.
type ChatCodec interface {
	// Family is the name of the model family.
	Family() string
	// Format is the name of the chat format.
	Format() ChatFormat
	// Chat lays out a conversation whose next message is the assistant's. It is refused with
	// *TooLongError if it needs more than the room: what to leave out is the caller's to say.
	Chat(messages []Message, o ChatOptions) (Prompt, error)
}

// chatLayout writes a conversation as tokens.
type chatLayout interface {
	lay(messages []Message) ([]Token, error)
}

// chat is a ChatCodec.
type chat struct {
	family   Family
	format   ChatFormat
	layout   chatLayout
	tools    *toolChat // nil: the file's template does not take tools
	stops    Stops
	sampling Sampling
}

var _ ToolChatCodec = (*chat)(nil)

func (c *chat) Family() string     { return string(c.family) }
func (c *chat) Format() ChatFormat { return c.format }

// Chat implements ChatCodec.
func (c *chat) Chat(messages []Message, o ChatOptions) (Prompt, error) {
	clean := make([]Message, len(messages))
	for i, m := range messages {
		switch m.Role {
		case System, User, Assistant:
		default:
			return Prompt{}, fmt.Errorf("message %d has the role %q; roles are system, user and assistant", i, Clip(m.Role))
		}
		clean[i] = Message{Role: m.Role, Content: valid(m.Content)}
	}
	if len(clean) == 0 {
		return Prompt{}, fmt.Errorf("a conversation needs at least one message")
	}
	ids, err := c.layout.lay(clean)
	if err != nil {
		return Prompt{}, err
	}
	return Prompt{Tokens: ids, Stops: c.stops, Sampling: c.sampling, Layout: layoutChat}, tooLong(ids, o.Room)
}

// ForChat returns the codec for conversations of a recognised model; a model that has none is
// refused with a *Refusal. The tokenizer must be that of the file, loaded with r.Overrides.
// Template renders the file's own template. It is needed if r.Chat is ByTemplate; otherwise it may be nil,
// and is used for conversations with tools only.
func ForChat(r Recognition, tok Tokenizer, template Template) (ChatCodec, error) {
	if err := r.Err(r.file); err != nil {
		return nil, err
	}
	if r.Chat == NoChat {
		return nil, &Refusal{File: r.file, Found: "this model cannot chat", Do: r.NoChat}
	}
	if missing := r.missingChatMark(); missing != "" {
		return nil, &Refusal{File: r.file, Key: keyTokens, Found: "has no piece " + missing + ", which the chat format " + string(r.Chat) + " needs", Do: doConvertAgain}
	}
	enc, err := newEncoder(tok, r.control, r.Tokenizer.DummySpace)
	if err != nil {
		return nil, err
	}
	c := &chat{family: r.Family, format: r.Chat, stops: r.completionStops(tok), sampling: chatSampling[r.Family]}
	switch r.Chat {
	case ChatMistral1:
		c.layout = mistral1{enc, r.start(), r.end}
	case ChatMistral2, ChatMistral3:
		c.layout = mistral3{enc, r.start(), r.end, r.chatMark("[INST]"), r.chatMark("[/INST]")}
	case ChatLlama2:
		c.layout = llama2{enc, r.start(), r.end}
	case ChatLlama3:
		c.layout = llama3{enc, r.start(), r.chatMark("<|start_header_id|>"), r.chatMark("<|end_header_id|>"), r.chatMark("<|eot_id|>")}
	case ChatGemma:
		c.layout = gemmaChat{enc, r.start(), r.chatMark("<start_of_turn>"), r.chatMark("<end_of_turn>")}
	case ChatChatML:
		c.layout = chatML{enc, r.startFor(tok), r.chatMark("<|im_start|>"), r.chatMark("<|im_end|>")}
	case ChatDeepSeek:
		c.layout = deepSeekChat{enc, r.start(), r.chatMark("<|EOT|>")}
	case ByTemplate:
		if template == nil {
			return nil, &Refusal{File: r.file, Found: "this model is used with the chat template in its file", Do: "this program was built without a template engine; set the family of this model (--family)"}
		}
		c.layout = newTemplateChat(r, enc, r.startFor(tok), template)
	default:
		return nil, fmt.Errorf("no layout is known for the chat format %q", r.Chat)
	}
	c.tools = newToolChat(r, enc, r.startFor(tok), template)
	return c, nil
}

// chatSampling are the defaults of the vendors for answers; a request overrides them.
var chatSampling = map[Family]Sampling{
	Codestral:     {Temperature: 0.3},                                           // GitLab 17.8's definition for generation
	DeepSeekCoder: {Temperature: 0.95},                                          // GitLab 17.8's definition for generation
	Mistral:       {Temperature: 0.7},                                           // default of Mistral's API
	Mixtral:       {Temperature: 0.7},                                           // default of Mistral's API
	Qwen:          {Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1.05}, // generation_config.json of Qwen2.5
	QwenCoder:     {Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1.05}, // generation_config.json of Qwen2.5-Coder
	Llama3:        {Temperature: 0.6, TopP: 0.9},                                // generation_config.json of Llama 3 Instruct
}
