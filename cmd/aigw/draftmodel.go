package main

import (
	"log/slog"

	"aigw/engine"

	"github.com/urfave/cli/v2"
)

// draftModelFlag names a small model that guesses what the large one will say.
func draftModelFlag() cli.Flag {
	return &cli.StringFlag{Name: "draft-model", Usage: "GGUF `FILE`, or name of a stored model, that guesses what the model will say: a small one with the same vocabulary; guesses are made while they pay", EnvVars: []string{"AIGW_DRAFT_MODEL"}, TakesFile: true}
}

// withDraftModel adds the draft model to the options of the one model that is loaded.
func withDraftModel(c *cli.Context, log *slog.Logger, options []engine.Options) error {
	name := c.String("draft-model")
	switch {
	case name == "":
		return nil
	case len(options) != 1:
		return usagef("--draft-model guesses for one model, and %d are loaded; leave it out, or run a gateway for each", len(options))
	case c.Int("draft-tokens") == 0:
		return usagef("--draft-model has no use with --draft-tokens 0")
	}
	m, err := openNamed(c, name)
	if err != nil {
		return err
	}
	if err := tryModel(c, log, m); err != nil {
		return err
	}
	options[0].DraftModel, options[0].DraftOverrides = m.path, m.what.Overrides
	return nil
}
