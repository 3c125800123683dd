package litellm

import (
	"fmt"
	"strings"
)

// Alias is a name of the configuration that local weights answer to.
type Alias struct {
	Name   string
	Stored string // name in the model store
}

// Missing is an entry that no local weights answer to.
type Missing struct{ Entry Entry }

// String is one line about it.
func (m Missing) String() string {
	e := m.Entry
	text := fmt.Sprintf("line %d: %q (%s) has no local weights", e.Line, e.Name, e.Model)
	provider, reference := split(e.Model)
	if provider == "ollama" || provider == "ollama_chat" {
		return fmt.Sprintf("%s; import them with: aigw models import OLLAMA_FOLDER %s", text, reference)
	}
	return fmt.Sprintf("%s; import a GGUF file of it with: aigw models import --name %s FILE", text, e.Name)
}

// Resolve finds the stored model of each entry; stored tells whether there is one of a name. Of
// several entries with one name, among which LiteLLM spreads requests, the first with weights
// counts.
func Resolve(entries []Entry, stored func(name string) bool) (aliases []Alias, missing []Missing) {
	found := map[string]bool{}
	for _, e := range entries {
		if found[e.Name] {
			continue
		}
		name := e.find(stored)
		if name == "" {
			missing = append(missing, Missing{e})
			continue
		}
		found[e.Name] = true
		aliases = append(aliases, Alias{e.Name, name})
	}
	return aliases, missing
}

// find returns the stored model that the entry means: the one imported from that Ollama model,
// or the one that has the entry's own name. Another tag is another model: it is never taken.
func (e Entry) find(stored func(string) bool) string {
	_, reference := split(e.Model)
	// As an import from an Ollama store names models: namespace-model:tag, without latest.
	imported := strings.TrimSuffix(strings.ReplaceAll(reference, "/", "-"), ":latest")
	for _, name := range []string{imported, strings.ReplaceAll(imported, ":", "-"), e.Name} {
		if stored(name) {
			return name
		}
	}
	return ""
}

// split takes provider/model apart. Without a slash there is no provider.
func split(model string) (provider, reference string) {
	if provider, reference, ok := strings.Cut(model, "/"); ok {
		return provider, reference
	}
	return "", model
}
