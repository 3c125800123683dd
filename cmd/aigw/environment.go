package main

import (
	"fmt"
	"os"
	"strings"
)

// GitLab's own variables are read as its gateway reads them: names in any case, and more
// words for yes and no than Go knows (section 13 of the wire contract).

// lookupEnv returns a variable's value: from the environment, whatever the case of its name, or from
// the files that stand in for it.
func lookupEnv(name string) (string, bool) {
	if s := set.Load(); s != nil {
		value, _, ok := s.Lookup(name)
		return value, ok
	}
	if v, ok := os.LookupEnv(name); ok {
		return v, true
	}
	for _, entry := range os.Environ() {
		if key, value, _ := strings.Cut(entry, "="); strings.EqualFold(key, name) {
			return value, true
		}
	}
	return "", false
}

// boolEnv reads a switch. A variable that is not set, or empty, is off.
func boolEnv(name string) (bool, error) {
	value, _ := lookupEnv(name)
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "1", "yes", "on", "y", "t":
		return true, nil
	case "", "false", "0", "no", "off", "n", "f":
		return false, nil
	}
	return false, fmt.Errorf("%s=%q: true or false is expected", name, value)
}

// textEnv reads a variable, or returns otherwise where it is not set or empty.
func textEnv(name, otherwise string) string {
	if v, _ := lookupEnv(name); v != "" {
		return v
	}
	return otherwise
}
