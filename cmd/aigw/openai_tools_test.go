package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// toolAnswer is an answer that may call.
type toolAnswer struct {
	Choices []struct {
		Message struct {
			Content   *string
			ToolCalls []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
}

// Wherever a call is wanted, even this small a model gives one whose arguments follow the schema, also where
// max_tokens cuts off what it repeats without end; where it
// may call it does or answers in words, and goes on from what was returned.
func testTools(t *testing.T, r *running) {
	const tools = `"tools":[{"type":"function","function":{"name":"get_weather","description":"Get the weather of a city","parameters":{"type":"object","properties":` +
		`{"city":{"type":"string"},"unit":{"enum":["celsius","fahrenheit"]},"days":{"type":"integer","minimum":1,"maximum":7}},"required":["city","unit"],"additionalProperties":false}}},` +
		`{"type":"function","function":{"name":"list_files","parameters":{"type":"object","properties":{"paths":{"type":"array","items":{"type":"string"},"maxItems":3}},"required":["paths"]}}}],"temperature":0,"max_tokens":50,`
	check := func(a toolAnswer, names ...string) {
		t.Helper()
		x := a.Choices[0]
		if len(x.Message.ToolCalls) == 0 || x.FinishReason != "tool_calls" && x.FinishReason != "length" || x.Message.Content != nil {
			t.Fatalf("%+v", a)
		}
		for _, call := range x.Message.ToolCalls {
			var arguments struct {
				City, Unit string
				Days       int
				Paths      []string
			}
			err := json.Unmarshal([]byte(call.Function.Arguments), &arguments)
			weather := call.Function.Name == "get_weather"
			if err != nil || call.ID == "" || !slices.Contains(names, call.Function.Name) || weather && arguments.Unit != "celsius" && arguments.Unit != "fahrenheit" || weather && arguments.Days > 7 {
				t.Errorf("%+v (%v)", call, err)
			}
		}
	}
	for i, say := range []string{"What is the weather in Paris?", "Tell me a story about a dog."} {
		var a toolAnswer
		r.ask("/v1/chat/completions", fmt.Sprintf(`{%s"tool_choice":"required","messages":[{"role":"user","content":%q}]}`, tools, say), &a)
		check(a, "get_weather", "list_files")
		var named toolAnswer
		r.ask("/v1/chat/completions", fmt.Sprintf(`{%s"tool_choice":{"type":"function","function":{"name":"list_files"}},"messages":[{"role":"user","content":%q}]}`, tools, say), &named)
		check(named, "list_files")
		var free toolAnswer
		r.ask("/v1/chat/completions", fmt.Sprintf(`{%s"messages":[{"role":"user","content":%q}]}`, tools, say), &free)
		if x := free.Choices[0]; x.FinishReason == "tool_calls" {
			check(free, "get_weather", "list_files")
		} else if x.Message.Content == nil || *x.Message.Content == "" {
			t.Errorf("%d: %+v", i, free)
		}
	}
	var back openAIAnswer
	r.ask("/v1/chat/completions", `{`+tools+`"messages":[{"role":"user","content":"What is the weather in Paris?"},`+
		`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\",\"unit\":\"celsius\"}"}}]},`+
		`{"role":"tool","tool_call_id":"c1","content":"{\"temperature\": 18, \"sky\": \"clear\"}"}]}`, &back)
	if len(back.Choices) != 1 {
		t.Errorf("%+v", back)
	}
}
