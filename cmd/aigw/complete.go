package main

import (
	"fmt"
	"io"
	"path/filepath"

	"aigw/engine"
	"aigw/models"

	"github.com/urfave/cli/v2"
)

// completionTokens is GitLab's limit for one suggestion.
const completionTokens = 128

func completeCommand() *cli.Command {
	return &cli.Command{
		Name:      "complete",
		Usage:     "print one code suggestion for a place in a source file",
		ArgsUsage: "FILE:LINE[:COLUMN]",
		Description: "Lines and columns count from 1; without a column the cursor stands at the end of the line.\n" +
			"The suggestion is printed as it is decoded.\n\n" +
			"Examples:\n" +
			"  aigw complete --model codestral.gguf main.go:12\n" +
			"  aigw complete --model codestral.gguf --max-tokens 32 main.go:12:5\n" +
			"  aigw complete --url http://127.0.0.1:5052 --key test.pem main.go:12:5",
		Flags: append(append(modelFlags(), remoteFlags()...),
			&cli.IntFlag{Name: "max-tokens", Value: completionTokens, Usage: "most tokens of the suggestion; with --url the gateway decides"},
		),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("one FILE:LINE[:COLUMN] is expected after the flags; see aigw complete --help")
			}
			at, err := parsePlace(c.Args().First())
			if err != nil {
				return err
			}
			prefix, suffix, err := at.read()
			if err != nil {
				return err
			}
			code := models.Code{FileName: filepath.Base(at.file), Prefix: prefix, Suffix: suffix}
			return complete(c, code)
		},
	}
}

func complete(c *cli.Context, code models.Code) error {
	want := c.Int("max-tokens")
	if want < 1 {
		return usagef("--max-tokens %d: at least 1 is needed", want)
	}
	write := func(text string) error {
		_, err := io.WriteString(c.App.Writer, text)
		return err
	}
	if r, err := askedRemote(c); err != nil {
		return err
	} else if r != nil {
		if err := r.complete(c.Context, code, write); err != nil {
			return err
		}
		return printLine(c.App.Writer, "")
	}
	m, err := loadModel(c)
	if err != nil {
		return err
	}
	defer m.close()
	prompt, err := m.codec.Completion(code, m.engine.Limit()-want)
	if err != nil {
		return err
	}
	_, err = m.engine.Generate(c.Context, engine.Request{
		Prompt: prompt.Tokens, MaxTokens: want, Sampling: prompt.Sampling, Stops: prompt.Stops,
	}, write)
	fmt.Fprintln(c.App.Writer)
	return err
}
