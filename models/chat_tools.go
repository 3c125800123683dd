package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"
)

// ToolTemplate is a Template that can take tools.
type ToolTemplate interface {
	Template
	// Tools says whether this one does, and writes calls that were made.
	Tools() bool
	// RenderTools writes a conversation with tools, which is JSON as OpenAI's clients write it, but for
	// the arguments of calls, which are objects. text changes each string in it.
	RenderTools(conversation []byte, text func(string) string) (string, error)
}

// toolChat lays out conversations with tools by the template in a model's file, which says how that
// model was trained to be told of tools. Unlike in templateChat the template sees the texts, as it looks into
// them and writes them as JSON; what is spelled like a control piece gets a mark in its middle.
type toolChat struct {
	templateChat
	template ToolTemplate
	format   CallFormat
	shortIDs bool // ids of calls have nine letters and digits
}

// newToolChat returns nil where a model has no template that takes tools, or one whose calls are written
// in a way that is not known here.
func newToolChat(r Recognition, enc *encoder, bos []Token, template Template) *toolChat {
	t, ok := template.(ToolTemplate)
	if !ok || !t.Tools() {
		return nil
	}
	l := &toolChat{templateChat: *newTemplateChat(r, enc, bos, t), template: t}
	l.ownSpace = r.Tokenizer.DummySpace
	source := r.Template
	has := func(text string) bool { return strings.Contains(source, text) }
	switch {
	case has("<tool_call>") && has("</tool_call>") && has(`"arguments"`) && !has("<function="):
		l.format = CallFormat{StopText: "<tool_call>", Open: "\n", Between: "\n</tool_call>\n<tool_call>\n", Close: "\n</tool_call>", Arguments: "arguments"}
	case has("[TOOL_CALLS]") && !has("[ARGS]") && !has("[CALL_ID]"):
		l.format = CallFormat{StopText: "[TOOL_CALLS]", Open: "[", Between: ", ", Close: "]", Arguments: "arguments"}
		l.shortIDs = true
	case has("<|start_header_id|>") && has(`"parameters"`):
		l.format = CallFormat{StopToken: l.piece("<|python_tag|>"), Arguments: "parameters"}
		return l
	default:
		return nil
	}
	f := &l.format
	if f.StopToken = l.piece(f.StopText); f.StopToken != NoToken {
		f.Begin = []Token{f.StopToken}
		if enc.tok.Piece(f.StopToken) == "" { // a grammar's text has no control pieces
			f.StopText, f.Between = "", strings.ReplaceAll(f.Between, "\n</tool_call>\n<tool_call>\n", "")
		}
	} else if ids, err := enc.text(f.StopText); err == nil {
		f.Begin = ids
	} else {
		return nil
	}
	if id := l.piece("</tool_call>"); id != NoToken && enc.tok.Piece(id) == "" {
		f.Between, f.Close = "", ""
	}
	return l
}

// piece returns the control piece of a text.
func (l *toolChat) piece(text string) Token {
	at := slices.IndexFunc(l.controls, func(c controlText) bool { return c.text == text })
	if text == "" || at < 0 {
		return NoToken
	}
	return l.controls[at].id
}

// split stands in texts of users that would become a control piece, behind the first character. It is no
// character: Unicode keeps it from texts.
const split = "\uFDD0"

// harmless is a text in which nothing is spelled like a control piece.
func (l *toolChat) harmless(text string) string {
	text = valid(strings.ReplaceAll(text, split, ""))
	for _, c := range l.controls {
		if _, first := utf8.DecodeRuneInString(c.text); first < len(c.text) && strings.Contains(text, c.text) {
			text = strings.ReplaceAll(text, c.text, c.text[:first]+split+c.text[first:])
		}
	}
	return text
}

type templateMessage struct {
	Role    string         `json:"role"`
	Content string         `json:"content"`
	Calls   []templateCall `json:"tool_calls,omitempty"`
	CallID  string         `json:"tool_call_id,omitempty"`
	Name    string         `json:"name,omitempty"`
}

type templateCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

type templateTool struct {
	Type     string           `json:"type"`
	Function templateFunction `json:"function"`
}

type templateFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

// lay is templateChat's, with tools. What Template takes from the system's messages is not known here: they are
// the template's.
func (l *toolChat) lay(messages []Message, tools []Tool) ([]Token, error) {
	prefill := ""
	if last := messages[len(messages)-1]; last.Role == Assistant && len(last.Calls) == 0 {
		prefill, messages = last.Content, messages[:len(messages)-1]
	}
	var said struct {
		Messages []templateMessage `json:"messages"`
		Tools    []templateTool    `json:"tools,omitempty"`
	}
	names := map[string]string{}
	for _, m := range messages {
		out := templateMessage{Role: m.Role, Content: m.Content}
		for _, call := range m.Calls {
			names[call.ID] = call.Name
			c := templateCall{ID: l.id(call.ID), Type: "function"}
			c.Function.Name, c.Function.Arguments = call.Name, call.object()
			out.Calls = append(out.Calls, c)
		}
		if m.Role == ToolRole {
			out.CallID, out.Name = l.id(m.CallID), names[m.CallID]
		}
		said.Messages = append(said.Messages, out)
	}
	for _, t := range tools {
		said.Tools = append(said.Tools, templateTool{"function", templateFunction{t.Name, t.Description, t.schema()}})
	}
	conversation, err := plainJSON(said)
	if err != nil {
		return nil, err
	}
	rendered, err := l.template.RenderTools(conversation, l.harmless)
	if err != nil {
		return nil, fmt.Errorf("the chat template of the model cannot be used for this conversation: %w", err)
	}
	return l.tokens(rendered, nil, prefill)
}

// id is how the template knows a call.
func (l *toolChat) id(id string) string {
	if !l.shortIDs || len(id) == 9 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
		return id
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return fmt.Sprintf("%09x", h.Sum64()&0xfffffffff)
}

// object is the arguments of a call as JSON.
func (c ToolCall) object() json.RawMessage {
	if object := json.RawMessage(c.Arguments); json.Valid(object) {
		return object
	}
	if strings.TrimSpace(c.Arguments) == "" {
		return json.RawMessage("{}")
	}
	text, err := plainJSON(c.Arguments)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

// schema is that of the arguments.
func (t Tool) schema() json.RawMessage {
	if len(t.Parameters) == 0 {
		return json.RawMessage(`{"type":"object","properties":{}}`)
	}
	return t.Parameters
}

// plainJSON is encoding/json's, without escapes for the sake of HTML.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
