package models

import (
	"path/filepath"
	"regexp"
	"strings"

	"aigw/models/gguf"
)

// name is something that a file is called, and where that stands.
type name struct{ source, text string }

// names returns what a file is called, the most reliable first. Often the first is the name of a
// folder or a hash.
func names(f *gguf.File) []name {
	var out []name
	for _, key := range []string{"general.name", "general.basename", "general.finetune", "general.size_label"} {
		if text, ok := f.Text(key); ok && text != "" {
			out = append(out, name{key, text})
		}
	}
	if tags, ok := f.Array("general.tags"); ok && tags.Type == gguf.StringValue {
		if list, err := tags.Strings(); err == nil { // a name less is no error
			for i := range min(list.Len(), 64) {
				out = append(out, name{"general.tags", list.At(i)})
			}
		}
	}
	for _, key := range []string{"general.base_model.0.name", "general.repo_url"} {
		if text, ok := f.Text(key); ok && text != "" {
			out = append(out, name{key, text})
		}
	}
	if f.Path != "" {
		out = append(out, name{"the file's name", filepath.Base(f.Path)})
	}
	return out
}

// nameFamilies are the names of families, those that contain others first.
var nameFamilies = []struct {
	text   string
	family Family
}{
	{"codestral", Codestral},
	{"codellama", CodeLlama},
	{"codegemma", CodeGemma},
	{"deepseekcoderv2", DeepSeekCoderV2},
	{"deepseekcoder", DeepSeekCoder},
	{"starcoder2", StarCoder2},
	{"starcoder", StarCoder},
	{"smollm2", SmolLM2},
	{"mixtral", Mixtral},
	{"mistral", Mistral},
}

// squeeze makes names comparable: lower case, without separators.
func squeeze(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. /", r) {
			return -1
		}
		return r
	}, strings.ToLower(text))
}

// familyByName returns the family that the most reliable name tells, and that name.
func familyByName(all []name) (Family, name) {
	for _, n := range all {
		text := squeeze(n.text)
		for _, known := range nameFamilies {
			if strings.Contains(text, known.text) {
				return known.family, n
			}
		}
	}
	return "", name{}
}

// anyName returns the first name that contains the text, squeezed.
func anyName(all []name, text string) (name, bool) {
	for _, n := range all {
		if strings.Contains(squeeze(n.text), text) {
			return n, true
		}
	}
	return name{}, false
}

var (
	instructName = regexp.MustCompile(`(?i)instruct|chat|(^|[-_. ])it($|[-_. ])`)
	baseName     = regexp.MustCompile(`(?i)(^|[-_. ])(base|pt|text)($|[-_. ])`)
)

// roleByName returns the role that the names of the file itself tell; tags and names of other
// models are left out.
func roleByName(all []name) (Role, name) {
	for _, n := range all {
		switch n.source {
		case "general.tags", "general.base_model.0.name", "general.repo_url", "general.size_label":
			continue
		}
		switch {
		case instructName.MatchString(n.text):
			return Instruct, n
		case baseName.MatchString(n.text):
			return Base, n
		}
	}
	return "", name{}
}
