package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"
)

// removed is what `aigw models rm --json` prints.
type removed struct {
	Models []string `json:"models"`
	Bytes  int64    `json:"bytes"` // of the weights that were removed
}

func rmCommand() *cli.Command {
	return &cli.Command{
		Name:      "rm",
		Usage:     "remove models from the store",
		ArgsUsage: "NAME...",
		Description: "Weights that another stored model has too, and the file that they were imported from, stay.\n\n" +
			"Examples:\n" +
			"  aigw models rm codestral\n" +
			"  aigw models rm --json codegemma:2b codegemma:7b",
		Flags:        []cli.Flag{storeFlag(), &cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usagef("the NAME of a stored model is expected after the flags; see aigw models list")
			}
			s, err := openStore(c)
			if err != nil {
				return err
			}
			if len(c.Args().Slice()) > 1 { // all or none, as far as names can tell
				if _, err := chosen(s, c.Args().Slice()); err != nil {
					return err
				}
			}
			out := removed{Models: []string{}}
			for _, name := range c.Args().Slice() {
				n, err := s.Remove(name)
				if err != nil {
					return err
				}
				out.Models = append(out.Models, name)
				out.Bytes += n
				if !c.Bool("json") {
					if err := printLine(c.App.Writer, "%s", sayRemoved(name, n)); err != nil {
						return err
					}
				}
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(out)
			}
			return nil
		},
	}
}

// sayRemoved is one line about a removed model and n bytes of weights.
func sayRemoved(name string, n int64) string {
	if n == 0 {
		return name + " removed; another stored model has its weights"
	}
	return fmt.Sprintf("%s removed, with %s of weights", name, humanBytes(n))
}
