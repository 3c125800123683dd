package main

import (
	"encoding/json"
	"fmt"

	"aigw/models/store"

	"github.com/urfave/cli/v2"
)

// verified is what `aigw models verify --json` prints.
type verified struct {
	Models []string      `json:"models"` // that were read
	Faults []store.Fault `json:"faults"`
}

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read stored models and compare them with their checksums",
		ArgsUsage: "[NAME...]",
		Description: "Without a NAME all models are read. The exit code is 1 if one is not as it was imported.\n\n" +
			"Examples:\n" +
			"  aigw models verify\n" +
			"  aigw models verify --json codestral",
		Flags:        []cli.Flag{storeFlag(), &cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			s, err := openStore(c)
			if err != nil {
				return err
			}
			all, err := chosen(s, c.Args().Slice())
			if err != nil {
				return err
			}
			out := verified{Models: []string{}, Faults: []store.Fault{}}
			for _, m := range all {
				faults, err := s.Verify(c.Context, m, bytesProgress(c, "verifying "+m.Name))
				if err != nil {
					return err
				}
				out.Models = append(out.Models, m.Name)
				out.Faults = append(out.Faults, faults...)
				if len(faults) == 0 && !c.Bool("json") {
					if err := printLine(c.App.Writer, "%s: %s in %s, as imported", m.Name, humanBytes(m.Size), countFiles(len(m.Parts))); err != nil {
						return err
					}
				}
			}
			if c.Bool("json") {
				if err := json.NewEncoder(c.App.Writer).Encode(out); err != nil {
					return err
				}
			}
			return out.err()
		},
	}
}

// err is one line about what is damaged, or nil.
func (v *verified) err() error {
	if len(v.Faults) == 0 {
		return nil
	}
	f := v.Faults[0]
	more := ""
	if n := len(v.Faults) - 1; n > 0 {
		more = fmt.Sprintf(" (and %s more)", countFiles(n))
	}
	return fmt.Errorf("%s: %s %s%s; import the model again", f.Model, f.File, f.Found, more)
}

// chosen returns the named models, or all.
func chosen(s *store.Store, names []string) ([]store.Model, error) {
	if len(names) == 0 {
		return s.List()
	}
	var all []store.Model
	for _, name := range names {
		m, err := s.Find(name)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}
