package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"aigw/search"

	"github.com/urfave/cli/v2"
)

// foundPassages is what `aigw docs search --json` prints.
type foundPassages struct {
	Results []search.Passage `json:"results"`
}

func docsSearchCommand() *cli.Command {
	return &cli.Command{
		Name:      "search",
		Usage:     "find the passages that answer a question",
		ArgsUsage: "QUERY",
		Description: "Without --index, and without " + docsVariable + ", the program's own documentation is searched.\n\n" +
			"Links to GitLab's own help pages are complete where " + gitlabURLVar + " is set.\n\n" +
			"Examples:\n" +
			"  aigw docs search \"how do I mask a variable\" --index docs.index\n" +
			"  aigw docs search CI_COMMIT_REF_NAME --index docs.index -k 3 --json",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "index", Usage: "`INDEX` to search", DefaultText: "$" + docsVariable + ", or the program's own pages", TakesFile: true},
			&cli.IntFlag{Name: "k", Value: 4, Usage: "most passages"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := positional(c)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return usagef("a QUERY is expected; see aigw docs search --help")
			}
			k := c.Int("k")
			if k < 1 || k > search.MaxResults {
				return usagef("-k %d: a number from 1 to %d is needed", k, search.MaxResults)
			}
			index, err := openDocs(c.Context, docsDir(c, "index"))
			if err != nil {
				return err
			}
			defer index.Close()
			question := strings.Join(args, " ")
			found, err := index.Search(c.Context, question, k)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				if found == nil {
					found = []search.Passage{}
				}
				encoder := json.NewEncoder(c.App.Writer)
				encoder.SetEscapeHTML(false)
				return encoder.Encode(foundPassages{found})
			}
			return printPassages(c, question, found)
		},
	}
}

func printPassages(c *cli.Context, question string, found []search.Passage) error {
	if len(found) == 0 {
		return printLine(c.App.ErrWriter, "nothing found; try other words")
	}
	mark := func(text string) string { return text }
	if isTerminal(c.App.Writer) {
		mark = func(text string) string { return highlighted(question, text) }
	}
	for i, p := range found {
		where := p.URL
		switch {
		case where == "":
			where = p.Page
		case strings.HasPrefix(where, "/"): // a help page of the GitLab that the server would link to
			where = helpBase(textEnv(gitlabURLVar, "")) + where
		}
		heading := strings.Join(append([]string{p.Title}, p.Headings...), " > ")
		if err := printLine(c.App.Writer, "%d. %s  (%.1f)\n   %s\n%s\n", i+1, printable(heading), p.Score, printable(where), mark(excerpt(question, printable(p.Content)))); err != nil {
			return err
		}
	}
	return nil
}

// excerpt returns the lines of a passage that say most about the question: those from the line
// with most of its words, ten at most.
func excerpt(question, content string) string {
	const most = 10
	lines := strings.Split(content, "\n")
	if len(lines) <= most {
		return indented(lines)
	}
	best, at := -1, 0
	for i := range lines {
		n := len(search.Matches(question, lines[i]))
		if i+1 < len(lines) {
			n += len(search.Matches(question, lines[i+1]))
		}
		if n > best {
			best, at = n, i
		}
	}
	at = max(0, min(at-1, len(lines)-most))
	return indented(lines[at : at+most])
}

func indented(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			fmt.Fprintf(&b, "   %s\n", line)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// highlighted sets what the question asks for in bold.
func highlighted(question, text string) string {
	var b strings.Builder
	last := 0
	for _, m := range search.Matches(question, text) {
		b.WriteString(text[last:m[0]] + "\x1b[1m" + text[m[0]:m[1]] + "\x1b[0m")
		last = m[1]
	}
	return b.String() + text[last:]
}

// printable leaves out what could steer the terminal: pages are other people's text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7F && r < 0xA0 {
			return -1
		}
		return r
	}, text)
}
