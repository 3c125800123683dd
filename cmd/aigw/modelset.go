package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"aigw/gateway/serving"
	"aigw/models"
	"aigw/models/litellm"
	"aigw/models/store"

	"github.com/urfave/cli/v2"
)

// modelSetFlags say which models run serves, and which of them answers what.
func modelSetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "models-dir", Usage: "serve every GGUF file or split set in this `FOLDER`; config.yaml there is read like --litellm-config", EnvVars: []string{"AIGW_MODELS_DIR"}, TakesFile: true},
		litellmFlag(),
		&cli.StringFlag{Name: "completion-model", Usage: "`NAME` of the model that completes code where a request names none that is loaded", EnvVars: []string{"AIGW_COMPLETION_MODEL"}},
		&cli.StringFlag{Name: "generation-model", Usage: "`NAME` of the model that generates code from instructions, likewise", EnvVars: []string{"AIGW_GENERATION_MODEL"}},
		&cli.StringFlag{Name: "chat-model", Usage: "`NAME` of the model that chats, likewise", EnvVars: []string{"AIGW_CHAT_MODEL"}},
	}
}

// modelSet is what run serves: files that have passed every check that needs no loading.
type modelSet struct {
	files []*modelFile // in the order in which they were named
	rules serving.Rules
}

// chooseModels collects the models of --model, --models-dir and --litellm-config. An empty set is
// no error: the server then runs without models.
func chooseModels(c *cli.Context, log *slog.Logger) (*modelSet, error) {
	if err := checkModelFlags(c); err != nil {
		return nil, err
	}
	s := &modelSet{rules: serving.Rules{Strict: c.Bool("strict-models")}}
	dir, err := s.readFolder(c, log)
	if err != nil {
		return nil, err
	}
	aliases, err := readAliases(c, log, dir)
	if err != nil {
		return nil, err
	}
	args := askedModels(c)
	if len(args) == 0 && len(s.files) == 0 {
		args = storedOf(aliases)
	}
	for _, arg := range args {
		if i := slices.IndexFunc(aliases, func(a litellm.Alias) bool { return a.Name == arg }); i >= 0 {
			log.Info("name from the LiteLLM configuration", "name", arg, "model", aliases[i].Stored)
			arg = aliases[i].Stored
		}
		open := openNamed
		if _, where := splitName(arg); isServer(where) {
			open = openServer
		}
		m, err := open(c, arg)
		if err != nil {
			return nil, err
		}
		if err := s.add(m); err != nil {
			return nil, err
		}
	}
	s.alias(c, aliases)
	if err := s.checkFamilies(c); err != nil {
		return nil, err
	}
	if err := s.checkNames(); err != nil {
		return nil, err
	}
	s.nameInGitLab(log)
	return s, s.chooseRoles(c)
}

// add appends a model. A file that is named twice counts once if one of the names is its own.
func (s *modelSet) add(m *modelFile) error {
	for i, other := range s.files {
		if other.path != m.path {
			continue
		}
		switch {
		case !m.named:
		case !other.named:
			s.files[i] = m
		case !strings.EqualFold(m.name, other.name):
			other.aliases = append(other.aliases, m.name)
		}
		return nil
	}
	s.files = append(s.files, m)
	return nil
}

// alias lets models answer to the names of LiteLLM's configuration. A model that was not named gets
// the first as its name: administrators know it by that.
func (s *modelSet) alias(c *cli.Context, aliases []litellm.Alias) {
	for _, a := range aliases {
		path := a.Stored
		if found, _, err := findModel(c, a.Stored); err == nil {
			path = found
		}
		for _, m := range s.files {
			if m.path != path {
				continue
			}
			if !m.named {
				m.name, m.named = a.Name, true
			} else if !strings.EqualFold(m.name, a.Name) {
				m.aliases = append(m.aliases, a.Name)
			}
		}
	}
}

