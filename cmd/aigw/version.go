package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"aigw/engine"

	"github.com/urfave/cli/v2"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version, the llama.cpp release and what it was built for",
		Description: "Examples:\n" +
			"  aigw version\n" +
			"  aigw version --json",
		Flags:        []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print one JSON object"}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			info, err := engine.About()
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(struct {
					Version string `json:"version"`
					Go      string `json:"go"`
					engine.Info
				}{version, runtime.Version(), info})
			}
			fmt.Fprintf(c.App.Writer, "aigw %s (%s)\nllama.cpp %s, ggml %s, linked %s\nback ends: %s\nCPU features: %s\n",
				version, runtime.Version(), info.Llama, info.GGML, info.Linkage,
				strings.Join(info.Backends, ", "), strings.Join(info.CPUFeatures, " "))
			for _, v := range info.CPUVariants {
				fmt.Fprintf(c.App.Writer, "CPU variant %s: %s\n", v.Name, variantState(v.Score, v.Fault))
			}
			for _, u := range info.Unloadable {
				fmt.Fprintf(c.App.Writer, "back end %s: cannot be loaded: %s\n", u.File, u.Reason)
			}
			for _, d := range info.Devices {
				fmt.Fprintf(c.App.Writer, "device %s: %s, %d MiB\n", d.Name, d.Description, d.TotalBytes>>20)
			}
			return nil
		},
	}
}

// variantState says what a trial of a CPU variant showed.
func variantState(score int, fault string) string {
	switch {
	case fault != "":
		return "not used, failed its test: " + fault
	case score == 0:
		return "for other CPUs"
	}
	return fmt.Sprintf("works here, rated %d", score)
}
