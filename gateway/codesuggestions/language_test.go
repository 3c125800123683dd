package codesuggestions

import "testing"

func TestDetect(t *testing.T) {
	for _, test := range []struct{ file, editor, want string }{
		// The reference's vectors.
		{"a/b/app.rb", "", "ruby"},
		{"App.JAVA", "", ""},
		{"App.JAVA", "java", "java"},
		{"x.H", "", "cpp"},
		{"x.h", "", "c"},
		{"view.tsx", "", "ts"},
		{"build.gradle.kts", "", "kotlin"},
		{"Dockerfile", "dockerfile", ""},
		{".py", "", ""},
		{"notes.txt", "javascriptreact", "js"},
		// Paths.
		{"", "", ""},
		{"a.rb/", "", "ruby"},
		{"a.rb/b", "", ""},
		{"a.rb.", "", ""},
		{"a.rb.", "go", "go"},
		{"/x/.hidden.go", "", "go"},
		{"..", "", ""},
		{"a.c++", "", "cpp"},
		{"main.go", "python", "go"},
		{"x", "javascript", "js"},
		{"x", "Go", ""},
	} {
		f := File{Name: test.file}
		if test.editor != "" {
			f.Language = &test.editor
		}
		if got := detect(f).langName(); got != test.want {
			t.Errorf("%q, %q: %q, want %q", test.file, test.editor, got, test.want)
		}
	}
}

func TestEditorName(t *testing.T) {
	dockerfile := "dockerfile"
	for _, test := range []struct {
		file File
		want string
	}{
		{File{Name: "Dockerfile", Language: &dockerfile}, "dockerfile"},
		{File{Name: "a.jsx"}, "javascript"},
		{File{Name: "a"}, ""},
	} {
		if got := test.file.editorName(); got != test.want {
			t.Errorf("%s: %q, want %q", test.file.Name, got, test.want)
		}
	}
}

// Labels are made from what clients send, so they must come from a fixed set.
func TestLabelsAreBounded(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{extensionLabel("a.rb"), "rb"},
		{extensionLabel("a.rb123"), "other"},
		{extensionLabel("a"), ""},
		{editorLabel("typescriptreact"), "typescriptreact"},
		{editorLabel("x1"), "other"},
		{languageLabel("kotlin"), "kotlin"},
		{languageLabel("Kotlin"), "other"},
		{languageLabel(""), ""},
	} {
		if test.got != test.want {
			t.Errorf("label %q, want %q", test.got, test.want)
		}
	}
}
