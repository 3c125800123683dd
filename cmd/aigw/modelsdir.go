package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"aigw/models/litellm"

	"github.com/urfave/cli/v2"
)

// laterPart matches the files of a split set but the first.
var laterPart = regexp.MustCompile(`-\d{5}-of-\d{5}\.gguf$`)

// readFolder opens every model of --models-dir. A file that cannot be used is left out with a
// warning: folders hold adapters and projectors too. The result maps names to paths.
func (s *modelSet) readFolder(c *cli.Context, log *slog.Logger) (map[string]string, error) {
	dir := c.String("models-dir")
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("--models-dir: %w", plainPathError(err))
	}
	found := map[string]string{}
	files := 0
	for _, e := range entries { // sorted by name
		if !strings.EqualFold(filepath.Ext(e.Name()), ".gguf") {
			continue
		}
		if set := laterPart.FindString(e.Name()); set != "" && !strings.HasPrefix(set, "-00001-of-") {
			continue
		}
		files++
		path := filepath.Join(dir, e.Name())
		said, err := familyOf(c, path, laterPart.ReplaceAllString(stem(path), ""))
		if err != nil {
			return nil, err
		}
		m, err := recognise(path, said)
		if err == nil {
			err = m.what.Err(path)
		}
		if err != nil {
			log.Warn("a file of --models-dir is left out", "reason", hinted(err))
			continue
		}
		m.name = strings.TrimSuffix(laterPart.ReplaceAllString(e.Name(), ""), filepath.Ext(e.Name()))
		if err := s.add(m); err != nil {
			return nil, err
		}
		found[m.name] = m.path
	}
	if files == 0 && len(s.files) == 0 {
		// A container is often started before its volume is filled: GitLab's checks should answer then.
		log.Warn("no model: put one in " + dir + " and start again")
		return nil, nil
	}
	if len(s.files) == 0 {
		return nil, fmt.Errorf("--models-dir %s: none of its %d GGUF files can be used; put models there, or name one with --model FILE", dir, files)
	}
	return found, nil
}

// inFolder finds the file of a folder that a name of LiteLLM's means: the file's own, or the only
// one that has more behind it, as codestral-22b-v0.1.Q4_K_M for codestral-22b.
func inFolder(files map[string]string, name string) string {
	name = strings.TrimSuffix(name, ".gguf")
	only, n := "", 0
	for stem, path := range files {
		if strings.EqualFold(stem, name) {
			return path
		}
		if len(stem) > len(name) && strings.EqualFold(stem[:len(name)], name) && strings.ContainsRune("-_.", rune(stem[len(name)])) {
			only, n = path, n+1
		}
	}
	if n == 1 {
		return only
	}
	return ""
}

// readAliases reads the names of --litellm-config and of config.yaml in --models-dir, whose files are
// known. An alias stands for a path or a stored model. Entries without weights are logged.
func readAliases(c *cli.Context, log *slog.Logger, files map[string]string) ([]litellm.Alias, error) {
	var out []litellm.Alias
	if dir := c.String("models-dir"); dir != "" {
		path := filepath.Join(dir, "config.yaml")
		if _, err := os.Stat(path); err == nil {
			if out, err = litellmAliases(c, log, path, files); err != nil {
				return nil, err
			}
		}
	}
	if path := c.String("litellm-config"); path != "" {
		more, err := litellmAliases(c, log, path, files)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 && len(askedModels(c)) == 0 && len(files) == 0 {
			return nil, fmt.Errorf("%s: none of its models has local weights; import one with aigw models import, or name one with --model", path)
		}
		out = append(out, more...)
	}
	return out, nil
}
