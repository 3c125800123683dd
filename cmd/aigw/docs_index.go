package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"aigw/search"
	"aigw/search/source"

	"github.com/urfave/cli/v2"
)

// builtIndex is what `aigw docs index --json` and `aigw docs import --json` print.
type builtIndex struct {
	Index    string  `json:"index"`
	Pages    int     `json:"pages"`
	Passages int     `json:"passages"`
	Bytes    int64   `json:"bytes"`
	Version  string  `json:"version_tag"`
	Seconds  float64 `json:"seconds"`
}

func docsIndexCommand() *cli.Command {
	return &cli.Command{
		Name:      "index",
		Usage:     "make an index of documentation pages",
		ArgsUsage: "[NAME=]DIR|ARCHIVE...",
		Description: "DIR is a folder with Markdown pages, such as the one that the Linux package installs on the GitLab\n" +
			"server; of a source ARCHIVE (.zip, .tar.gz, .tar.zst) the pages below doc/ are read. NAME is the product that the pages belong to: gitlab (the same as none), runner, omnibus, charts, cli,\n" +
			"or one of your own. Links to GitLab's pages lead to the help pages of your GitLab; --url gives a product's\n" +
			"pages another address, with {path} (user/ssh) or {folder} (user/ssh/). An index that is there is replaced in\n" +
			"one step, and a server that uses it goes on with the new one.\n\n" +
			"Examples:\n" +
			"  aigw docs index /opt/gitlab/embedded/service/gitlab-rails/doc -o docs.index --version-tag v17.8.0-ee\n" +
			"  aigw docs index gitlab-v17.8.0-ee.tar.gz -o docs.index\n" +
			"  aigw docs index gitlab=gitlab/doc runner=gitlab-runner/docs -o docs.index\n" +
			"  aigw docs index gitlab/doc handbook=/srv/handbook --url handbook=https://handbook.example.com/{folder} -o docs.index",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`INDEX`, the folder to make", TakesFile: true},
			&cli.StringFlag{Name: "version-tag", Aliases: []string{"version_tag"}, Usage: "`VERSION` of the documentation, such as v17.8.0-ee"},
			&cli.StringSliceFlag{Name: "url", Usage: "`NAME=RULE`: addresses of a product's pages"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := positional(c)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return usagef("at least one DIR with pages is expected; see aigw docs index --help")
			}
			rules, err := urlRules(c.StringSlice("url"))
			if err != nil {
				return err
			}
			var collections []search.Collection
			for _, arg := range args {
				name, path := namedPath(arg)
				s, err := openSource(path)
				if err != nil {
					return err
				}
				collections = append(collections, search.Collection{Name: name, Source: s, URL: rules[name]})
				delete(rules, name)
			}
			for name := range rules {
				return usagef("--url %s=...: no product of that name is indexed", name)
			}
			return buildDocs(c, collections)
		},
	}
}

// buildDocs makes the index that the flags ask for, and says what became of it.
func buildDocs(c *cli.Context, collections []search.Collection) error {
	out := c.String("output")
	if out == "" {
		return usagef("-o INDEX is needed: the folder to make; see %s --help", c.Command.HelpName)
	}
	log, err := newLogger(c.App.ErrWriter, c.Bool("verbose"))
	if err != nil {
		return err
	}
	shown := newProgress(c.App.ErrWriter, log, "indexing")
	m, err := search.Build(c.Context, out, collections, search.BuildOptions{
		Builder: version, VersionTag: c.String("version-tag"), Progress: shown.set,
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(builtIndex{out, m.Pages, m.Passages, m.Bytes(), m.VersionTag, shown.seconds()})
	}
	return printLine(c.App.Writer, "%s: %d pages, %d passages, %s. Use it with aigw run --docs %s", out, m.Pages, m.Passages, humanBytes(m.Bytes()), out)
}

// namedPath splits NAME=PATH. What is before the sign is a name only if it looks like one: folders
// may have a = too.
func namedPath(arg string) (name, path string) {
	name, path, found := strings.Cut(arg, "=")
	if !found || name == "" || strings.ContainsAny(name, `/\. `) {
		return "", arg
	}
	return name, path
}

// urlRules reads --url flags.
func urlRules(flags []string) (map[string]string, error) {
	rules := map[string]string{}
	for _, flag := range flags {
		name, rule := "", flag
		if !strings.HasPrefix(flag, "/") && !strings.HasPrefix(flag, "http://") && !strings.HasPrefix(flag, "https://") {
			var found bool
			if name, rule, found = strings.Cut(flag, "="); !found {
				return nil, usagef("--url %q: NAME=RULE is expected, such as runner=https://docs.example.com/runner/{folder}", flag)
			}
		}
		if err := search.CheckURLRule(rule); err != nil {
			return nil, usagef("--url: %s", err)
		}
		rules[name] = rule
	}
	return rules, nil
}

// openSource opens whatever a path names.
func openSource(path string) (source.Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read pages from %s: %w", filepath.Clean(path), err)
	}
	switch {
	case info.IsDir():
		return source.Folder(path)
	case source.IsDatabase(path):
		return source.Database(path)
	}
	return source.Archive(path)
}
