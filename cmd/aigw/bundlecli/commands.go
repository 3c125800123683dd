// Package bundlecli has the commands that read bundles. Two programs have them: aigw, and the loader
// that a bundle begins with, which has nothing else.
package bundlecli

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"aigw/bundle"

	"github.com/urfave/cli/v2"
)

// Host is the program that has the commands.
type Host struct {
	// Usagef makes the error of a wrong call.
	Usagef func(format string, args ...any) error
	// OnUsageError replaces the library's answer to a wrong flag.
	OnUsageError cli.OnUsageErrorFunc
	// Arguments are the words of a call that are no flags.
	Arguments func(c *cli.Context) ([]string, error)
	// Progress shows how far a command is.
	Progress func(c *cli.Context, what string) func(done, total int64)
	// Self is the bundle that the program stands in; empty: a bundle is named by an argument.
	Self string
	// Call is how people type the program's commands, such as "aigw bundle".
	Call string
}

func trustFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "key", Usage: "PEM `FILE` with the public key of whoever signed the bundle", TakesFile: true, EnvVars: []string{"AIGW_BUNDLE_KEY"}},
		&cli.BoolFlag{Name: "allow-unsigned", Usage: "take a bundle that nobody signed, or whose signature cannot be checked here"},
		&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
	}
}

// argument names the bundle in the help: the loader has one already.
func (h Host) argument() string {
	if h.Self != "" {
		return " "
	}
	return "FILE"
}

// example is a command line for the help.
func (h Host) example(rest string) string {
	if h.Self != "" {
		return "  " + h.Call + " " + strings.ReplaceAll(rest, " FILE", "")
	}
	return "  " + h.Call + " " + strings.ReplaceAll(rest, "FILE", "site.aigw")
}

// Verify is the command that reads a whole bundle and says whether it is intact.
func (h Host) Verify() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read a whole bundle and find out whether every byte is what was written",
		ArgsUsage: h.argument(),
		Description: "Damage is named: which file, and where.\n\nExamples:\n" +
			h.example("verify FILE --key site.pub") + "\n" + h.example("verify FILE --allow-unsigned"),
		Flags: trustFlags(), OnUsageError: h.OnUsageError,
		Action: func(c *cli.Context) error {
			b, err := h.open(c)
			if err != nil {
				return err
			}
			defer b.Close()
			if err := b.Verify(c.Context, h.Progress(c, "verifying")); err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(summary(b))
			}
			return h.print(c, b, "intact")
		},
	}
}

// Load is the command that puts a bundle's files into a folder.
func (h Host) Load() *cli.Command {
	return &cli.Command{
		Name:      "load",
		Usage:     "put what is in a bundle into a folder, from which it runs as it is",
		ArgsUsage: h.argument(),
		Description: "Everything is checked before it is written. A load that was interrupted is continued by the same command.\n" +
			"Nothing is run, and nothing outside the folder is written.\n\nExamples:\n" +
			h.example("load FILE --dir /opt/aigw --key site.pub") + "\n" + h.example("load FILE --dir /opt/aigw --allow-unsigned"),
		Flags: append(trustFlags(),
			&cli.StringFlag{Name: "dir", Usage: "`FOLDER` to load into; it is made if need be", TakesFile: true},
			&cli.Int64Flag{Name: "max-size", Usage: "most `BYTES` to write; 0 is what the disk has"},
		),
		OnUsageError: h.OnUsageError,
		Action: func(c *cli.Context) error {
			b, err := h.open(c)
			if err != nil {
				return err
			}
			defer b.Close()
			dir := c.String("dir")
			if dir == "" {
				return h.Usagef("name the folder to load into with --dir FOLDER")
			}
			done, err := b.Load(c.Context, dir, bundle.LoadOptions{MaxBytes: c.Int64("max-size"), Progress: h.Progress(c, "loading")})
			if err != nil {
				return err
			}
			start := b.Manifest.StartCommands(dir)
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(struct {
					bundleSummary
					Dir       string   `json:"dir"`
					Written   int      `json:"written"`
					Continued int      `json:"continued"`
					There     int      `json:"there"`
					Start     []string `json:"start"`
				}{summary(b), dir, done.Written, done.Continued, done.There, start})
			}
			if err := h.print(c, b, fmt.Sprintf("loaded into %s: %d files written, %d were there", dir, done.Written, done.There)); err != nil {
				return err
			}
			if len(start) == 0 {
				return nil
			}
			_, err = fmt.Fprintf(c.App.Writer, "Start it with:\n  %s\n", strings.Join(start, "\n  "))
			return err
		},
	}
}

// open opens the bundle that the command line means. Flags may also stand behind the name.
func (h Host) open(c *cli.Context) (*bundle.Bundle, error) {
	names, err := h.Arguments(c)
	if err != nil {
		return nil, err
	}
	path := h.Self
	switch {
	case h.Self == "" && len(names) == 1:
		path = names[0]
	case h.Self == "":
		return nil, h.Usagef("one bundle is expected; see %s %s --help", h.Call, c.Command.Name)
	case len(names) > 0:
		return nil, h.Usagef("%q is left over: this program loads the bundle that it stands in", names[0])
	}
	trust := bundle.Trust{AllowUnsigned: c.Bool("allow-unsigned")}
	if file := c.String("key"); file != "" {
		var key ed25519.PublicKey
		if key, err = bundle.ReadPublicKey(file); err != nil {
			return nil, err
		}
		trust.Key = key
	}
	return bundle.Open(path, trust)
}

// bundleSummary is what --json prints of a bundle.
type bundleSummary struct {
	Name    string    `json:"name"`
	Version string    `json:"version"`
	System  string    `json:"system"`
	Created time.Time `json:"created"`
	Signed  bool      `json:"signed"`
	Checked bool      `json:"signature_checked"`
	Files   int       `json:"files"`
	Bytes   int64     `json:"bytes"`
}

func summary(b *bundle.Bundle) bundleSummary {
	m := b.Manifest
	return bundleSummary{m.Name, m.Version, m.System, m.Created, b.Signed, b.Checked, len(m.Members), m.Total()}
}

func (h Host) print(c *cli.Context, b *bundle.Bundle, what string) error {
	m := b.Manifest
	signed := "nobody signed it"
	switch {
	case b.Checked:
		signed = "signed by the key that was named"
	case b.Signed:
		signed = "signed, not checked"
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s: %d files, %d bytes, for %s, made %s by aigw %s; %s; %s\n",
		m.Name, len(m.Members), m.Total(), m.System, m.Created.Format(time.DateOnly), m.Version, signed, what)
	return err
}
