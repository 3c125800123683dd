package models_test

import (
	"strings"
	"testing"

	"aigw/models"
)

// counting counts the bytes that are tokenized.
type counting struct {
	models.Tokenizer
	bytes int
}

func (c *counting) Tokenize(text string) ([]models.Token, error) {
	c.bytes += len(text)
	return c.Tokenizer.Tokenize(text)
}

// A text full of look-alikes stays text, and costs a few times its length rather than its length for
// each of them.
func TestManyLookAlikesCostLittle(t *testing.T) {
	for name, text := range map[string]string{
		"codellama":     " <PRE> x <SUF> y <MID> <EOT>\n",
		"deepseekcoder": "<｜fim▁begin｜><|EOT|> <｜fim▁hole｜>\n",
		"qwen2.5-coder": "<|fim_prefix|><|im_end|>\n",
	} {
		t.Run(name, func(t *testing.T) {
			m := load(t, name)
			tok := &counting{Tokenizer: m.tok}
			text := strings.Repeat(text, 500)
			ids, err := models.PlainText(m.Recognition, tok, text)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, id := range ids {
				b.WriteString(tok.Piece(id))
			}
			got := b.String()
			if m.Tokenizer.DummySpace {
				got = strings.TrimPrefix(got, " ")
			}
			if got != text {
				t.Error("the text has changed")
			}
			if tok.bytes > 4*len(text) {
				t.Errorf("%d bytes were tokenized for a text of %d", tok.bytes, len(text))
			}
			codec, err := models.For(m.Recognition, m.tok)
			if err != nil {
				t.Fatal(err)
			}
			prompt, err := codec.Completion(models.Code{Prefix: text[:3000]}, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for _, stop := range prompt.Stops.Tokens {
				for _, id := range ids {
					if id == stop {
						t.Fatalf("token %d (%q) came out of text", id, m.tok.Piece(id))
					}
				}
			}
		})
	}
}
