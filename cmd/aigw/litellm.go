package main

import (
	"log/slog"
	"path/filepath"

	"aigw/models/litellm"

	"github.com/urfave/cli/v2"
)

// litellmFlag names the configuration of a LiteLLM proxy that this program takes the place of.
func litellmFlag() cli.Flag {
	return &cli.StringFlag{Name: "litellm-config", Usage: "LiteLLM's config.yaml `FILE`: its names stand for stored models; without --model all that have weights are served", EnvVars: []string{"AIGW_LITELLM_CONFIG"}, TakesFile: true}
}

// litellmAliases returns the names of a LiteLLM configuration that have weights: files of
// --models-dir, by name, or stored models. Others are logged, one line each.
func litellmAliases(c *cli.Context, log *slog.Logger, path string, files map[string]string) ([]litellm.Alias, error) {
	entries, err := litellm.ReadFile(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	s, err := openStore(c)
	if err != nil {
		return nil, err
	}
	aliases, missing := litellm.Resolve(entries, func(name string) bool {
		if inFolder(files, name) != "" {
			return true
		}
		_, err := s.Find(name)
		return err == nil
	})
	for _, m := range missing {
		log.Warn(filepath.Base(path) + " " + m.String())
	}
	for i, a := range aliases {
		if file := inFolder(files, a.Stored); file != "" {
			aliases[i].Stored = file
		}
	}
	return aliases, nil
}
