package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"aigw/models/store"

	"github.com/urfave/cli/v2"
)

// storeList is what `aigw models list --json` prints.
type storeList struct {
	Store  string        `json:"store"`
	Models []store.Model `json:"models"`
}

func listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the models in the store",
		Description: "Examples:\n" +
			"  aigw models list\n" +
			"  aigw models list --json",
		Flags:        []cli.Flag{storeFlag(), &cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("list takes flags only, %q is left over", c.Args().First())
			}
			s, err := openStore(c)
			if err != nil {
				return err
			}
			all, damaged := s.List() // what can be read is shown in any case
			if c.Bool("json") {
				if all == nil {
					all = []store.Model{}
				}
				err = json.NewEncoder(c.App.Writer).Encode(storeList{s.Dir(), all})
			} else {
				err = printList(c, s, all)
			}
			return errors.Join(damaged, err)
		},
	}
}

func printList(c *cli.Context, s *store.Store, all []store.Model) error {
	if len(all) == 0 {
		return printLine(c.App.ErrWriter, "no models in %s; import one with aigw models import FILE", s.Dir())
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tFAMILY\tROLE\tCAN\tSIZE\tFILES\tIMPORTED")
	for _, m := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.Name, m.Family, m.Role, abilities(m), humanBytes(m.Size), len(m.Parts), m.Imported.Local().Format(time.DateOnly))
	}
	return w.Flush()
}
