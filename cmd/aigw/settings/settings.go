// Package settings collects what was set, and where: on the command line, in the environment, in a
// file .env in the working folder, or in the YAML file of --config. The first of these that has a
// setting decides.
//
// GitLab's names are read as its gateway reads them: in any case (section 13 of the wire contract).
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"
	"github.com/urfave/cli/v2"
)

// DotEnv is the file in the working folder that is read like the environment.
const DotEnv = ".env"

// Settings is what was set outside the command line. It is not changed once read, and a nil one is
// the environment alone.
type Settings struct {
	environment map[string]string // by upper-case name
	dotEnv      map[string]string
	variables   map[string]entry // of the YAML file
	flags       map[string]entry
	// Origins says for each flag that was set by which layer.
	Origins map[string]string
	// Unknown has a line for each variable that nobody reads.
	Unknown []string
}

// Environment returns the process's own variables and those of .env.
func Environment() (*Settings, error) {
	s := &Settings{environment: map[string]string{}, dotEnv: map[string]string{}, Origins: map[string]string{}}
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		upper := strings.ToUpper(name)
		// The exact name wins over other spellings.
		if _, exact := os.LookupEnv(upper); upper == name || !exact {
			s.environment[upper] = value
		}
	}
	values, err := godotenv.Read(DotEnv)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("%s in this folder: %w", DotEnv, err)
	}
	for name, value := range values {
		s.dotEnv[strings.ToUpper(name)] = value
	}
	return s, nil
}

// Lookup returns a variable's value and where it was set.
func (s *Settings) Lookup(name string) (value, origin string, ok bool) {
	if s == nil {
		value, ok = os.LookupEnv(name)
		return value, "environment", ok
	}
	if v, ok := s.environment[name]; ok {
		return v, "environment", true
	}
	if v, ok := s.dotEnv[name]; ok {
		return v, DotEnv, true
	}
	if e, ok := s.variables[name]; ok {
		return e.values[0], e.where, true
	}
	return "", "", false
}

// Apply reads the file at path, which may be "", and sets the flags of c that are not on the command
// line. args is the command line. known are all variables with a meaning to some command.
func (s *Settings) Apply(c *cli.Context, path string, args, knownVariables []string) error {
	k := known{variables: map[string]string{}}
	for _, v := range Variables {
		k.variables[strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(v.Name, Prefix), "__", "."))] = v.Name
	}
	for _, f := range c.Command.Flags {
		if name := f.Names()[0]; name != "config" && name != "help" {
			k.flags = append(k.flags, name)
		}
	}
	if path != "" {
		var err error
		if s.flags, s.variables, err = k.file(path); err != nil {
			return err
		}
	}
	for _, f := range c.Command.Flags {
		if err := s.apply(c, f, args); err != nil {
			return err
		}
	}
	s.Unknown = s.unknown(knownVariables)
	return nil
}

// apply sets one flag, unless the command line does.
func (s *Settings) apply(c *cli.Context, f cli.Flag, args []string) error {
	name := f.Names()[0]
	for _, n := range f.Names() {
		if onCommandLine(args, n) {
			s.Origins[name] = "--" + name
			return nil
		}
	}
	set := func(values []string, origin string) error {
		for _, v := range values {
			if _, isSwitch := f.(*cli.BoolFlag); isSwitch {
				v = asBool(v)
			}
			if err := c.Set(name, v); err != nil {
				return fmt.Errorf("%s: --%s cannot be %q: %w", origin, name, v, err)
			}
		}
		s.Origins[name] = origin
		return nil
	}
	if v, ok := f.(cli.DocGenerationFlag); ok {
		for _, variable := range v.GetEnvVars() {
			value, origin, found := s.Lookup(variable)
			if !found || value == "" {
				continue
			}
			if _, exact := os.LookupEnv(variable); exact { // urfave/cli has set it
				s.Origins[name] = "environment " + variable
				return nil
			}
			return set([]string{value}, origin+" "+variable)
		}
	}
	if e, ok := s.flags[name]; ok {
		return set(e.values, e.where)
	}
	return nil
}

// asBool spells the words for yes and no that GitLab's gateway and YAML know as Go does.
func asBool(word string) string {
	switch strings.ToLower(word) {
	case "yes", "on", "y":
		return "true"
	case "no", "off", "n":
		return "false"
	}
	return word
}

// onCommandLine reports whether a flag was given.
func onCommandLine(args []string, name string) bool {
	return slices.ContainsFunc(args, func(a string) bool {
		a, _, _ = strings.Cut(a, "=")
		return a == "--"+name || a == "-"+name
	})
}

// unknown returns a line for each variable with the program's prefix that has no meaning.
func (s *Settings) unknown(knownVariables []string) []string {
	all := slices.Clone(knownVariables)
	for _, v := range Variables {
		all = append(all, v.Name)
	}
	var out []string
	names := slices.Concat(slices.Collect(maps.Keys(s.environment)), slices.Collect(maps.Keys(s.dotEnv)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !strings.HasPrefix(name, Prefix) || accepted(name) || slices.Contains(all, name) {
			continue
		}
		line := name + " is set and means nothing"
		if n := nearest(name, all); n != "" {
			line += "; did you mean " + n + "?"
		}
		out = append(out, line)
	}
	return out
}
