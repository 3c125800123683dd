package models

import "encoding/json"

// ToolRole is the role of a message that holds what a tool has returned.
const ToolRole = "tool"

// Tool is a function that a model may ask for.
type Tool struct {
	Name, Description string
	// Parameters is the JSON schema of the arguments, an object; nil takes none.
	Parameters json.RawMessage
}

// ToolCall is a wish of the model to have a tool called.
type ToolCall struct {
	ID, Name  string
	Arguments string // JSON; what is not is given to the model as a text
}

// ToolChatCodec lays out conversations with tools, too.
type ToolChatCodec interface {
	ChatCodec
	// ChatTools is Chat for a conversation in which tools may be called. The prompt says how the answer
	// writes calls.
	ChatTools(messages []Message, tools []Tool, o ChatOptions) (Prompt, error)
}

// CallFormat is how an answer writes calls of tools: a mark, if the format has one, then
//
//	Open {"name": "NAME", "ARGUMENTS": {…}} [Between {…}]… Close
//
// Where there is no mark, the answer begins with a call or has none.
type CallFormat struct {
	// StopText and StopToken are how the mark shows in an answer; a format may have both, as some
	// vocabularies have a piece for it. NoToken is none.
	StopText  string
	StopToken Token
	// Begin is the mark, and what stands behind it, as a prompt has it.
	Begin                []Token
	Open, Between, Close string // Between is empty where an answer has one call
	Arguments            string // the name of the member
}

// NoToken is no token of any vocabulary.
const NoToken Token = noToken
