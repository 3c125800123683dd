package openai_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
	"aigw/models"
)

const tools = `"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},` +
	`{"type":"function","function":{"name":"get_time"}}]`

// The forms of calls that the tests ask of the fake.
var (
	hermes = models.CallFormat{StopText: "<tool_call>", StopToken: models.NoToken, Begin: []models.Token{'#'}, Open: "\n", Between: "\n</tool_call>\n<tool_call>\n", Close: "\n</tool_call>", Arguments: "arguments"}
	byMark = models.CallFormat{StopToken: '$', Begin: []models.Token{'$'}, Open: "[", Between: ", ", Close: "]", Arguments: "arguments"}
	json1  = models.CallFormat{StopToken: models.NoToken, Between: "\n", Arguments: "arguments"}
)

// serveTools starts a server whose model calls in a form and answers in order.
func serveTools(t *testing.T, form models.CallFormat, answers ...[]string) (*gatewaytest.Server, *gatewaytest.Generator) {
	t.Helper()
	g := &gatewaytest.Generator{Next: func(n int) ([]string, engine.Result) {
		r := engine.Result{Finish: engine.FinishStop, PromptTokens: 10 + n, OutputTokens: 2, StopToken: models.NoToken}
		pieces := answers[n%len(answers)]
		if last := len(pieces) - 1; pieces[last] == "<tool_call>" { // what the engine stops at is not shown
			pieces, r.StopText = pieces[:last], "<tool_call>"
		} else if pieces[last] == "$" {
			pieces, r.StopToken = pieces[:last], '$'
		} else if pieces[last] == "…" {
			pieces, r.Finish = pieces[:last], engine.FinishLength
		}
		return pieces, r
	}}
	s := gatewaytest.Start(t, open)
	s.Ready(&serving.Model{Name: "tiny", Family: "qwen", Codec: &gatewaytest.Codec{}, Chat: &gatewaytest.Chat{Calls: form}, Vocabulary: gatewaytest.Bytes{}, Generator: g, ContextSize: 4096})
	return s, g
}

