package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"aigw/search"

	"github.com/urfave/cli/v2"
)

// indexInfo is what `aigw docs info --json` prints.
type indexInfo struct {
	Index   string `json:"index"`
	Healthy bool   `json:"healthy"`
	Problem string `json:"problem,omitempty"`
	*search.Manifest
}

func docsInfoCommand() *cli.Command {
	return &cli.Command{
		Name:      "info",
		Usage:     "say what an index is made of, and whether it is whole",
		ArgsUsage: "INDEX",
		Description: "Every file is compared with its checksum. The exit code is 1 if the index cannot be used.\n\n" +
			"Examples:\n" +
			"  aigw docs info docs.index\n" +
			"  aigw docs info docs.index --json",
		Flags:        []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			args, err := positional(c)
			if err != nil {
				return err
			}
			if len(args) != 1 {
				return usagef("one INDEX is expected; see aigw docs info --help")
			}
			return describeIndex(c, args[0])
		},
	}
}

func describeIndex(c *cli.Context, dir string) error {
	info := indexInfo{Index: dir, Healthy: true}
	var err error
	if info.Manifest, err = search.ReadManifest(dir); err == nil {
		var x *search.Index
		if x, err = search.Open(dir); err == nil {
			err = x.Close()
		}
	}
	if err != nil {
		info.Healthy, info.Problem = false, err.Error()
	}
	switch {
	case c.Bool("json"):
		if printErr := json.NewEncoder(c.App.Writer).Encode(info); printErr != nil {
			return printErr
		}
	case info.Manifest != nil:
		if printErr := printIndex(c, info); printErr != nil {
			return printErr
		}
	}
	return err
}

func printIndex(c *cli.Context, info indexInfo) error {
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	health := "whole"
	if !info.Healthy {
		health = "damaged"
	}
	fmt.Fprintf(w, "index\t%s, %s, %s\n", info.Index, humanBytes(info.Bytes()), health)
	if info.VersionTag != "" {
		fmt.Fprintf(w, "version\t%s\n", info.VersionTag)
	}
	fmt.Fprintf(w, "built\t%s by aigw %s, format %d\n", info.Created.Format(time.RFC3339), info.Builder, info.Format)
	fmt.Fprintf(w, "holds\t%d pages, %d passages\n", info.Pages, info.Passages)
	for _, collection := range info.Collections {
		fmt.Fprintf(w, "%s\t%d pages, %d passages, from %s\n", collectionName(collection), collection.Pages, collection.Passages, collection.From)
	}
	for _, line := range info.Attribution() {
		fmt.Fprintf(w, "licence\t%s\n", line)
	}
	return w.Flush()
}

func collectionName(c search.CollectionInfo) string {
	if c.Name == "" {
		return "pages"
	}
	return c.Name
}
