package models

// completion is a Codec: it cuts the text around the cursor to the room and lets a family
// arrange it. It may be used concurrently.
//
// The room is divided as GitLab's gateway divides it: 7 % for the text below the cursor, the
// rest for the text above it, and what both leave free for other files. The share of the suffix
// does not depend on the length of the prefix, so that a prompt that begins with the suffix does
// not change while a person types.
type completion struct {
	family   Family
	tok      Tokenizer
	enc      *encoder
	layout   string
	arrange  arrangement
	stops    Stops
	sampling Sampling
}

var _ Codec = (*completion)(nil)

// arrangement is what families differ in.
type arrangement interface {
	// start is what a prompt begins with: BOS where the family has one.
	start() []Token
	// prefix and suffix encode the text above and below the cursor.
	prefix(text string) ([]Token, error)
	suffix(text string) ([]Token, error)
	// suffixPercent is the share of the room that the suffix may take; 0 where the family has
	// no place for one.
	suffixPercent() int
	// fixed is the number of tokens that arrange adds when there are no other files.
	fixed() int
	// fileCost is the number of tokens that a file of the context costs besides its text.
	fileCost(f File) int
	// lay puts the prompt together. The texts of code are what was kept; prefix and suffix are
	// their tokens.
	lay(code Code, prefix, suffix []Token) ([]Token, error)
}

// suffixPercent is the share of a room for the text below the cursor: that of GitLab's gateway
// (ai-gateway-api.md section 6.3).
const suffixPercent = 7

func (c *completion) Family() string { return string(c.family) }

// Completion implements Codec.
func (c *completion) Completion(code Code, room int) (Prompt, error) {
	free := room - c.arrange.fixed()
	if free < 1 {
		return Prompt{}, &TooLongError{Tokens: c.arrange.fixed() + 1, Limit: room}
	}
	prefixRoom := free - free*c.arrange.suffixPercent()/100
	kept := code
	var prefix, suffix []Token
	var err error
	if kept.Prefix, prefix, err = tail(valid(code.Prefix), prefixRoom, c.tok, c.arrange.prefix); err != nil {
		return Prompt{}, err
	}
	if kept.Suffix, suffix, err = head(valid(code.Suffix), free-prefixRoom, c.tok, c.arrange.suffix); err != nil {
		return Prompt{}, err
	}
	rest := contextRoom(free, free-len(prefix)-len(suffix))
	for {
		context, err := fitContext(code.Context, rest, c.tok, c.enc.text, c.arrange.fileCost)
		if err != nil {
			return Prompt{}, err
		}
		kept.Context = context.files
		ids, err := c.arrange.lay(kept, prefix, suffix)
		if err != nil {
			return Prompt{}, err
		}
		if len(ids) <= room || len(context.files) == 0 {
			p := c.prompt(ids)
			p.PrefixTokens, p.SuffixTokens = len(prefix), len(suffix)
			p.ContextSent, p.ContextUsed = context.sent, context.used
			return p, nil
		}
		rest = contextRoom(free, rest-1) // texts joined need a few tokens more than apart
	}
}

// Text implements Codec. GitLab 17.2 to 17.4 send fill-in-the-middle prompts as text, written
// for the family that the administrator chose; they are taken apart and laid out for this model.
func (c *completion) Text(prompt string, room int) (Prompt, error) {
	prompt = valid(prompt)
	prefixText, suffixText, ok := parseFillIn(prompt)
	if !ok {
		ids, err := c.enc.text(prompt)
		if err != nil {
			return Prompt{}, err
		}
		p := c.prompt(nil)
		p.Layout, p.PrefixTokens = layoutText, len(ids)
		if p.Tokens, err = c.enc.begin(c.arrange.start(), ids); err != nil {
			return Prompt{}, err
		}
		return p, tooLong(p.Tokens, room)
	}
	prefix, err := c.arrange.prefix(prefixText)
	if err != nil {
		return Prompt{}, err
	}
	var suffix []Token
	if c.arrange.suffixPercent() > 0 {
		if suffix, err = c.arrange.suffix(suffixText); err != nil {
			return Prompt{}, err
		}
	}
	ids, err := c.arrange.lay(Code{Prefix: prefixText, Suffix: suffixText}, prefix, suffix)
	if err != nil {
		return Prompt{}, err
	}
	p := c.prompt(ids)
	p.PrefixTokens, p.SuffixTokens = len(prefix), len(suffix)
	return p, tooLong(ids, room)
}

func (c *completion) prompt(ids []Token) Prompt {
	return Prompt{Tokens: ids, Stops: c.stops, Sampling: c.sampling, Layout: c.layout}
}

// tooLong refuses a prompt that needs more than room.
func tooLong(ids []Token, room int) error {
	if len(ids) > room {
		return &TooLongError{Tokens: len(ids), Limit: room}
	}
	return nil
}