// called is an answer with calls.
type called struct {
	Choices []struct {
		Message struct {
			Content   *string
			ToolCalls []struct {
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
			FunctionCall *struct{ Name, Arguments string } `json:"function_call"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

// summary is content|name(arguments)…|reason; no content is -.
func (c called) summary() string {
	x := c.Choices[0]
	text := "-"
	if x.Message.Content != nil {
		text = *x.Message.Content
	}
	text += "|"
	for _, call := range x.Message.ToolCalls {
		text += call.Function.Name + "(" + call.Function.Arguments + ")"
	}
	if f := x.Message.FunctionCall; f != nil {
		text += "legacy " + f.Name + "(" + f.Arguments + ")"
	}
	return text + "|" + x.FinishReason
}

// streamed reads a stream into the same form.
func streamed(t *testing.T, list []string) (text string) {
	t.Helper()
	var content, reason string
	var calls []string
	ids := map[string]bool{}
	for _, event := range list {
		if event == "[DONE]" {
			break
		}
		var e struct {
			Choices []struct {
				Delta struct {
					Content   string
					ToolCalls []struct {
						Index    *int
						ID, Type string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
					FunctionCall *struct{ Name, Arguments string } `json:"function_call"`
				}
				FinishReason *string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			t.Fatal(err)
		}
		x := e.Choices[0]
		content += x.Delta.Content
		for _, c := range x.Delta.ToolCalls {
			if c.Index == nil || *c.Index > len(calls) {
				t.Fatalf("%s", event)
			}
			if *c.Index == len(calls) {
				if c.ID == "" || ids[c.ID] || c.Type != "function" || c.Function.Name == "" {
					t.Errorf("a call begins with %s", event)
				}
				ids[c.ID] = true
				calls = append(calls, c.Function.Name+"(")
			} else if c.ID != "" || c.Type != "" || c.Function.Name != "" {
				t.Errorf("a call goes on with %s", event)
			}
			calls[*c.Index] += c.Function.Arguments
		}
		if f := x.Delta.FunctionCall; f != nil {
			if len(calls) == 0 {
				calls = append(calls, "legacy "+f.Name+"(")
			}
			calls[0] += f.Arguments
		}
		if x.FinishReason != nil {
			reason = *x.FinishReason
		}
	}
	text = content + "|"
	for _, c := range calls {
		text += c + ")"
	}
	if content == "" && len(calls) > 0 {
		text = "-" + text
	}
	return text + "|" + reason
}

func TestCalls(t *testing.T) {
	const weather = `{"name": "get_weather", "arguments": {"city": "A \"}{ é"}}`
	for _, test := range []struct {
		name    string
		form    models.CallFormat
		body    string
		answers [][]string
		want    string
		prompts []string // ends of what the engine saw
	}{
		{"text", hermes, ``, [][]string{{"It", " is", " warm. "}}, "It is warm. ||stop", []string{"<user>Hi</>"}},
		{"text with a brace", hermes, ``, [][]string{{"{", `"a"`, "}"}}, `{"a"}||stop`, []string{"<user>Hi</>"}},
		{"text with another name", json1, ``, [][]string{{`{"name": "get_we`, `ird"}`}}, `{"name": "get_weird"}||stop`, []string{"<user>Hi</>"}},
		{"a call behind text", hermes, ``, [][]string{{"Let me", " see.\n", "<tool_call>"}, {"\n" + weather[:10], weather[10:40], weather[40:], "\n</tool_call>"}},
			`Let me see.|get_weather({"city": "A \"}{ é"})|tool_calls`, []string{"<user>Hi</>", "<user>Hi</><assistant>Let me see.\n#"}},
		{"a call", byMark, ``, [][]string{{"$"}, {"[" + weather + "]"}}, `-|get_weather({"city": "A \"}{ é"})|tool_calls`, []string{"<user>Hi</>", "<user>Hi</>$"}},
		{"a call without its mark", hermes, ``, [][]string{{"```json\n", `{"name"`, `: "get_`, `time", "arguments": {}}`}, {"\n" + `{"name": "get_time", "arguments": {}}` + "\n</tool_call>"}}, `-|get_time({})|tool_calls`, []string{"<user>Hi</>", "<user>Hi</>#"}},
		{"two calls", byMark, `"tool_choice":"auto",`, [][]string{{"$"}, {"[" + weather + ", ", `{"name": "get_time", "argu`, `ments": {}}]`}}, `-|get_weather({"city": "A \"}{ é"})get_time({})|tool_calls`, []string{"<user>Hi</>", "$"}},
		{"two calls on lines", json1, `"tool_choice":"required",`, [][]string{{weather, "\n", `{"name": "get_time", "arguments": {}}`}}, `-|get_weather({"city": "A \"}{ é"})get_time({})|tool_calls`, []string{"<user>Hi</>"}},
		{"a call that is wanted", hermes, `"tool_choice":"required",`, [][]string{{"\n" + weather + "\n</tool_call>"}}, `-|get_weather({"city": "A \"}{ é"})|tool_calls`, []string{"<user>Hi</>#"}},
		{"a call by name", json1, `"tool_choice":{"type":"function","function":{"name":"get_time"}},`, [][]string{{`{"name": "get_time", "arguments": {}}`}}, `-|get_time({})|tool_calls`, []string{"<get_time></><user>Hi</>"}},
		{"a call cut off", json1, `"tool_choice":"required",`, [][]string{{weather[:44], "…"}}, `-|get_weather({"city":""})|length`, []string{"<user>Hi</>"}},
		{"no room for the call", hermes, `"max_tokens":2,`, [][]string{{"Oh", "<tool_call>"}}, "Oh||length", []string{"<user>Hi</>"}},
		{"none", hermes, `"tool_choice":"none",`, [][]string{{"Hello"}}, "Hello||stop", []string{"<user>Hi</>"}},
	} {
		for _, stream := range []bool{false, true} {
			s, g := serveTools(t, test.form, test.answers...)
			got := s.Do("POST", chat, fmt.Sprintf(`{"stream":%t,%s%s,%s}`, stream, test.body, tools, question))
			var summary string
			if stream {
				summary = streamed(t, events(t, got))
			} else {
				var a called
				if err := json.Unmarshal([]byte(got.Text), &a); err != nil || got.StatusCode != 200 {
					t.Fatalf("%s: %d %s", test.name, got.StatusCode, got.Text)
				}
				if summary = a.summary(); a.Usage.Prompt != 10 || a.Usage.Completion != 2*len(g.Requests()) {
					t.Errorf("%s: usage %+v", test.name, a.Usage)
				}
			}
			if summary != test.want {
				t.Errorf("%s: stream %t: %s", test.name, stream, summary)
			}
			asked := g.Requests()
			if len(asked) != len(test.prompts) {
				t.Errorf("%s: the engine was asked %d times", test.name, len(asked))
				continue
			}
			for i, want := range test.prompts {
				if prompt := gatewaytest.PromptText(asked[i].Prompt); !strings.HasSuffix(prompt, want) {
					t.Errorf("%s: the engine saw %q", test.name, prompt)
				}
				if calls := i > 0 || strings.Contains(test.body, "required") || strings.Contains(test.body, "get_time"); (asked[i].Grammar != nil) != calls {
					t.Errorf("%s: request %d has the grammar %v", test.name, i, asked[i].Grammar)
				}
			}
		}
	}
}

// What was called and returned is told to the model, in the older form, too.
func TestCallsThatWereMade(t *testing.T) {
	for body, want := range map[string]string{
		`{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"42"}]}]}`: `<user>Hi</><assistant>!f({"a":1})</><tool>42</>`,
		`{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"42"}]}`:                                                                              `<user>Hi</><assistant>!f({})</><tool>42</>`,
	} {
		s, g := serveTools(t, hermes, []string{"Fine"})
		if got := s.Do("POST", chat, body); got.StatusCode != 200 || !strings.Contains(got.Text, `"content":"Fine"`) {
			t.Errorf("%d %s", got.StatusCode, got.Text)
		}
		if prompt := gatewaytest.PromptText(g.Requests()[0].Prompt); prompt != want {
			t.Errorf("%q, want %q", prompt, want)
		}
	}
}

// The older form of tools is answered in its own.
func TestFunctions(t *testing.T) {
	const functions = `"functions":[{"name":"get_time","parameters":{"type":"object","properties":{}}}]`
	for body, want := range map[string]string{
		`"function_call":{"name":"get_time"},`: "-|legacy get_time({})|function_call",
		``:                                     "Hello||stop",
	} {
		for _, stream := range []bool{false, true} {
			answer := []string{`{"name": "get_time", "arguments": {}}`}
			if body == "" {
				answer = []string{"Hello"}
			}
			s, _ := serveTools(t, json1, answer)
			got := s.Do("POST", chat, fmt.Sprintf(`{"stream":%t,%s%s,%s}`, stream, body, functions, question))
			var summary string
			if stream {
				summary = streamed(t, events(t, got))
			} else {
				var a called
				if err := json.Unmarshal([]byte(got.Text), &a); err != nil || len(a.Choices) != 1 {
					t.Fatalf("%d %s", got.StatusCode, got.Text)
				}
				summary = a.summary()
			}
			if summary != want {
				t.Errorf("stream %t: %s", stream, summary)
			}
		}
	}
}

func TestRefusalsOfTools(t *testing.T) {
	s, _ := serveTools(t, hermes, []string{"x"})
	for _, test := range []struct{ name, body, param, code, message string }{
		{"another type", `"tools":[{"type":"code_interpreter"}]`, "tools", "unsupported_parameter", "code_interpreter"},
		{"no list", `"tools":{}`, "tools", "invalid_type", "a list"},
		{"a name", `"tools":[{"type":"function","function":{"name":"a b"}}]`, "tools", "invalid_value", `"a b"`},
		{"two of a name", `"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"a"}}]`, "tools", "invalid_value", `"a"`},
		{"parameters", `"tools":[{"type":"function","function":{"name":"a","parameters":[1]}}]`, "tools", "invalid_value", "an object"},
		{"strict", `"tools":[{"type":"function","function":{"name":"a","strict":true,"parameters":{"type":"object","properties":{"x":{"not":{}}}}}}]`, "tools", "invalid_value", "/not"},
		{"an unknown choice", tools + `,"tool_choice":"often"`, "tool_choice", "invalid_value", "often"},
		{"an unknown name", tools + `,"tool_choice":{"type":"function","function":{"name":"b"}}`, "tool_choice", "invalid_value", `"b"`},
		{"some of them", tools + `,"tool_choice":{"type":"allowed_tools"}`, "tool_choice", "unsupported_parameter", "allowed_tools"},
		{"a number", tools + `,"tool_choice":3`, "tool_choice", "invalid_type", "a string or an object"},
		{"no tools", `"tool_choice":"required"`, "tool_choice", "invalid_value", "no tools"},
		{"both forms", tools + `,"functions":[{"name":"a"}]`, "functions", "invalid_value", "older name"},
		{"a format, too", tools + `,"response_format":{"type":"json_object"}`, "response_format", "unsupported_parameter", "tool_choice to none"},
		{"too many", `"tools":[` + strings.Repeat(`{"function":{"name":"a"}},`, 128) + `{"function":{"name":"b"}}]`, "tools", "invalid_value", "129"},
	} {
		got := s.Do("POST", chat, `{`+test.body+`,`+question+`}`)
		message, _, param, code := refusal(t, got)
		if got.StatusCode != 400 || param != test.param || code != test.code || !strings.Contains(message, test.message) {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
	}
	for _, messages := range []string{
		`[{"role":"tool","content":"x"}]`, `[{"role":"function","content":"x"}]`, `[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"arguments":"{}"}}]}]`,
		`[{"role":"assistant","tool_calls":[{"id":"a","type":"custom"}]}]`,
	} {
		got := s.Do("POST", chat, `{"messages":`+messages+`}`)
		if _, _, param, _ := refusal(t, got); got.StatusCode != 400 || param != "messages" {
			t.Errorf("%s: %d %s", messages, got.StatusCode, got.Text)
		}
	}
}
