package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"aigw/models"
	"aigw/models/store"

	"github.com/urfave/cli/v2"
)

// familyFlag lets the operator say what a file does not: some families differ by name only.
func familyFlag() cli.Flag {
	return &cli.StringFlag{Name: "family", Usage: "`[NAME=]FAMILY[:ROLE]` of a model where its file does not tell, such as codestral, or old=starcoder:base; several are separated by commas, and aigw models inspect shows what is found without it", EnvVars: []string{"AIGW_FAMILY"}}
}

// saidFamily is one family that the operator has set.
type saidFamily struct {
	name string // of the model; empty: of the only one
	models.Operator
}

func saidFamilies(c *cli.Context) ([]saidFamily, error) {
	var out []saidFamily
	for text := range strings.SplitSeq(c.String("family"), ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		var one saidFamily
		name, rest, named := strings.Cut(text, "=")
		if !named {
			name, rest = "", text
		}
		family, role, _ := strings.Cut(rest, ":")
		one.name, one.Family, one.Role = strings.TrimSpace(name), models.Family(strings.TrimSpace(family)), models.Role(strings.TrimSpace(role))
		if named && one.name == "" || one.Family == "" {
			return nil, usagef("--family %q: [NAME=]FAMILY[:ROLE] is expected, such as codestral or old=starcoder:base", text)
		}
		if !slices.Contains([]models.Role{"", models.Base, models.Instruct}, one.Role) {
			return nil, usagef("--family %q: a role is %s or %s", text, models.Base, models.Instruct)
		}
		if slices.ContainsFunc(out, func(o saidFamily) bool { return strings.EqualFold(o.name, one.name) }) {
			return nil, usagef("--family %q: the family of that model is set twice", text)
		}
		out = append(out, one)
	}
	return out, nil
}

// familyOf is what the operator has said of a model that is known by some names. The file's own name is one of
// them.
func familyOf(c *cli.Context, path string, names ...string) (models.Operator, error) {
	said, err := saidFamilies(c)
	if err != nil {
		return models.Operator{}, err
	}
	names = append(names, stem(path))
	for _, s := range said {
		if s.name != "" && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s.name) }) {
			return s.Operator, nil
		}
	}
	for _, s := range said {
		if s.name == "" {
			return s.Operator, nil
		}
	}
	return models.Operator{}, nil
}

// stem is the name of a file, for people.
func stem(path string) string { return strings.TrimSuffix(filepath.Base(path), ".gguf") }

// familyText is the value of --family for a child that looks at one file.
func familyText(o models.Operator) string {
	if o.Role == "" {
		return string(o.Family)
	}
	return fmt.Sprintf("%s:%s", o.Family, o.Role)
}

// checkFamilies refuses families of models that there are not, and one for all where there are several.
func (s *modelSet) checkFamilies(c *cli.Context) error {
	said, err := saidFamilies(c)
	if err != nil {
		return err
	}
	for _, one := range said {
		switch {
		case one.name == "" && len(s.files) > 1:
			return usagef("--family %s: there are %d models; say which one, as in --family %s=%s", one.Family, len(s.files), s.files[0].name, one.Family)
		case one.name == "" || s.find(one.name) != nil || slices.ContainsFunc(s.files, func(m *modelFile) bool { return strings.EqualFold(stem(m.path), one.name) }):
		default:
			text := fmt.Sprintf("--family %s=%s: no model that is loaded is called so", one.name, one.Family)
			if nearest := store.Nearest(one.name, s.names()); nearest != "" {
				text += fmt.Sprintf("; did you mean %q?", nearest)
			}
			return usagef("%s; loaded are: %s", text, strings.Join(s.names(), ", "))
		}
	}
	return nil
}
