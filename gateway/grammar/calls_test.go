package grammar

import (
	"encoding/json"
	"testing"

	"aigw/engine"
)

// A grammar of calls derives calls in their frame whose arguments follow the schema, and nothing else.
func TestCalls(t *testing.T) {
	functions := []Function{
		{"weather", json.RawMessage(`{"type":"object","properties":{"city":{"$ref":"#/$defs/name"},"days":{"type":"integer"}},"required":["city"],"$defs":{"name":{"enum":["Paris","Rome"]}}}`)},
		{"time", json.RawMessage(`{"type":"object","properties":{"zone":{"$ref":"#/$defs/name"}},"required":["zone"],"$defs":{"name":{"enum":["UTC"]}}}`)},
		{"stop", nil},
		{"reset", json.RawMessage(`{"type":"object","properties":{}}`)},
		{"odd", json.RawMessage(`{"type":"object","properties":{"a":{"not":{}}}}`)},
		{"list", json.RawMessage(`{"type":"array"}`)},
	}
	hermes := Frame{"\n", "\n</tool_call>\n<tool_call>\n", "\n</tool_call>", "arguments"}
	llama := Frame{"", "", "", "parameters"}
	for _, test := range []struct {
		frame Frame
		text  string
		want  bool
	}{
		{hermes, "\n" + `{"name": "weather", "arguments": {"city": "Paris", "days": 2}}` + "\n</tool_call>", true},
		{hermes, "\n" + `{"name": "weather", "arguments": {"city": "UTC"}}` + "\n</tool_call>", false},
		{hermes, "\n" + `{"name": "time", "arguments": {"zone": "UTC"}}` + "\n</tool_call>\n<tool_call>\n" + `{"name": "stop", "arguments": {}}` + "\n</tool_call>", true},
		{hermes, "\n" + `{"name": "time", "arguments": {"zone": "Paris"}}` + "\n</tool_call>", false},
		{hermes, `{"name": "stop", "arguments": {}}`, false},
		{hermes, "", false},
		{llama, `{"name": "stop", "parameters": {}}`, true},
		{llama, `{"name": "stop", "parameters": {"a": 1}}`, false},
		{llama, `{"name": "reset", "parameters": {}}`, true},
		{llama, `{"name": "odd", "parameters": {"a": [1]}}`, true},
		{llama, `{"name": "odd", "parameters": 1}`, false},
		{llama, `{"name": "list", "parameters": {}}`, true},
		{llama, `{"name": "list", "parameters": []}`, false},
		{llama, `{"name": "other", "parameters": {}}`, false},
		{llama, `{"name": "stop", "parameters": {}}{"name": "stop", "parameters": {}}`, false},
	} {
		g, err := engine.ParseGrammar(Calls(test.frame, functions))
		if err != nil {
			t.Fatal(err)
		}
		if g.Derives(test.text) != test.want {
			t.Errorf("%q: %t", test.text, !test.want)
		}
	}
}
