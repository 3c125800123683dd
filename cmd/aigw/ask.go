package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"aigw/gateway/docsearch"
	"aigw/models"
	"aigw/search"

	"github.com/urfave/cli/v2"
)

// answered is what `aigw ask --json` prints.
type answered struct {
	Question string         `json:"question"`
	Answer   string         `json:"answer"`
	Sources  []answerSource `json:"sources"`
}

type answerSource struct {
	Number int    `json:"number"` // as the answer cites it: [1]
	Title  string `json:"title"`
	URL    string `json:"url"` // empty if unknown
	Page   string `json:"page"`
}

func askCommand() *cli.Command {
	return &cli.Command{
		Name:      "ask",
		Usage:     "answer a question from the documentation, with its sources",
		ArgsUsage: "QUESTION",
		Description: "Passages of the documentation are found and given to the model, which answers from them. Without --docs, and\n" +
			"without " + docsVariable + ", the program's own documentation is searched.\n\n" +
			"Examples:\n" +
			"  aigw ask --model mistral.gguf --docs docs.index \"How do I protect a branch?\"\n" +
			"  aigw ask --model mistral.gguf --docs docs.index --json \"What is a group access token?\"\n" +
			"  aigw ask --url https://aigw.example.com:5052 --token-file token.txt \"What is a group access token?\"",
		Flags: append(append(answerFlags(), remoteFlags()...),
			&cli.StringFlag{Name: "docs", Usage: "`INDEX` to search", DefaultText: "$" + docsVariable + ", or the program's own pages", TakesFile: true},
			&cli.IntFlag{Name: "k", Value: 3, Usage: "most passages that the model is given"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object when the answer is complete"},
		),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := positional(c)
			if err != nil {
				return err
			}
			question := strings.TrimSpace(strings.Join(args, " "))
			if question == "" {
				return usagef("a QUESTION is expected; see aigw ask --help")
			}
			if k := c.Int("k"); k < 1 || k > search.MaxResults {
				return usagef("-k %d: a number from 1 to %d is needed", k, search.MaxResults)
			}
			return askDocs(c, question)
		},
	}
}

// answerer has a conversation continued, and leaves out what does not fit. A loaded model and a running gateway are answerers.
type answerer interface {
	answer(ctx context.Context, c *cli.Context, messages []models.Message, shorten func([]models.Message) ([]models.Message, bool), emit func(string) error) error
}

// askDocs finds passages, and has a model answer from as many of them as fit: one of its own, or that of a running gateway,
// which then searches its own documentation.
func askDocs(c *cli.Context, question string) error {
	r, err := askedRemote(c)
	if err != nil {
		return err
	}
	if r != nil {
		if err := checkRemoteAnswer(c); err != nil {
			return err
		}
		if c.IsSet("docs") {
			return usagef("--docs and --url exclude each other: with --url the gateway's documentation is searched")
		}
		found, err := r.search(c.Context, question, c.Int("k"))
		if err != nil {
			return err
		}
		return answerFrom(c, r, question, found)
	}
	index, err := openDocs(c.Context, docsDir(c, "docs"))
	if err != nil {
		return err
	}
	defer index.Close()
	found, err := index.Search(c.Context, question, c.Int("k"))
	if err != nil {
		return err
	}
	m, err := loadForAnswers(c)
	if err != nil {
		return err
	}
	defer m.close()
	return answerFrom(c, m, question, found)
}

// answerFrom prints an answer that is based on passages.
func answerFrom(c *cli.Context, m answerer, question string, found []search.Passage) error {
	given := found
	shorten := func([]models.Message) ([]models.Message, bool) {
		if len(given) == 0 {
			return nil, false
		}
		given = given[:len(given)-1] // the least likely
		return docsearch.Messages(question, given), true
	}
	var answer strings.Builder
	err := m.answer(c.Context, c, docsearch.Messages(question, given), shorten, func(piece string) error {
		answer.WriteString(piece)
		if c.Bool("json") {
			return nil
		}
		_, err := io.WriteString(c.App.Writer, piece)
		return err
	})
	if err != nil {
		return err
	}
	return printAnswer(c, answered{question, strings.TrimSpace(answer.String()), sourcesOf(given)})
}

func sourcesOf(passages []search.Passage) []answerSource {
	out := []answerSource{}
	for i, p := range passages {
		out = append(out, answerSource{i + 1, p.Title, p.URL, p.Page})
	}
	return out
}

// printAnswer prints what is not on the terminal yet.
func printAnswer(c *cli.Context, a answered) error {
	if c.Bool("json") {
		encoder := json.NewEncoder(c.App.Writer)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(a)
	}
	if len(a.Sources) == 0 {
		return printLine(c.App.Writer, "")
	}
	if err := printLine(c.App.Writer, "\n\nSources:"); err != nil {
		return err
	}
	for _, s := range a.Sources {
		where := s.URL
		if where == "" {
			where = s.Page
		}
		if err := printLine(c.App.Writer, "[%d] %s  %s", s.Number, printable(s.Title), printable(where)); err != nil {
			return err
		}
	}
	return nil
}
