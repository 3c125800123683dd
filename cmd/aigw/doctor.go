package main

import (
	"fmt"
	"io"
	"strings"

	"aigw/cmd/aigw/doctor"

	"github.com/urfave/cli/v2"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Aliases:   []string{"check"},
		Usage:     "check everything that aigw run needs, and say what to do about what is wrong",
		ArgsUsage: " ",
		Description: "It takes the flags of aigw run and reads the same variables and files. Without --url it loads the model\n" +
			"itself and asks it for a completion, with authentication on and a token of its own; with --url it asks a\n" +
			"gateway that runs. The exit code is 1 if a check failed.\n\n" +
			"Examples:\n" +
			"  aigw doctor --model codestral.gguf\n" +
			"  aigw doctor --config /etc/aigw/config.yaml --json\n" +
			"  aigw doctor --offline    # do not ask GitLab\n" +
			"  aigw check --url http://127.0.0.1:5052",
		Flags: append(runFlags(),
			&cli.StringFlag{Name: "url", Usage: "`URL` of a gateway that runs, to check in place of loading the model here"},
			&cli.BoolFlag{Name: "offline", Usage: "leave out what needs a connection to GitLab"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		),
		OnUsageError: onUsageError,
		Action:       runDoctor,
	}
}

func runDoctor(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("doctor takes flags only, %q is left over", c.Args().First())
	}
	out, show := c.App.Writer, func(r doctor.Result) { doctor.Print(c.App.Writer, r) }
	if c.Bool("json") {
		show = func(doctor.Result) {}
	}
	results := doctor.Run(c.Context, checks(c), show)
	if c.Bool("json") {
		if err := doctor.PrintJSON(out, results); err != nil {
			return err
		}
	}
	if n := doctor.Failures(results); n > 0 {
		var names []string
		for _, r := range results {
			if r.Status == doctor.Failed {
				names = append(names, r.Name)
			}
		}
		return fmt.Errorf("%d of %d checks failed: %s", n, len(results), strings.Join(names, ", "))
	}
	return nil
}

// checks are in the order in which a start would come upon them.
func checks(c *cli.Context) []doctor.Check {
	p := &patient{cli: c, quiet: &cli.App{Writer: io.Discard, ErrWriter: io.Discard}}
	return []doctor.Check{
		{Name: "settings", Run: p.settings},
		{Name: "program", Run: p.program},
		{Name: "gitlab-url", Run: p.gitlabURL},
		{Name: "custom-models", Run: p.customModels},
		{Name: "authentication", Run: p.authentication},
		{Name: "state-folder", Run: p.stateFolder},
		{Name: "signing-key", Run: p.signingKey},
		{Name: "ca-files", Run: p.caFiles},
		{Name: "certificate", Run: p.certificate},
		{Name: "gitlab", Run: p.gitlab},
		{Name: "tls-chain", Run: p.tlsChain},
		{Name: "clock", Run: p.clock},
		{Name: "keys", Run: p.keys},
		{Name: "ports", Run: p.ports},
		{Name: "docs-index", Run: p.docsIndex},
		{Name: "model", Run: p.model},
		{Name: "model-servers", Run: p.modelServers},
		{Name: "memory", Run: p.memory},
		{Name: "load", Run: p.load},
		{Name: "calibration", Run: p.calibration},
		{Name: "sample-token", Run: p.sampleToken},
		{Name: "completion", Run: p.completion},
	}
}
