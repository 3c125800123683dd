package main

import (
	"context"
	"os"

	"aigw/docs"
	"aigw/search"
	"aigw/search/source"

	"github.com/urfave/cli/v2"
)

func docsCommand() *cli.Command {
	return &cli.Command{
		Name:  "docs",
		Usage: "build, search and check the index of GitLab's documentation",
		Description: "Examples:\n" +
			"  aigw docs index /opt/gitlab/embedded/service/gitlab-rails/doc -o docs.index\n" +
			"  aigw docs search \"how do I mask a variable\" --index docs.index\n" +
			"  aigw docs info docs.index\n" +
			"  aigw run --model codestral.gguf --docs docs.index",
		Subcommands: []*cli.Command{docsIndexCommand(), docsImportCommand(), docsSearchCommand(), docsInfoCommand()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("aigw docs has no command %q; see aigw docs --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
		OnUsageError: onUsageError,
	}
}

// docsVariable names the index for commands and the server alike.
const docsVariable = "AIGW_DOCS"

// openDocs opens an index, or without one the program's own pages.
func openDocs(ctx context.Context, dir string) (*search.Index, error) {
	if dir == "" {
		return ownDocs(ctx)
	}
	return search.Open(dir)
}

// ownDocs indexes the documentation of this program, in memory. Their addresses are not known.
func ownDocs(ctx context.Context) (*search.Index, error) {
	return search.BuildInMemory(ctx, []search.Collection{{Name: "aigw", Source: source.Files(docs.Pages, "this program")}},
		search.BuildOptions{Builder: version, VersionTag: version})
}

// docsDir is the index that a flag or the environment names.
func docsDir(c *cli.Context, flag string) string {
	if dir := c.String(flag); dir != "" {
		return dir
	}
	return os.Getenv(docsVariable)
}
