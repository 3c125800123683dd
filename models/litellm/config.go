// Package litellm reads the configuration of the LiteLLM proxy that GitLab's documentation puts in
// front of Ollama, so that the names in it go on working with weights of this machine.
//
//	model_list:
//	  - model_name: codestral
//	    litellm_params:
//	      model: ollama/codestral:22b
//	      api_base: http://localhost:11434
//
// The form is that of LiteLLM's config.yaml. Only the names are used; addresses, keys and all
// other settings mean nothing to a model that runs in this process.
package litellm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// limit is the largest configuration that is read, in bytes; real ones have a few kB.
const limit = 1 << 20

// Entry is a model of the list.
type Entry struct {
	Name  string // model_name, under which clients ask for it
	Model string // litellm_params.model, provider/model
	Line  int    // in the file, from 1
}

// ReadFile reads the configuration at path.
func ReadFile(path string) ([]Entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entries, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entries, nil
}

// Read reads a configuration. What is no list of models is refused with its line.
func Read(src io.Reader) ([]Entry, error) {
	data, err := io.ReadAll(io.LimitReader(src, limit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("is larger than %d MiB, which no LiteLLM configuration is", limit>>20)
	}
	var config struct {
		Models yaml.Node `yaml:"model_list"`
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("is no LiteLLM configuration: %s", oneLine(err))
	}
	if config.Models.Kind == 0 {
		return nil, errors.New("has no model_list; give the config.yaml of LiteLLM")
	}
	if config.Models.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: model_list is no list; each of its entries begins with a dash", config.Models.Line)
	}
	var all []Entry
	for _, node := range config.Models.Content {
		e, err := readEntry(node)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		all = append(all, e)
	}
	return all, nil
}

func readEntry(node *yaml.Node) (Entry, error) {
	var entry struct {
		Name   string `yaml:"model_name"`
		Params struct {
			Model string `yaml:"model"`
		} `yaml:"litellm_params"`
	}
	if err := node.Decode(&entry); err != nil {
		return Entry{}, fmt.Errorf("is no model: %s", oneLine(err))
	}
	switch {
	case entry.Name == "":
		return Entry{}, errors.New("a model without model_name, the name that clients ask for")
	case entry.Params.Model == "":
		return Entry{}, fmt.Errorf("%q has no litellm_params.model, such as ollama/codestral:22b", entry.Name)
	}
	return Entry{Name: entry.Name, Model: entry.Params.Model, Line: node.Line}, nil
}

// oneLine joins the lines of the YAML library's errors.
func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	return strings.Join(strings.Fields(text), " ")
}
