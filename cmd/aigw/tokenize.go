package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"aigw/models"

	"github.com/urfave/cli/v2"
)

// tokenized is what `aigw tokenize --json` prints.
type tokenized struct {
	Model  string         `json:"model"`
	Family string         `json:"family"`
	Layout string         `json:"layout"`
	Tokens []models.Token `json:"tokens"`
	Pieces []string       `json:"pieces"`
}

func tokenizeCommand() *cli.Command {
	return &cli.Command{
		Name:  "tokenize",
		Usage: "print the exact token ids that would be sent to a model",
		Description: "Examples:\n" +
			"  aigw tokenize --model codestral.gguf --text-file prompt.txt\n" +
			"  aigw tokenize --model codestral.gguf --fim --prefix-file above.go --suffix-file below.go --json\n" +
			"  aigw tokenize --model mistral.gguf --chat messages.json    # [{\"role\":\"user\",\"content\":\"Hi\"}]",
		Flags: append(modelFlags(),
			&cli.StringFlag{Name: "text-file", Usage: "tokenize this file as plain text, without BOS", TakesFile: true},
			&cli.BoolFlag{Name: "fim", Usage: "lay out a completion prompt from --prefix-file and --suffix-file"},
			&cli.StringFlag{Name: "prefix-file", Usage: "text above the cursor", TakesFile: true},
			&cli.StringFlag{Name: "suffix-file", Usage: "text below the cursor", TakesFile: true},
			&cli.StringFlag{Name: "chat", Usage: "lay out the conversation in this JSON `FILE`: a list of role and content", TakesFile: true},
			&cli.StringFlag{Name: "layout", Usage: "psm or spm, for a family that was trained on both"},
			&cli.IntFlag{Name: "max-tokens", Value: completionTokens, Usage: "room to leave for the answer"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			kind, err := tokenizeKind(c)
			if err != nil {
				return err
			}
			m, err := loadVocabulary(c)
			if err != nil {
				return err
			}
			defer m.close()
			out := tokenized{Model: filepath.Base(m.file.path), Family: string(m.file.what.Family), Layout: "text"}
			if err := kind(&out, c, m); err != nil {
				return err
			}
			for _, t := range out.Tokens {
				out.Pieces = append(out.Pieces, m.vocab.Piece(t))
			}
			return out.print(c)
		},
	}
}

// tokenizeKind says which of the three kinds of input is given.
func tokenizeKind(c *cli.Context) (func(*tokenized, *cli.Context, *vocabulary) error, error) {
	var kinds []func(*tokenized, *cli.Context, *vocabulary) error
	if c.IsSet("text-file") {
		kinds = append(kinds, (*tokenized).text)
	}
	if c.Bool("fim") {
		kinds = append(kinds, (*tokenized).fim)
	}
	if c.IsSet("chat") {
		kinds = append(kinds, (*tokenized).chat)
	}
	if len(kinds) != 1 {
		return nil, usagef("say what to tokenize, one of: --text-file FILE; --fim with --prefix-file and --suffix-file; --chat FILE")
	}
	return kinds[0], nil
}

func (o *tokenized) chat(c *cli.Context, m *vocabulary) error {
	text, err := readText(c.String("chat"))
	if err != nil {
		return err
	}
	var messages []models.Message
	if err := json.Unmarshal([]byte(text), &messages); err != nil {
		return fmt.Errorf("%s: %w; a list like [{\"role\":\"user\",\"content\":\"Hi\"}] is expected", c.String("chat"), err)
	}
	codec, err := chatCodec(m.file.what, m.vocab)
	if err != nil {
		return err
	}
	prompt, err := codec.Chat(messages, models.ChatOptions{Room: m.limit - c.Int("max-tokens")})
	if err != nil {
		return err
	}
	o.Layout, o.Tokens = prompt.Layout, prompt.Tokens
	return nil
}

func (o *tokenized) text(c *cli.Context, m *vocabulary) error {
	text, err := readText(c.String("text-file"))
	if err != nil {
		return err
	}
	o.Tokens, err = models.PlainText(m.file.what, m.vocab, text)
	return err
}

func (o *tokenized) fim(c *cli.Context, m *vocabulary) error {
	var code models.Code
	var err error
	if name := c.String("prefix-file"); name != "" {
		code.FileName = filepath.Base(name)
		if code.Prefix, err = readText(name); err != nil {
			return err
		}
	}
	if name := c.String("suffix-file"); name != "" {
		if code.Suffix, err = readText(name); err != nil {
			return err
		}
	}
	var options []models.Option
	if layout := c.String("layout"); layout != "" {
		options = append(options, models.WithLayout(layout))
	}
	codec, err := models.For(m.file.what, m.vocab, options...)
	if err != nil {
		return err
	}
	prompt, err := codec.Completion(code, m.limit-c.Int("max-tokens"))
	if err != nil {
		return err
	}
	o.Layout, o.Tokens = prompt.Layout, prompt.Tokens
	return nil
}

func (o *tokenized) print(c *cli.Context) error {
	if c.Bool("json") {
		if o.Tokens == nil {
			o.Tokens, o.Pieces = []models.Token{}, []string{}
		}
		return json.NewEncoder(c.App.Writer).Encode(o)
	}
	for i, t := range o.Tokens {
		if _, err := fmt.Fprintf(c.App.Writer, "%8d  %q\n", t, o.Pieces[i]); err != nil {
			return err
		}
	}
	return nil
}

// readText reads a file that has to be UTF-8: other bytes would be counted as what they are not.
func readText(name string) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return "", plainPathError(err)
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("%s is not UTF-8 text; convert it first, for example with iconv", name)
	}
	return string(data), nil
}
