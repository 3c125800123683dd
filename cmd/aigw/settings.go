package main

import (
	"slices"
	"sync/atomic"

	"aigw/cmd/aigw/settings"

	"github.com/urfave/cli/v2"
)

// set is what was set outside the command line of this run; nil: the environment alone.
var set atomic.Pointer[settings.Settings]

// configFlag names the file of settings. A command that has it takes its other flags from there, too.
func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "YAML `FILE` of settings, by the names of these flags; see aigw config --schema", EnvVars: []string{"AIGW_CONFIG"}, TakesFile: true}
}

// argsKey is where the app keeps its command line, for a reload.
const argsKey = "args"

// withSettings makes the commands that have the flag --config read it.
func withSettings(commands []*cli.Command, args []string) []*cli.Command {
	var known []string
	for _, c := range commands {
		for _, sub := range append([]*cli.Command{c}, c.Subcommands...) {
			known = append(known, variablesOf(sub.Flags)...)
		}
	}
	for _, c := range commands {
		if slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == "config" }) {
			c.Before = func(c *cli.Context) error { return readSettings(c, args, known) }
		}
	}
	return commands
}

func variablesOf(flags []cli.Flag) []string {
	var out []string
	for _, f := range flags {
		if d, ok := f.(cli.DocGenerationFlag); ok {
			out = append(out, d.GetEnvVars()...)
		}
	}
	return out
}

func readSettings(c *cli.Context, args, known []string) error {
	s, err := settings.Environment()
	if err != nil {
		return err
	}
	path := c.String("config")
	if path == "" {
		path, _, _ = s.Lookup("AIGW_CONFIG")
	}
	if err := s.Apply(c, path, args, known); err != nil {
		return err
	}
	set.Store(s)
	return nil
}
