package main

import (
	"encoding/json"

	"aigw/models/store"

	"github.com/urfave/cli/v2"
)

// importedModel is what `aigw models import --json` prints.
type importedModel struct {
	store.Model
	How     string `json:"how"` // cloned, linked or copied
	Already bool   `json:"already"`
}

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "take a model into the store",
		ArgsUsage: "FILE|FOLDER [MODEL]",
		Description: "FILE is a GGUF file or any file of a split set. FOLDER is an Ollama store, which is only read, or an OCI\n" +
			"image layout with a GGUF layer; MODEL says which of several models in it. The weights are cloned or linked\n" +
			"where the file system can, else copied. A linked file must not be changed in place afterwards.\n\n" +
			"Examples:\n" +
			"  aigw models import --name codestral codestral-22b.Q4_K_M.gguf\n" +
			"  aigw models import mixtral-00001-of-00003.gguf\n" +
			"  aigw models import ~/.ollama/models codegemma:7b-code\n" +
			"  aigw models import ./image-layout",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.StringFlag{Name: "name", Usage: "`NAME` in the store, instead of the file's or the image's"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if n := c.NArg(); n < 1 || n > 2 {
				return usagef("one FILE, or one FOLDER and MODEL, is expected after the flags; see aigw models import --help")
			}
			if name := c.String("name"); c.IsSet("name") {
				if err := store.CheckName(name); err != nil {
					return usagef("--name: %s", err)
				}
			}
			s, err := openStore(c)
			if err != nil {
				return err
			}
			src, err := store.Locate(c.Args().Get(0), c.Args().Get(1))
			if err != nil {
				return err
			}
			done, err := s.Import(c.Context, src, store.ImportOptions{
				Name: c.String("name"), Progress: bytesProgress(c, "importing "+src.From),
			})
			if err != nil {
				return err
			}
			return printImported(c, done)
		},
	}
}

func printImported(c *cli.Context, done store.Imported) error {
	m := done.Model
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(importedModel{m, done.How, done.Already})
	}
	if done.Already {
		return printLine(c.App.Writer, "%s was there already, with the same weights", m.Name)
	}
	err := printLine(c.App.Writer, "%s: %s, %s, %s; %s, %s. Use it with --model %s", m.Name, m.Family, m.Role, abilities(m), humanBytes(m.Size), done.How, m.Name)
	if err == nil && done.How == store.Linked {
		err = printLine(c.App.ErrWriter, "its weights are hard-linked with %s: those may be replaced or deleted, but do not write into them", m.Source)
	}
	return err
}
