package openapi

import (
	"encoding/json"
	"testing"
)

func TestAnswersAreDescribedByTheirTypes(t *testing.T) {
	type part struct {
		Name   string   `json:"name"`
		Share  *float64 `json:"share"`
		Left   *bool    `json:"left,omitempty"`
		hidden int
		Any    any `json:"any"`
	}
	type whole struct {
		Parts []part           `json:"parts"`
		Sizes map[string]int64 `json:"sizes"`
		Skip  string           `json:"-"`
	}
	got, err := json.Marshal(Of[whole]())
	const want = `{"type":"object","properties":{"parts":{"type":"array","items":{"type":"object","properties":{` +
		`"name":{"type":"string"},"share":{"anyOf":[{"type":"number"},{"type":"null"}]},"left":{"type":"boolean"},"any":{}},"required":["name","share","any"]}},` +
		`"sizes":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["parts","sizes"]}`
	if err != nil || string(got) != want {
		t.Errorf("%s (%v), want\n%s", got, err, want)
	}
	_ = part{}.hidden
}

func TestPathsOfGin(t *testing.T) {
	for path, want := range map[string]string{"/v1/chat/:name": "/v1/chat/{name}", "/v1/prompts/*id": "/v1/prompts/{id}", "/docs": "/docs"} {
		if got, names := pathOf(path); got != want || len(names) == 1 != (path != "/docs") {
			t.Errorf("%s: %s %v, want %s", path, got, names, want)
		}
	}
}
