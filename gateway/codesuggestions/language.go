package codesuggestions

import (
	"slices"
	"strings"

	"aigw/gateway/metrics"
)

// language is a programming language that answers and metrics name.
type language struct {
	name       string   // value of model.lang
	title      string   // as people write it
	extensions []string // of file names; upper and lower case differ
	editorIDs  []string // as editors call it
}

// languages is the original's table.
var languages = []language{
	{"c", "C", []string{"c", "h"}, []string{"c"}},
	{"cpp", "C++", []string{"cpp", "hpp", "c++", "h++", "cc", "hh", "C", "H"}, []string{"cpp"}},
	{"csharp", "C#", []string{"cs"}, []string{"csharp"}},
	{"go", "Go", []string{"go"}, []string{"go"}},
	{"java", "Java", []string{"java"}, []string{"java"}},
	{"js", "JavaScript", []string{"js", "jsx"}, []string{"javascript", "javascriptreact"}},
	{"php", "PHP", []string{"php", "php3", "php4", "php5", "phps", "phpt"}, []string{"php"}},
	{"python", "Python", []string{"py"}, []string{"python"}},
	{"ruby", "Ruby", []string{"rb"}, []string{"ruby"}},
	{"rust", "Rust", []string{"rs"}, []string{"rust"}},
	{"scala", "Scala", []string{"scala"}, []string{"scala"}},
	{"ts", "TypeScript", []string{"ts", "tsx"}, []string{"typescript", "typescriptreact"}},
	{"kotlin", "Kotlin", []string{"kts", "kt"}, []string{"kotlin"}},
}

var byExtension, byEditorID = func() (map[string]*language, map[string]*language) {
	extensions, editors := map[string]*language{}, map[string]*language{}
	for i := range languages {
		l := &languages[i]
		for _, e := range l.extensions {
			extensions[e] = l
		}
		for _, id := range l.editorIDs {
			editors[id] = l
		}
	}
	return extensions, editors
}()

// detect returns the language of a file, or nil: by the extension of its name, else by the
// editor's id of the language.
func detect(f File) *language {
	if l, ok := byExtension[extension(f.Name)]; ok {
		return l
	}
	return byEditorID[f.editorID()]
}

func (f File) editorID() string {
	if f.Language == nil {
		return ""
	}
	return *f.Language
}

// langName returns the value of model.lang.
func (l *language) langName() string {
	if l == nil {
		return ""
	}
	return l.name
}

// editorName returns the editor's id of the file's language, as sent or else as detected.
func (f File) editorName() string {
	if id := f.editorID(); id != "" {
		return id
	}
	if l := detect(f); l != nil {
		return l.editorIDs[0]
	}
	return ""
}

// extension returns what follows the last dot of a path's base name; a name that begins with its
// only dot, or ends with a dot, has none (as Python's Path.suffix).
func extension(path string) string {
	base := strings.TrimRight(path, "/")
	base = base[strings.LastIndexByte(base, '/')+1:]
	i := strings.LastIndexByte(base, '.')
	if i <= 0 || i == len(base)-1 {
		return ""
	}
	return base[i+1:]
}

// The label functions return what may be a label of a metric: one of the table's values.

func extensionLabel(path string) string {
	e := extension(path)
	if _, ok := byExtension[e]; ok || e == "" {
		return e
	}
	return metrics.Other
}

func editorLabel(id string) string {
	if _, ok := byEditorID[id]; ok || id == "" {
		return id
	}
	return metrics.Other
}

func languageLabel(name string) string {
	if name == "" || slices.ContainsFunc(languages, func(l language) bool { return l.name == name }) {
		return name
	}
	return metrics.Other
}
