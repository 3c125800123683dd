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
			"  aigw tokenize --model codestral.gguf --fim --prefix-file above.go --suffix-file below.go --json",
		Flags: append(modelFlags(),
			&cli.StringFlag{Name: "text-file", Usage: "tokenize this file as plain text, without BOS", TakesFile: true},
			&cli.BoolFlag{Name: "fim", Usage: "lay out a completion prompt from --prefix-file and --suffix-file"},
			&cli.StringFlag{Name: "prefix-file", Usage: "text above the cursor", TakesFile: true},
			&cli.StringFlag{Name: "suffix-file", Usage: "text below the cursor", TakesFile: true},
			&cli.IntFlag{Name: "max-tokens", Value: completionTokens, Usage: "room to leave for the answer"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.IsSet("text-file") == c.Bool("fim") {
				return usagef("say what to tokenize: --text-file FILE, or --fim with --prefix-file and --suffix-file")
			}
			m, err := loadVocabulary(c)
			if err != nil {
				return err
			}
			defer m.close()
			out := tokenized{Model: filepath.Base(c.String("model")), Family: m.codec.Family(), Layout: "text"}
			if c.Bool("fim") {
				err = out.fim(c, m)
			} else {
				err = out.text(c, m)
			}
			if err != nil {
				return err
			}
			for _, t := range out.Tokens {
				out.Pieces = append(out.Pieces, m.vocab.Piece(t))
			}
			return out.print(c)
		},
	}
}

func (o *tokenized) text(c *cli.Context, m *vocabulary) error {
	text, err := readText(c.String("text-file"))
	if err != nil {
		return err
	}
	o.Tokens, err = m.vocab.Tokenize(text)
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
	prompt, err := m.codec.Completion(code, m.limit-c.Int("max-tokens"))
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
