package models

import (
	"fmt"
	"strings"
)

// chatCompletion completes code with a model that answers but was not trained to fill in the
// middle: GitLab registers Mistral and Mixtral Instruct for completion. Their vocabulary may have
// fill-in pieces, but no training on them, so that they are asked in words.
//
// The answer is begun for the model: a code fence and the line of the cursor up to the cursor.
// What it writes then continues that line, and it ends at the closing fence. Without this,
// models repeat the code before the cursor or explain themselves.
type chatCompletion struct {
	family Family
	tok    Tokenizer
	enc    *encoder
	bos    []Token
	chat   chatLayout
	stops  Stops
}

var _ Codec = (*chatCompletion)(nil)

// completesByChat reports whether completion goes through chat (model-families.md, 5.6).
func (r *Recognition) completesByChat() bool {
	if r.Family != Mistral && r.Family != Mixtral {
		return false
	}
	return r.Role == Instruct && (r.Chat == ChatMistral1 || r.Chat == ChatMistral2 || r.Chat == ChatMistral3)
}

func newChatCompletion(r Recognition, tok Tokenizer, enc *encoder) (Codec, error) {
	codec, err := ForChat(r, tok, nil)
	if err != nil {
		return nil, err
	}
	stops := r.completionStops(tok)
	stops.Texts = []string{"\n" + fence, fence}
	return &chatCompletion{family: r.Family, tok: tok, enc: enc, bos: r.start(), chat: codec.(*chat).layout, stops: stops}, nil
}

const (
	fence  = "```"
	cursor = "<cursor/>"
)

// completionRules is what GitLab's own definitions ask of models without fill-in-the-middle
// (ai-gateway-api.md, section 4.6).
const completionRules = `You complete code at the place marked ` + cursor + `.
Answer with the code that belongs at the mark and nothing else: no explanation, no markdown.
Do not repeat or change the code before or after the mark: your answer is inserted there as it is.
If no sensible completion exists, answer with nothing.`

func (c *chatCompletion) Family() string { return string(c.family) }

// Completion implements Codec.
func (c *chatCompletion) Completion(code Code, room int) (Prompt, error) {
	frame := code
	frame.Prefix = ""
	empty, err := c.messages(frame, "", "", nil)
	if err != nil {
		return Prompt{}, err
	}
	free := room - len(empty) - 8 // texts joined need a few tokens more than apart
	if free < 1 {
		return Prompt{}, &TooLongError{Tokens: len(empty) + 9, Limit: room}
	}
	// The line of the cursor stands in the prompt twice.
	prefix := valid(code.Prefix)
	line, _, err := tail(prefix[strings.LastIndexByte(prefix, '\n')+1:], free/4, c.tok, c.enc.bare)
	if err != nil {
		return Prompt{}, err
	}
	free -= c.enc.count(line)
	prefixRoom := free - free*suffixPercent/100
	kept, before, err := tail(prefix, prefixRoom, c.tok, c.enc.bare)
	if err != nil {
		return Prompt{}, err
	}
	suffix, after, err := head(valid(code.Suffix), free-prefixRoom, c.tok, c.enc.bare)
	if err != nil {
		return Prompt{}, err
	}
	code.Prefix = kept
	rest := contextRoom(free, free-len(before)-len(after))
	for {
		context, err := fitContext(code.Context, rest, c.tok, c.enc.text, func(f File) int { return c.enc.count(f.Name) + 8 })
		if err != nil {
			return Prompt{}, err
		}
		ids, err := c.messages(code, line, suffix, context.files)
		if err != nil {
			return Prompt{}, err
		}
		if len(ids) <= room || len(context.files) == 0 {
			p := Prompt{Tokens: ids, Stops: c.stops, Layout: layoutChat, PrefixTokens: len(before), SuffixTokens: len(after),
				ContextSent: context.sent, ContextUsed: context.used}
			return p, tooLong(ids, room)
		}
		rest = contextRoom(free, rest-1)
	}
}

// messages lays out the conversation. The text of the file comes last, so that other files stay
// where they are while a person types.
func (c *chatCompletion) messages(code Code, line, suffix string, files []File) ([]Token, error) {
	var user strings.Builder
	for _, f := range files {
		fmt.Fprintf(&user, "File %s:\n%s\n%s\n%s\n\n", valid(f.Name), fence, strings.TrimSuffix(f.Text, "\n"), fence)
	}
	fmt.Fprintf(&user, "File %s", valid(code.FileName))
	if code.Language != "" {
		fmt.Fprintf(&user, " (%s)", valid(code.Language))
	}
	fmt.Fprintf(&user, ":\n%s\n%s%s%s\n%s", fence, code.Prefix, cursor, strings.TrimSuffix(suffix, "\n"), fence)
	ids, err := c.chat.lay([]Message{{Role: System, Content: completionRules}, {Role: User, Content: user.String()}})
	if err != nil {
		return nil, err
	}
	// Not a message: chat formats trim those, and white space before the cursor must stay.
	answer, err := c.enc.text(fence + "\n" + line)
	return concat(ids, answer), err
}

// Text implements Codec.
func (c *chatCompletion) Text(prompt string, room int) (Prompt, error) {
	prompt = valid(prompt)
	if prefix, suffix, ok := parseFillIn(prompt); ok {
		line := prefix[strings.LastIndexByte(prefix, '\n')+1:]
		ids, err := c.messages(Code{Prefix: prefix}, line, suffix, nil)
		if err != nil {
			return Prompt{}, err
		}
		return Prompt{Tokens: ids, Stops: c.stops, Layout: layoutChat}, tooLong(ids, room)
	}
	ids, err := c.enc.text(prompt)
	if err != nil {
		return Prompt{}, err
	}
	if ids, err = c.enc.begin(c.bos, ids); err != nil {
		return Prompt{}, err
	}
	return Prompt{Tokens: ids, Stops: Stops{Tokens: c.stops.Tokens}, Layout: layoutText, PrefixTokens: len(ids) - len(c.bos)}, tooLong(ids, room)
}
