package models

import (
	"slices"
	"testing"
)

func TestGitLabNames(t *testing.T) {
	for name, want := range map[string]struct {
		canonical string
		family    Family
		role      Role
	}{
		"codegemma_2b":       {"codegemma", CodeGemma, Base},
		"codegemma":          {"codegemma", CodeGemma, ""},
		"codellama:code":     {"codellama", CodeLlama, Base},
		"codestral@2405":     {"codestral", Codestral, ""},
		"Mixtral_8x22b_text": {"mixtral", Mixtral, Base},
		"claude_3.5":         {"claude_3", "", ""},
		"qwen2p5-coder-7b":   {"qwen2p5-coder-7b", QwenCoder, ""},
	} {
		got, ok := FindGitLabName(name)
		if !ok || got.Canonical != want.canonical || got.Family != want.family || got.Role != want.role {
			t.Errorf("%s: %+v, %t; want %+v", name, got, ok, want)
		}
	}
	if got, ok := FindGitLabName("ollama/mistral"); ok {
		t.Errorf("%+v", got)
	}
	for _, n := range GitLabNames() {
		canonical, ok := FindGitLabName(n.Canonical)
		if !ok || canonical.Canonical != n.Canonical || canonical.Family != n.Family {
			t.Errorf("%+v leads to %+v, which is not the same family's own name", n, canonical)
		}
		if _, known := families[n.Family]; n.Family != "" && !known {
			t.Errorf("%+v: no such family", n)
		}
	}
}

func TestNamesInGitLab(t *testing.T) {
	for _, tt := range []struct {
		family Family
		role   Role
		want   []string
	}{
		{CodeGemma, Base, []string{"codegemma", "codegemma_2b", "codegemma_7b"}},
		{CodeGemma, Instruct, []string{"codegemma"}},
		{Mixtral, Instruct, []string{"mixtral", "mixtral_8x22b"}},
		{Llama3, Base, nil},
		{SmolLM2, Instruct, nil},
	} {
		r := Recognition{Family: tt.family, Role: tt.role}
		if got := r.NamesInGitLab(); !slices.Equal(got, tt.want) {
			t.Errorf("%s %s: %v, want %v", tt.family, tt.role, got, tt.want)
		}
	}
}
