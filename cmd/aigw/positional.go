package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// positional returns the arguments of a command that are no flags, and sets the flags that were
// written after the first of them, which the library does not look at: people type
// `aigw docs index DIR -o INDEX`. "--" ends the flags. Flags are read by their first name afterwards.
func positional(c *cli.Context) ([]string, error) {
	var out []string
	args := c.Args().Slice()
	for i := 0; i < len(args); i++ {
		name := strings.TrimLeft(args[i], "-")
		switch dashes := len(args[i]) - len(name); {
		case args[i] == "--":
			return append(out, args[i+1:]...), nil
		case dashes == 0 || dashes > 2 || name == "":
			out = append(out, args[i])
			continue
		}
		name, value, given := strings.Cut(name, "=")
		at := slices.IndexFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
		if at < 0 {
			return nil, usagef("flag provided but not defined: -%s; see %s --help", name, c.Command.HelpName)
		}
		flag := c.Command.Flags[at]
		if _, is := flag.(*cli.BoolFlag); is && !given {
			value, given = "true", true
		}
		if !given {
			if i++; i == len(args) {
				return nil, usagef("flag needs an argument: -%s; see %s --help", name, c.Command.HelpName)
			}
			value = args[i]
		}
		if err := c.Set(flag.Names()[0], value); err != nil {
			return nil, usagef("invalid value %q for flag -%s: %s; see %s --help", value, name, err, c.Command.HelpName)
		}
	}
	return out, nil
}
