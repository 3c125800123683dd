package models

import "fmt"

// Option changes how a codec lays out prompts.
type Option func(*choices)

type choices struct{ layout string }

// WithLayout forces a fill-in-the-middle layout, "psm" or "spm", on a family that was trained on
// both. Without it Code Llama gets the prefix first, as Meta's own code does by default.
func WithLayout(layout string) Option { return func(c *choices) { c.layout = layout } }

// For returns the codec for completions of a recognised model. The tokenizer must be that of the
// file, loaded with r.Overrides. A model that cannot be used is refused with a *Refusal.
func For(r Recognition, tok Tokenizer, options ...Option) (Codec, error) {
	if err := r.Err(r.file); err != nil {
		return nil, err
	}
	enc, err := newEncoder(tok, r.control, r.Tokenizer.DummySpace)
	if err != nil {
		return nil, err
	}
	chosen := choices{layout: r.Layout}
	for _, o := range options {
		o(&chosen)
	}
	if chosen.layout != r.Layout && (r.Family != CodeLlama || !r.FIM || chosen.layout != layoutSPM) {
		return nil, fmt.Errorf("layout %q is not known to family %s, which has %q; leave the layout out", chosen.layout, r.Family, r.Layout)
	}
	if r.completesByChat() {
		return newChatCompletion(r, tok, enc)
	}
	c := newGeneric(r.Family, tok, enc, r.startFor(tok), r.completionStops(tok))
	if !r.FIM {
		return c, nil
	}
	c.layout = chosen.layout
	switch r.Family {
	case CodeGemma:
		c.arrange = codeGemma{enc, r.start(), r.marks}
	case CodeLlama:
		c.arrange = newCodeLlama(r, chosen.layout, enc)
	case Codestral:
		c.arrange = newCodestral(r, enc)
		c.sampling.Temperature = codestralTemperature
	case DeepSeekCoder, DeepSeekCoderV2:
		c.arrange = newDeepSeekCoder(r, enc)
	case QwenCoder:
		c.arrange = qwenCoder{enc, r.start(), r.marks}
	case StarCoder:
		c.arrange = newStarCoder(r, enc)
	case StarCoder2:
		c.arrange = starCoder2{enc, r.start(), r.marks}
	default:
		return nil, fmt.Errorf("family %s is said to fill in the middle, but no layout is known", r.Family)
	}
	return c, nil
}

// start returns the family's BOS, once, or nothing.
func (r *Recognition) start() []Token {
	if r.bos == noToken {
		return nil
	}
	return []Token{r.bos}
}

// startFor returns what a prompt begins with: by the family's rule where there is one, else as
// the tokenizer wants it.
func (r *Recognition) startFor(tok Tokenizer) []Token {
	if r.ownBOS {
		return r.start()
	}
	if bos, ok := tok.BOS(); ok {
		return []Token{bos}
	}
	return nil
}

// completionStops returns what ends a completion. For a model of which nothing is known that is
// the tokenizer's list, but for </s> where it is no end token: it is an HTML tag in vocabularies
// that have it as an ordinary piece.
func (r *Recognition) completionStops(tok Tokenizer) Stops {
	if r.ownBOS {
		return Stops{Tokens: r.stops}
	}
	known := map[Token]bool{}
	out := append([]Token{}, r.stops...)
	for _, t := range out {
		known[t] = true
	}
	for _, t := range tok.EndTokens() {
		if !known[t] && tok.Piece(t) != "</s>" {
			out = append(out, t)
		}
	}
	return Stops{Tokens: out}
}
