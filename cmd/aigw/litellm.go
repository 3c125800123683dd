package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"aigw/models/litellm"

	"github.com/urfave/cli/v2"
)

// litellmFlag names the configuration of a LiteLLM proxy that this program takes the place of.
func litellmFlag() cli.Flag {
	return &cli.StringFlag{Name: "litellm-config", Usage: "LiteLLM's config.yaml `FILE`: its names stand for stored models, for --model and, if they all mean one, without it", EnvVars: []string{"AIGW_LITELLM_CONFIG"}, TakesFile: true}
}

// litellmModel returns what --model would have to be, by the names of a LiteLLM configuration:
// NAME=STORED for the alias that --model names, --model itself if it names none, and without
// --model the stored model that the configuration means. Entries without weights are logged.
func litellmModel(c *cli.Context, log *slog.Logger, path string) (string, error) {
	entries, err := litellm.ReadFile(path)
	if err != nil {
		return "", plainPathError(err)
	}
	s, err := openStore(c)
	if err != nil {
		return "", err
	}
	aliases, missing := litellm.Resolve(entries, func(name string) bool {
		_, err := s.Find(name)
		return err == nil
	})
	for _, m := range missing {
		log.Warn(filepath.Base(path) + " " + m.String())
	}
	asked := c.String("model")
	var stored, names []string
	for _, a := range aliases {
		names = append(names, a.Name)
		if a.Name == asked {
			log.Info("name from the LiteLLM configuration", "name", a.Name, "model", a.Stored)
			return alias(a), nil
		}
		if !slices.Contains(stored, a.Stored) {
			stored = append(stored, a.Stored)
		}
	}
	switch {
	case asked != "":
		return asked, nil
	case len(stored) == 0:
		return "", fmt.Errorf("%s: none of its %d models has local weights; import one with aigw models import, or name one with --model", path, len(entries))
	case len(stored) > 1:
		return "", fmt.Errorf("%s names several models with local weights, and one is served; choose it with --model, one of: %s", path, strings.Join(names, ", "))
	}
	log.Info("names from the LiteLLM configuration", "names", names, "model", stored[0])
	return alias(aliases[0]), nil
}

// alias is an argument of --model. A name that cannot stand before = is left out.
func alias(a litellm.Alias) string {
	if strings.ContainsAny(a.Name, "=/") {
		return a.Stored
	}
	return a.Name + "=" + a.Stored
}