// checkNames refuses two models that would answer to one name.
func (s *modelSet) checkNames() error {
	claimed := map[string]*modelFile{}
	for _, m := range s.files {
		for _, name := range append([]string{m.name}, m.aliases...) {
			key := strings.ToLower(name)
			if other := claimed[key]; other != nil && other != m {
				return usagef("two models are called %q: %s and %s; give one of them another name with --model NAME=FILE", name, other.path, m.path)
			}
			claimed[key] = m
		}
	}
	return nil
}

// nameInGitLab adds the names that GitLab has for a family, unless somebody gave them to another
// model or several models are of the family: then the gateway chooses among these by what a request
// wants (serving.Rules).
func (s *modelSet) nameInGitLab(log *slog.Logger) {
	claims := map[string]int{}
	for _, m := range s.files {
		for _, name := range m.what.NamesInGitLab() {
			claims[name]++
		}
	}
	for _, m := range s.files {
		for _, name := range append([]string{m.name}, m.aliases...) {
			claims[strings.ToLower(name)] += len(s.files) // nobody else's
		}
	}
	for _, m := range s.files {
		for _, name := range m.what.NamesInGitLab() {
			if claims[name] == 1 {
				m.aliases = append(m.aliases, name)
			} else if !strings.EqualFold(name, m.name) && !slices.Contains(m.aliases, name) {
				log.Debug("a name of GitLab's is claimed by several models", "name", name, "model", m.name)
			}
		}
	}
}

// chooseRoles checks --completion-model, --generation-model and --chat-model.
func (s *modelSet) chooseRoles(c *cli.Context) error {
	s.rules.Default = map[serving.Role]string{}
	for _, role := range []serving.Role{serving.Completion, serving.Generation, serving.Chat} {
		flag := string(role) + "-model"
		name := c.String(flag)
		if name == "" {
			continue
		}
		m := s.find(name)
		if m == nil {
			return s.unknown(flag, name)
		}
		if role == serving.Chat && m.what.Chat == models.NoChat {
			return usagef("--%s %s: it cannot chat: %s. It can be --completion-model or --generation-model: %s", flag, name, m.what.NoChat, m.describe())
		}
		s.rules.Default[role] = m.name
	}
	return nil
}

// find returns the model that answers to a name.
func (s *modelSet) find(name string) *modelFile {
	for _, m := range s.files {
		if slices.ContainsFunc(append([]string{m.name}, m.aliases...), func(n string) bool { return strings.EqualFold(n, name) }) {
			return m
		}
	}
	return nil
}

func (s *modelSet) unknown(flag, name string) error {
	if len(s.files) == 0 {
		return usagef("--%s %s: no model is loaded; name it with --model FILE, too", flag, name)
	}
	var all, others []string
	for _, m := range s.files {
		all = append(all, m.name)
		others = append(others, m.aliases...)
	}
	text := fmt.Sprintf("--%s %s: no model that is loaded is called so", flag, name)
	if nearest := store.Nearest(name, append(slices.Clone(all), others...)); nearest != "" {
		text += fmt.Sprintf("; did you mean %q?", nearest)
	}
	return usagef("%s; loaded are: %s", text, strings.Join(all, ", "))
}

// names are those that the models are shown with.
func (s *modelSet) names() []string {
	var out []string
	for _, m := range s.files {
		out = append(out, m.name)
	}
	return out
}

// local are the models that are files here.
func (s *modelSet) local() []*modelFile {
	return slices.DeleteFunc(slices.Clone(s.files), func(m *modelFile) bool { return m.server != nil })
}

// storedOf returns the models that aliases stand for, each once.
func storedOf(aliases []litellm.Alias) []string {
	var out []string
	for _, a := range aliases {
		if !slices.Contains(out, a.Stored) {
			out = append(out, a.Stored)
		}
	}
	return out
}

// label is a short name for a list of models.
func (s *modelSet) label() string {
	if len(s.files) == 1 && s.files[0].server == nil {
		return filepath.Base(s.files[0].path)
	}
	return fmt.Sprintf("%d models", len(s.files))
}
