package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"aigw/bundle"
	"aigw/cmd/aigw/bundlecli"

	"github.com/urfave/cli/v2"
)

func bundleCommand() *cli.Command {
	h := bundlecli.Host{Usagef: usagef, OnUsageError: onUsageError, Arguments: positional, Progress: bytesProgress, Call: "aigw bundle"}
	return &cli.Command{
		Name:         "bundle",
		Usage:        "one file for the way to a machine without a network",
		Description:  "Examples:\n  aigw bundle create -o site.aigw --key site.pem --model codestral.gguf\n  aigw bundle verify site.aigw --key site.pub\n  aigw bundle load site.aigw --dir /opt/aigw --key site.pub",
		Subcommands:  []*cli.Command{bundleCreateCommand(), h.Verify(), h.Load()},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("aigw bundle has no command %q; see aigw bundle --help", c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

func bundleCreateCommand() *cli.Command {
	return &cli.Command{
		Name:  "create",
		Usage: "write program, models and documentation into one file that loads itself",
		Description: "On the other side: ./site.aigw load --dir /opt/aigw --key site.pub\n" +
			"The keys are made by: openssl genpkey -algorithm ed25519 -out site.pem; openssl pkey -in site.pem -pubout -out site.pub\n\n" +
			"Examples:\n" +
			"  aigw bundle create -o site.aigw --key site.pem --model codestral.gguf\n" +
			"  aigw bundle create -o site.aigw --key site.pem --model codestral.gguf --model mixtral-00001-of-00003.gguf --docs docs.index\n" +
			"  aigw bundle create -o site.aigw --key site.pem --image aigw-image.tar --chart ai-gateway-1.0.0.tgz --model codestral.gguf",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FILE` to write", TakesFile: true},
			&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: "GGUF `FILE`, any file of a split set, or the name of a stored model; may be repeated", TakesFile: true},
			&cli.StringSliceFlag{Name: "docs", Usage: "documentation index, a `FILE` or folder; may be repeated", TakesFile: true},
			&cli.StringSliceFlag{Name: "image", Usage: "container image as docker save writes it; may be repeated", TakesFile: true},
			&cli.StringSliceFlag{Name: "chart", Usage: "packed Helm chart or its folder; may be repeated", TakesFile: true},
			&cli.StringFlag{Name: "program", Usage: "`FOLDER` of an unpacked release (bin, lib), or a program; \"none\" leaves it out", DefaultText: "this program", TakesFile: true},
			&cli.StringFlag{Name: "key", Usage: "PEM `FILE` with the Ed25519 private key that signs", TakesFile: true, EnvVars: []string{"AIGW_BUNDLE_SIGNING_KEY"}},
			&cli.StringFlag{Name: "name", Usage: "what the bundle calls itself", DefaultText: "the name of the file"},
			storeFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		OnUsageError: onUsageError,
		Action:       bundleCreate,
	}
}

func bundleCreate(c *cli.Context) error {
	out := c.String("output")
	switch {
	case c.Args().Present():
		return usagef("%q is left over; files are named with --model, --docs, --image and --chart", c.Args().First())
	case out == "":
		return usagef("name the file to write with -o FILE")
	}
	o := bundle.CreateOptions{
		Name:    cmp.Or(c.String("name"), strings.TrimSuffix(filepath.Base(out), filepath.Ext(out))),
		Version: version, Created: created(), Progress: bytesProgress(c, "reading"),
	}
	if file := c.String("key"); file != "" {
		var err error
		if o.Key, err = bundle.ReadPrivateKey(file); err != nil {
			return err
		}
	}
	content, err := gatherBundle(c)
	if err != nil {
		return err
	}
	o.Loader, o.System, o.Start = content.loader, content.system, content.start(c)
	o.Papers = content.papers(o.Created)
	m, err := bundle.Create(c.Context, out, content.sources, o)
	if err != nil {
		return plainPathError(err)
	}
	return printCreated(c, out, m, content, o)
}

// created is the date that a bundle bears: SOURCE_DATE_EPOCH, where the same bytes are wanted twice.
func created() time.Time {
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(s, 0)
	}
	return time.Now()
}

func printCreated(c *cli.Context, out string, m *bundle.Manifest, content *bundleContent, o bundle.CreateOptions) error {
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	for _, w := range content.warnings {
		fmt.Fprintf(c.App.ErrWriter, "aigw: %s\n", w)
	}
	if o.Key == nil {
		fmt.Fprintln(c.App.ErrWriter, "aigw: nobody signed it: it is loaded with --allow-unsigned only. Sign it with --key FILE")
	}
	fingerprint := ""
	if o.Key != nil {
		if fingerprint, err = bundle.Fingerprint(o.Key.Public()); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(struct {
			File  string   `json:"file"`
			Bytes int64    `json:"bytes"`
			Files int      `json:"files"`
			Key   string   `json:"key,omitempty"` // SHA-256 of the public key
			Runs  bool     `json:"runs"`          // it has a loader
			Start []string `json:"start"`
		}{out, info.Size(), len(m.Members), fingerprint, m.Loader.Size > 0, m.Start})
	}
	load := "aigw bundle load " + out
	if m.Loader.Size > 0 {
		load = out
		if !strings.ContainsRune(out, filepath.Separator) {
			load = "./" + out
		}
		load += " load"
	}
	trust := "--allow-unsigned"
	if o.Key != nil {
		trust = "--key PUBLIC-KEY"
	}
	return printLine(c.App.Writer, "%s: %d files, %s. On the other machine: %s --dir /opt/aigw %s", out, len(m.Members), humanBytes(info.Size()), load, trust)
}
