package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"aigw/gateway/apikeys"

	"github.com/urfave/cli/v2"
)

func keysCommand() *cli.Command {
	return &cli.Command{
		Name:  "keys",
		Usage: "make, list and revoke API keys for programs that speak OpenAI's API",
		Description: "A running gateway with the same --state-dir takes changes within two seconds. Only hashes are kept:\n" +
			"a key is shown once, when it is made.\n\n" +
			"Examples:\n" +
			"  aigw keys add alice\n" +
			"  aigw keys list\n" +
			"  aigw keys revoke alice",
		Subcommands:  []*cli.Command{keysAddCommand(), keysListCommand(), keysRevokeCommand()},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("there is no command %q; see aigw keys --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

func keysAddCommand() *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "make a key and print it, once",
		ArgsUsage: "NAME",
		Description: "NAME says whose the key is, or what for. A key without limits of its own counts as one person\n" +
			"for --user-rate and --user-running.\n\n" +
			"Examples:\n" +
			"  aigw keys add alice\n" +
			"  aigw keys add ci --per-minute 60 --running 2\n" +
			"  aigw keys add --admin boss    # opens the status page, too\n" +
			"  aigw keys add gitlab --model codestral --model mistral\n" +
			"  export OPENAI_API_KEY=$(aigw keys add editor)",
		Flags: []cli.Flag{
			stateFlag(), keysFileFlag(),
			&cli.IntFlag{Name: "per-minute", Usage: "most requests a minute, and that many in a burst (0: no limit of its own)"},
			&cli.IntFlag{Name: "running", Usage: "most requests at once (0: no limit of its own)"},
			&cli.StringSliceFlag{Name: "model", Usage: "`NAME` of a model that the key may ask; repeatable", DefaultText: "all"},
			&cli.BoolFlag{Name: "admin", Usage: "the key also opens the status page, /ui on the gateway"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object, with the key as \"key\""},
		},
		OnUsageError: onUsageError,
		Action:       addKey,
	}
}

func addKey(c *cli.Context) error {
	path, args, err := keysCall(c)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return usagef("keys add takes one NAME: whose the key is, or what for; see aigw keys add --help")
	}
	key, text, err := apikeys.New(apikeys.Key{
		Name: args[0], Admin: c.Bool("admin"), PerMinute: c.Int("per-minute"), Running: c.Int("running"), Models: c.StringSlice("model"),
	})
	if err != nil {
		return usagef("%s", err)
	}
	if err := apikeys.Add(path, key); err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(struct {
			apikeys.Key
			Text string `json:"key"`
		}{key, text})
	}
	if err := printLine(c.App.Writer, "%s", text); err != nil {
		return err
	}
	return printLine(c.App.ErrWriter, "key %s for %s is in %s; the line above is shown only now", key.ID, key.Name, path)
}

func keysListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list keys and their limits; the keys themselves are kept nowhere",
		Description: "Examples:\n" +
			"  aigw keys list\n" +
			"  aigw keys list --json",
		Flags:        []cli.Flag{stateFlag(), keysFileFlag(), &cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			path, args, err := keysCall(c)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return usagef("keys list takes flags only, %q is left over", args[0])
			}
			keys, err := apikeys.Read(path)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(map[string]any{"file": path, "keys": append([]apikeys.Key{}, keys...)})
			}
			if len(keys) == 0 {
				return printLine(c.App.ErrWriter, "no keys in %s; make one with aigw keys add NAME", path)
			}
			return printKeys(c, keys)
		},
	}
}

func printKeys(c *cli.Context, keys []apikeys.Key) error {
	number := func(n int) string {
		if n == 0 {
			return "-"
		}
		return strconv.Itoa(n)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tADMIN\tPER MINUTE\tAT ONCE\tMODELS\tMADE")
	for _, k := range keys {
		admin := "-"
		if k.Admin {
			admin = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, admin, number(k.PerMinute), number(k.Running),
			cmp.Or(strings.Join(k.Models, ", "), "all"), k.Created.Local().Format(time.DateOnly))
	}
	return w.Flush()
}

func keysRevokeCommand() *cli.Command {
	return &cli.Command{
		Name:      "revoke",
		Usage:     "refuse a key from now on",
		ArgsUsage: "ID|NAME",
		Description: "Requests that are being answered are finished. Without keys the door is shut.\n\n" +
			"Examples:\n" +
			"  aigw keys revoke alice\n" +
			"  aigw keys revoke 3f9c01ab",
		Flags:        []cli.Flag{stateFlag(), keysFileFlag()},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			path, args, err := keysCall(c)
			if err != nil {
				return err
			}
			if len(args) != 1 {
				return usagef("keys revoke takes one ID or NAME; aigw keys list shows all")
			}
			gone, err := apikeys.Revoke(path, args[0])
			if err != nil {
				return err
			}
			return printLine(c.App.ErrWriter, "key %s for %s is revoked", gone.ID, gone.Name)
		},
	}
}

// keysCall returns the file of keys, and the arguments of a command that are no flags.
func keysCall(c *cli.Context) (path string, args []string, err error) {
	if args, err = positional(c); err != nil {
		return "", nil, err
	}
	if path = keysFile(c); path == "" {
		return "", nil, errors.New("there is no folder for API keys; name the gateway's with --state-dir, or a file with --keys-file")
	}
	return path, args, nil
}
