package main

import (
	"encoding/json"
	"flag"
	"strings"

	"github.com/urfave/cli/v2"
)

// modelArgs is the value of --model, which may be given several times. cli.StringSlice would cut
// the names of files at their commas.
type modelArgs struct {
	all []string
	env bool // it was set by the environment, which the command line replaces
}

var (
	_ cli.Generic    = (*modelArgs)(nil)
	_ cli.Serializer = (*modelArgs)(nil)
	_ flag.Getter    = (*modelArgs)(nil) // cli.Context.Value panics without it
)

func (a *modelArgs) String() string { return strings.Join(a.all, ", ") }

// Get implements flag.Getter.
func (a *modelArgs) Get() any { return a }

// serialized begins what Serialize makes: cli copies the values of a flag to its other names.
const serialized = "\x00models:"

// Set adds a model.
func (a *modelArgs) Set(value string) error {
	if list, ok := strings.CutPrefix(value, serialized); ok {
		return json.Unmarshal([]byte(list), &a.all)
	}
	if a.env {
		a.all = nil
	}
	// cli reads the environment before the command line.
	a.env = len(a.all) == 0 && !a.env && value == textEnv("AIGW_MODEL", "")
	a.all = append(a.all, value)
	return nil
}

// Serialize implements cli.Serializer.
func (a *modelArgs) Serialize() string {
	list, err := json.Marshal(a.all)
	if err != nil {
		panic(err) // texts only
	}
	return serialized + string(list)
}

// askedModels returns the values of --model.
func askedModels(c *cli.Context) []string {
	if a, ok := c.Generic("model").(*modelArgs); ok {
		return a.all
	}
	return nil
}

// askedModel returns the one value of --model, for commands that use one.
func askedModel(c *cli.Context) (string, error) {
	switch all := askedModels(c); len(all) {
	case 0:
		return "", usagef("no model: name a GGUF file with --model FILE")
	case 1:
		return all[0], nil
	default:
		return "", usagef("--model is given %d times; %s uses one model", len(all), c.Command.Name)
	}
}
