// Package gatewaytest starts the real server for tests, with a model that answers what it is told
// to.
package gatewaytest

import (
	"context"
	"errors"
	"sync"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/models"
)

// Generator is a serving.Generator that emits Pieces. Its fields are set before it is used.
type Generator struct {
	Pieces []string
	Result engine.Result
	// Err is returned after the pieces.
	Err error
	// Wait, if set, is called before each piece and at the end with the number of pieces emitted;
	// its error ends the generation.
	Wait func(ctx context.Context, emitted int) error
	// Next, if set, says what the request with a number is answered, from 0, instead of Pieces and Result.
	Next func(number int) ([]string, engine.Result)

	mu       sync.Mutex
	requests []engine.Request
	running  int
}

// Generate implements serving.Generator.
func (g *Generator) Generate(ctx context.Context, req engine.Request, emit func(string) error) (engine.Result, error) {
	g.mu.Lock()
	pieces, result := g.Pieces, g.Result
	if g.Next != nil {
		pieces, result = g.Next(len(g.requests))
	}
	g.requests = append(g.requests, req)
	g.running++
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.running--
		g.mu.Unlock()
	}()
	for i := 0; ; i++ {
		if g.Wait != nil {
			if err := g.Wait(ctx, i); err != nil {
				return engine.Result{}, err
			}
		}
		if err := ctx.Err(); err != nil {
			return engine.Result{}, err
		}
		if i == len(pieces) {
			return result, g.Err
		}
		if req.Tokens != nil { // a piece is a token; the longer, the less probable
			r := engine.Ranked{ID: models.Token(i), Bytes: pieces[i], Logprob: -float32(len(pieces[i])) / 2}
			req.Tokens([]engine.Drawn{{Ranked: r, Best: []engine.Ranked{r}[:min(req.Best, 1)]}})
		}
		if err := emit(pieces[i]); errors.Is(err, engine.ErrEnough) {
			return result, nil
		} else if err != nil {
			return engine.Result{}, err
		}
	}
}

// Requests returns what the generator was asked.
func (g *Generator) Requests() []engine.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]engine.Request(nil), g.requests...)
}

// Running returns the number of generations that have not ended.
func (g *Generator) Running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}

// Block is a Wait that never lets a generation go on; only the end of its context ends it.
func Block(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// Codec is a models.Codec with one token for each byte, so that tests can read a prompt back. It
// writes a completion as prefix, byte 0, suffix, and for each context byte 1 and its text; nothing
// is ever cut.
type Codec struct {
	Sampling models.Sampling
	Stops    models.Stops

	mu    sync.Mutex
	codes []models.Code
}

// Family implements models.Codec.
func (c *Codec) Family() string { return "bytes" }

// Completion implements models.Codec.
func (c *Codec) Completion(code models.Code, room int) (models.Prompt, error) {
	c.mu.Lock()
	c.codes = append(c.codes, code)
	c.mu.Unlock()
	text, context := code.Prefix+"\x00"+code.Suffix, 0
	for _, file := range code.Context {
		text += "\x01" + file.Text
		context += len(file.Text)
	}
	p, err := c.Text(text, room)
	p.Layout, p.PrefixTokens, p.SuffixTokens, p.ContextSent, p.ContextUsed = "bytes", len(code.Prefix), len(code.Suffix), context, context
	return p, err
}

// Text implements models.Codec.
func (c *Codec) Text(prompt string, room int) (models.Prompt, error) {
	if len(prompt) > room {
		return models.Prompt{}, &models.TooLongError{Tokens: len(prompt), Limit: room}
	}
	p := models.Prompt{Layout: "text", Sampling: c.Sampling, Stops: c.Stops}
	for _, b := range []byte(prompt) {
		p.Tokens = append(p.Tokens, models.Token(b))
	}
	return p, nil
}

// Codes returns the code that completions were laid out for.
func (c *Codec) Codes() []models.Code {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]models.Code(nil), c.codes...)
}

// Chat is a models.ChatCodec in the manner of Codec. A message is written as <role>text</>, one
// of the assistant at the end without its end.
type Chat struct {
	Sampling models.Sampling
	Stops    models.Stops
	Calls    models.CallFormat // of answers to ChatTools
}

// Family implements models.ChatCodec.
func (c *Chat) Family() string { return "bytes" }

// Format implements models.ChatCodec.
func (c *Chat) Format() models.ChatFormat { return "bytes" }

// Chat implements models.ChatCodec.
func (c *Chat) Chat(messages []models.Message, o models.ChatOptions) (models.Prompt, error) {
	text := ""
	for i, m := range messages {
		text += "<" + m.Role + ">" + m.Content
		if m.Role != models.Assistant || i < len(messages)-1 {
			text += "</>"
		}
	}
	codec := Codec{Sampling: c.Sampling, Stops: c.Stops}
	p, err := codec.Text(text, o.Room)
	p.Layout = "chat"
	return p, err
}

// ChatTools implements models.ToolChatCodec. A tool is written as <name>schema</> before the messages, a call
// as !name(arguments) in its message.
func (c *Chat) ChatTools(messages []models.Message, tools []models.Tool, o models.ChatOptions) (models.Prompt, error) {
	var out []models.Message
	for _, t := range tools {
		out = append(out, models.Message{Role: t.Name, Content: string(t.Parameters)})
	}
	for _, m := range messages {
		for _, call := range m.Calls {
			m.Content += "!" + call.Name + "(" + call.Arguments + ")"
		}
		out = append(out, m)
	}
	p, err := c.Chat(out, o)
	if len(tools) > 0 {
		p.Calls = &c.Calls
	}
	return p, err
}

// PromptText reads a prompt of Codec back.
func PromptText(tokens []models.Token) string {
	text := make([]byte, len(tokens))
	for i, t := range tokens {
		text[i] = byte(t)
	}
	return string(text)
}

// Model returns a model for code with a context of a million tokens.
func Model(g serving.Generator) *serving.Model {
	return &serving.Model{Name: "Test Model Code Completions", Family: "bytes", Codec: &Codec{}, Generator: g, ContextSize: 1_000_000}
}

var (
	_ serving.Generator    = (*Generator)(nil)
	_ models.Codec         = (*Codec)(nil)
	_ models.ToolChatCodec = (*Chat)(nil)
)
