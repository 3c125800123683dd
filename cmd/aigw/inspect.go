package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"aigw/models"

	"github.com/urfave/cli/v2"
)

func modelsCommand() *cli.Command {
	return &cli.Command{
		Name:         "models",
		Usage:        "look at model files, and keep them in a store",
		Description:  "Examples:\n  aigw models inspect codestral.gguf\n  aigw models import codestral.gguf\n  aigw models list",
		Subcommands:  []*cli.Command{inspectCommand(), listCommand(), importCommand(), verifyCommand(), rmCommand(), tryCommand(), planCommand()},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("aigw models has no command %q; see aigw models --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// inspection is what `aigw models inspect --json` prints.
type inspection struct {
	File         string   `json:"file"`
	Architecture string   `json:"architecture"`
	Family       string   `json:"family"`
	Role         string   `json:"role"`
	FIM          bool     `json:"fim"`
	Layout       string   `json:"layout"`
	NoFIM        string   `json:"no_fim,omitempty"`
	Chat         string   `json:"chat"`
	NoChat       string   `json:"no_chat,omitempty"`
	Context      int      `json:"context"`
	Tokenizer    string   `json:"tokenizer"`
	PreTokenizer string   `json:"pre_tokenizer,omitempty"`
	Pieces       int      `json:"pieces"`
	Evidence     []string `json:"evidence"`
	Defects      []defect `json:"defects"`
	// GitLab are the names under which GitLab can ask for it, that of 17.5 and later first.
	GitLab []string `json:"gitlab_names"`
	// Memory is what running it would take with the given settings.
	Memory *memoryJSON `json:"memory,omitempty"`
}

type defect struct {
	Effect string `json:"effect"`
	Key    string `json:"key"`
	Found  string `json:"found"`
	Used   string `json:"used"`
}

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "say what a GGUF file or a stored model is, what it can do, and what is wrong with it",
		ArgsUsage: "FILE|NAME",
		Description: "Examples:\n" +
			"  aigw models inspect codestral.gguf\n" +
			"  aigw models inspect --json codellama-00001-of-00002.gguf\n" +
			"  aigw models inspect --ctx 16384 --parallel 16 mistral    # what memory that would take\n" +
			"  aigw models inspect --family codestral model.gguf        # where the file does not tell\n" +
			"  aigw models inspect --no-plan codestral.gguf             # the header alone",
		Flags: append(planFlags(), storeFlag(),
			&cli.BoolFlag{Name: "no-plan", Usage: "leave out the memory plan"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"}),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("one FILE or NAME is expected after the flags; see aigw models inspect --help")
			}
			if err := checkModelFlags(c); err != nil {
				return err
			}
			path, stored, err := findModel(c, c.Args().First())
			if err != nil {
				return err
			}
			said, err := familyOf(c, path, stored)
			if err != nil {
				return err
			}
			m, err := recognise(path, said)
			if err != nil {
				return err
			}
			i := inspect(m)
			if !c.Bool("json") {
				if err := i.print(c); err != nil {
					return err
				}
			}
			err = m.what.Err(m.path) // what cannot be used is shown, and fails
			if err == nil && !c.Bool("no-plan") {
				var p *planned
				if p, err = planInChild(c, m); err == nil {
					i.Memory = newMemoryJSON(p)
					if !c.Bool("json") {
						err = printPlan(c, m, p)
					}
				}
			}
			if c.Bool("json") {
				err = errors.Join(err, json.NewEncoder(c.App.Writer).Encode(i))
			}
			return err
		},
	}
}

func inspect(m *modelFile) inspection {
	r := m.what
	i := inspection{
		File: filepath.Base(m.path), Architecture: r.Architecture, Family: string(r.Family), Role: string(r.Role),
		FIM: r.FIM, Layout: r.Layout, NoFIM: r.NoFIM, Chat: string(r.Chat), NoChat: r.NoChat,
		Context: r.Context, Tokenizer: r.Tokenizer.Model, PreTokenizer: r.Tokenizer.Pre, Pieces: r.Tokenizer.Pieces,
		Evidence: r.Evidence, Defects: []defect{}, GitLab: append([]string{}, r.NamesInGitLab()...),
	}
	for _, d := range r.Defects {
		i.Defects = append(i.Defects, defect{string(d.Effect), d.Key, d.Found, d.Used})
	}
	return i
}

func (i *inspection) print(c *cli.Context) error {
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	row := func(name string, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("file", "%s", i.File)
	row("family", "%s (architecture %s, %s)", i.Family, i.Architecture, i.Role)
	switch {
	case i.FIM:
		row("completion", "fills in the middle, layout %s", i.Layout)
	case i.NoFIM != "":
		row("completion", "no fill-in-the-middle: %s", i.NoFIM)
	default:
		row("completion", "from the text above the cursor")
	}
	if i.Chat == string(models.NoChat) {
		row("chat", "none: %s", i.NoChat)
	} else {
		row("chat", "%s", i.Chat)
	}
	if len(i.GitLab) > 0 {
		row("in GitLab", "%s", strings.Join(i.GitLab, ", "))
	}
	row("context", "%d tokens", i.Context)
	row("tokenizer", "%s %s, %d pieces", i.Tokenizer, i.PreTokenizer, i.Pieces)
	for _, e := range i.Evidence {
		row("evidence", "%s", e)
	}
	for _, d := range i.Defects {
		row(d.Effect, "%s %s; %s", d.Key, d.Found, d.Used)
	}
	return w.Flush()
}
