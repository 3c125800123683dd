package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a file of settings, in bytes.
const maxFile = 1 << 20

// entry is one setting of a file.
type entry struct {
	values []string // several for a list
	where  string   // FILE:LINE
}

// known is what a file may set.
type known struct {
	flags     []string          // names, with dashes
	variables map[string]string // by path, such as logging.level
}

// file reads a YAML file of settings:
//
//	listen: 0.0.0.0:5052        # a flag of aigw run, with dashes or underscores
//	ca-file: [a.pem, b.pem]     # one that may be repeated
//	logging: {level: DEBUG}     # one of GitLab's variables, here AIGW_LOGGING__LEVEL
//
// What is unknown is an error, with the nearest that is known. It returns the settings of flags and
// of variables, by name.
func (k known) file(path string) (flags, variables map[string]entry, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("--config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("--config: %w", err)
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("--config: %s is larger than %d bytes", path, maxFile)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, nil, fmt.Errorf("--config: %s: %w", path, err)
	}
	r := reader{known: k, path: path, flags: map[string]entry{}, variables: map[string]entry{}}
	if len(document.Content) > 0 {
		r.mapping(document.Content[0], nil)
	}
	if len(r.wrong) > 0 {
		return nil, nil, errors.New("--config: " + strings.Join(r.wrong, "; "))
	}
	return r.flags, r.variables, nil
}

type reader struct {
	known
	path             string
	flags, variables map[string]entry
	wrong            []string
}

func (r *reader) complain(n *yaml.Node, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf("%s:%d: ", r.path, n.Line)+fmt.Sprintf(format, args...))
}

// mapping reads the settings below a path.
func (r *reader) mapping(n *yaml.Node, above []string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return
	case n.Kind != yaml.MappingNode:
		r.complain(n, "settings are expected, as name: value")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		path := append(slices.Clone(above), key.Value)
		flag, text := strings.ReplaceAll(key.Value, "_", "-"), strings.ToLower(strings.ReplaceAll(strings.Join(path, "."), "-", "_"))
		switch {
		case len(above) == 0 && slices.Contains(r.known.flags, flag):
			r.set(r.flags, flag, key, value, r.scalars)
		case r.known.variables[text] != "":
			r.set(r.variables, r.known.variables[text], key, value, r.variable)
		case value.Kind == yaml.MappingNode && len(path) < 4 && r.leadsOn(text):
			r.mapping(value, path)
		default:
			r.unknown(key, text)
		}
	}
}

// leadsOn reports whether a variable's path begins so.
func (r *reader) leadsOn(path string) bool {
	for k := range r.known.variables {
		if strings.HasPrefix(k, path+".") {
			return true
		}
	}
	return false
}

func (r *reader) unknown(key *yaml.Node, path string) {
	names := slices.Clone(r.known.flags)
	for k := range r.known.variables {
		names = append(names, k)
	}
	slices.Sort(names)
	hint := "; aigw config --schema lists all"
	if n := nearest(strings.ReplaceAll(path, "_", "-"), names); n != "" {
		hint = fmt.Sprintf("; did you mean %q?", n)
	} else if n := nearest(path, names); n != "" {
		hint = fmt.Sprintf("; did you mean %q?", n)
	}
	r.complain(key, "unknown setting %q%s", path, hint)
}

func (r *reader) set(into map[string]entry, name string, key, value *yaml.Node, read func(*yaml.Node) ([]string, bool)) {
	if _, twice := into[name]; twice {
		r.complain(key, "%s is set twice", key.Value)
		return
	}
	if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
		return // as if it was not there
	}
	values, ok := read(value)
	if !ok {
		r.complain(value, "%s: a value or a list of values is expected", key.Value)
		return
	}
	into[name] = entry{values, fmt.Sprintf("%s:%d", r.path, key.Line)}
}

// scalars reads the value of a flag.
func (r *reader) scalars(n *yaml.Node) ([]string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return []string{n.Value}, true
	case yaml.SequenceNode:
		var out []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, false
			}
			out = append(out, item.Value)
		}
		return out, true
	}
	return nil, false
}

// variable reads the value of a variable; lists and maps are JSON in the environment.
func (r *reader) variable(n *yaml.Node) ([]string, bool) {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}, true
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, false
	}
	text, err := json.Marshal(v)
	return []string{string(text)}, err == nil
}
