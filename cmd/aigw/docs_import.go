package main

import (
	"aigw/search"
	"aigw/search/source"

	"github.com/urfave/cli/v2"
)

func docsImportCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "take over the docs.db that GitLab's own gateway made",
		ArgsUsage: "DOCS.DB",
		Description: "The file is only read. One of GitLab 17.4 to 17.6 holds only the base names of its pages: they are found, and have\n" +
			"no links.\n\n" +
			"Examples:\n" +
			"  aigw docs import docs.db -o docs.index --version-tag v17.8.0-ee",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`INDEX`, the folder to make", TakesFile: true},
			&cli.StringFlag{Name: "version-tag", Aliases: []string{"version_tag"}, Usage: "`VERSION` of the documentation, such as v17.8.0-ee"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := positional(c)
			if err != nil {
				return err
			}
			if len(args) != 1 {
				return usagef("one DOCS.DB is expected; see aigw docs import --help")
			}
			db, err := source.Database(args[0])
			if err != nil {
				return err
			}
			return buildDocs(c, []search.Collection{{Name: "gitlab", Source: db}})
		},
	}
}
