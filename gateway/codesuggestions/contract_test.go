package codesuggestions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aigw/gateway/gatewaytest"
)

// Refusals as section 16 of the wire contract lists them, byte for byte, over HTTP. What stands here
// was written after the contract's text; the comparison with FastAPI itself is in request_test.go.

// invalid returns the body of a 422 with some errors.
func invalid(errors ...string) string { return `{"detail":[` + strings.Join(errors, ",") + `]}` }

func refusedAt(kind, loc, msg, input, ctx string) string {
	out := `{"type":"` + kind + `","loc":["body"` + loc + `],"msg":"` + msg + `","input":` + input
	if ctx != "" {
		out += `,"ctx":{` + ctx + `}`
	}
	return out + "}"
}

func TestCatalogueOfRefusals(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"1"}})
	const object = "Input should be a valid dictionary or object to extract fields from"
	tooLong := func(loc string, most int, input string) string {
		return invalid(refusedAt("string_too_long", loc, fmt.Sprintf("String should have at most %d characters", most), input, fmt.Sprintf(`"max_length":%d`, most)))
	}
	providers := `'anthropic', 'vertex-ai', 'litellm', 'codestral' or 'fireworks_ai'`
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	telemetry := `{"requests":1,"accepts":1,"errors":1}`
	editorLoc := `,"prompt_components",0,"code_editor_completion"`
	tags := `<CodeEditorComponents.COMPLETION: 'code_editor_completion'>, <CodeEditorComponents.GENERATION: 'code_editor_generation'>, <CodeEditorComponents.CONTEXT: 'code_context'>`
	for _, test := range []struct{ name, path, body, want string }{
		{"nothing sent", path, "", invalid(refusedAt("missing", "", "Field required", "null", ""))},
		{"null", path, "null", invalid(refusedAt("missing", "", "Field required", "null", ""))},
		{"a list", path, "[]", invalid(refusedAt("model_attributes_type", "", object, "[]", ""))},
		{"a text", v4Path, `"x"`, invalid(refusedAt("model_attributes_type", "", object, `"x"`, ""))},
		{"more than JSON", path, `{} x`, invalid(`{"type":"json_invalid","loc":["body",3],"msg":"JSON decode error","input":{},"ctx":{"error":"Extra data"}}`)},
		{"no comma", path, `{"a":1 "b":2}`, invalid(`{"type":"json_invalid","loc":["body",7],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting ',' delimiter"}}`)},
		{"no name", path, `{1}`, invalid(`{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting property name enclosed in double quotes"}}`)},
		{"no version", path, `{}`, invalid(refusedAt("union_tag_not_found", "", "Unable to extract tag using discriminator 'prompt_version'", "{}", `"discriminator":"'prompt_version'"`))},
		{"version as text", path, `{"prompt_version":"1"}`, invalid(refusedAt("union_tag_invalid", "", "Input tag '1' found using 'prompt_version' does not match any of the expected tags: 1, 2, 3", `{"prompt_version":"1"}`, `"discriminator":"'prompt_version'","tag":"1","expected_tags":"1, 2, 3"`))},
		{"version 9", generationsPath, `{"prompt_version":9}`, invalid(refusedAt("union_tag_invalid", "", "Input tag '9' found using 'prompt_version' does not match any of the expected tags: 1, 2, 3", `{"prompt_version":9}`, `"discriminator":"'prompt_version'","tag":"9","expected_tags":"1, 2, 3"`))},
		{"no file", path, `{"prompt_version":3}`, invalid(refusedAt("missing", `,3,"current_file"`, "Field required", `{"prompt_version":3}`, ""))},
		{"file is null", path, body(`"current_file":null`), invalid(refusedAt("model_attributes_type", `,2,"current_file"`, object, "null", ""))},
		{"no content", path, body(`"current_file":{"file_name":"a","content_above_cursor":null}`), invalid(
			refusedAt("string_type", `,2,"current_file","content_above_cursor"`, "Input should be a valid string", "null", ""),
			refusedAt("missing", `,2,"current_file","content_below_cursor"`, "Field required", `{"file_name":"a","content_above_cursor":null}`, ""))},
		{"generation without a prompt", generationsPath, `{"prompt_version":2,"current_file":{"file_name":"a","content_above_cursor":"","content_below_cursor":""}}`, invalid(refusedAt("missing", `,2,"prompt"`, "Field required", `{"prompt_version":2,"current_file":{"file_name":"a","content_above_cursor":"","content_below_cursor":""}}`, ""))},
		{"generation's prompt is null", generationsPath, body(`"prompt":null`), invalid(refusedAt("string_type", `,2,"prompt"`, "Input should be a valid string", "null", ""))},
		{"project_path too long", path, body(`"project_path":` + long(256)), tooLong(`,2,"project_path"`, 255, long(256))},
		{"model_name too long", path, body(`"model_name":` + long(51)), tooLong(`,2,"model_name"`, 50, long(51))},
		{"telemetry's lang too long", path, body(`"telemetry":[{"lang":` + long(51) + `,"requests":1,"accepts":1,"errors":1}]`), tooLong(`,2,"telemetry",0,"lang"`, 50, long(51))},
		{"context's name too long", path, body(`"context":[{"type":"file","name":` + long(1025) + `,"content":""}]`), tooLong(`,2,"context",0,"name"`, 1024, `"`+strings.Repeat("x", 1024)+`…"`)},
		{"project_id is a list", path, body(`"project_id":[]`), invalid(refusedAt("int_type", `,2,"project_id"`, "Input should be a valid integer", "[]", ""))},
		{"project_id is a word", path, body(`"project_id":"x"`), invalid(refusedAt("int_parsing", `,2,"project_id"`, "Input should be a valid integer, unable to parse string as an integer", `"x"`, ""))},
		{"choices_count has a fraction", path, body(`"choices_count":1.5`), invalid(refusedAt("int_from_float", `,2,"choices_count"`, "Input should be a valid integer, got a number with a fractional part", "1.5", ""))},
		{"stream is a list", path, body(`"stream":[]`), invalid(refusedAt("bool_type", `,2,"stream"`, "Input should be a valid boolean", "[]", ""))},
		{"stream is a word", path, body(`"stream":"maybe"`), invalid(refusedAt("bool_parsing", `,2,"stream"`, "Input should be a valid boolean, unable to interpret input", `"maybe"`, ""))},
		{"telemetry is null", path, body(`"telemetry":null`), invalid(refusedAt("list_type", `,2,"telemetry"`, "Input should be a valid list", "null", ""))},
		{"telemetry too long", path, body(`"telemetry":[` + strings.TrimSuffix(strings.Repeat(telemetry+",", 11), ",") + `]`), invalid(refusedAt("too_long", `,2,"telemetry"`, "List should have at most 10 items after validation, not 11", `[`+strings.TrimSuffix(strings.Repeat(telemetry+",", 11), ",")+`]`, `"field_type":"List","max_length":10,"actual_length":11`))},
		{"provider", path, body(`"model_provider":"x"`), invalid(refusedAt("enum", `,2,"model_provider"`, "Input should be "+providers, `"x"`, `"expected":"`+providers+`"`))},
		{"role", path, body(`"prompt_version":3,"prompt":[{"role":"robot","content":"x"}]`), invalid(refusedAt("enum", `,3,"prompt",0,"role"`, "Input should be 'system', 'user' or 'assistant'", `"robot"`, `"expected":"'system', 'user' or 'assistant'"`))},
		{"model of a generation", generationsPath, body(`"prompt":"","model_provider":"litellm","model_name":"x"`), invalid(refusedAt("value_error", `,2,"model_name"`, "Value error, model x is not supported by use case code generations and provider litellm", `"x"`, `"error":{}`))},
		{"model is null", path, body(`"model_provider":"litellm","model_name":null`), invalid(refusedAt("value_error", `,2,"model_name"`, "Value error, model None is not supported by use case code completions and provider litellm", "null", `"error":{}`))},

		{"no components", v3Path, `{}`, invalid(refusedAt("missing", `,"prompt_components"`, "Field required", "{}", ""))},
		{"empty components", v4Path, `{"prompt_components":[]}`, invalid(refusedAt("too_short", `,"prompt_components"`, "List should have at least 1 item after validation, not 0", "[]", `"field_type":"List","min_length":1,"actual_length":0`))},
		{"component without type", v3Path, `{"prompt_components":[{}]}`, invalid(refusedAt("union_tag_not_found", `,"prompt_components",0`, "Unable to extract tag using discriminator 'type'", "{}", `"discriminator":"'type'"`))},
		{"component of unknown type", v4Path, `{"prompt_components":[{"type":"x"}]}`, invalid(refusedAt("union_tag_invalid", `,"prompt_components",0`, "Input tag 'x' found using 'type' does not match any of the expected tags: "+tags, `{"type":"x"}`, `"discriminator":"'type'","tag":"x","expected_tags":"`+tags+`"`))},
		{"component without payload", v3Path, `{"prompt_components":[{"type":"code_editor_completion"}]}`, invalid(refusedAt("missing", editorLoc+`,"payload"`, "Field required", `{"type":"code_editor_completion"}`, ""))},
		{"payload's file name", v4Path, `{"prompt_components":[{"type":"code_editor_completion","payload":{"file_name":1,"content_above_cursor":"","content_below_cursor":""}}]}`, invalid(refusedAt("string_type", editorLoc+`,"payload","file_name"`, "Input should be a valid string", "1", ""))},
		{"payload's provider", v3Path, list(component("completion", `,"model_provider":"litellm"`)), invalid(refusedAt("enum", editorLoc+`,"payload","model_provider"`, "Input should be 'vertex-ai' or 'anthropic'", `"litellm"`, `"expected":"'vertex-ai' or 'anthropic'"`))},
		{"enhancer", v3Path, list(component("generation", `,"prompt_enhancer":[]`)), invalid(refusedAt("dict_type", `,"prompt_components",0,"code_editor_generation","payload","prompt_enhancer"`, "Input should be a valid dictionary", "[]", ""))},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.Do("POST", test.path, test.body)
			if got.StatusCode != http.StatusUnprocessableEntity || got.Text != test.want || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d\n%s, want\n%s", got.StatusCode, got.Text, test.want)
			}
		})
	}
}

// Limits count characters, not bytes, and white space around a name does not count.
func TestLimitsAreOfCharacters(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"1"}})
	file := func(name, above, below string) string {
		text, err := json.Marshal(map[string]any{"prompt_version": 1, "current_file": map[string]string{"file_name": name, "content_above_cursor": above, "content_below_cursor": below}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"100,000 characters above and below": {file("a", strings.Repeat("😀", 100_000), strings.Repeat("ä", 100_000)), 200},
		"one more above":                     {file("a", strings.Repeat("x", 100_001), ""), 422},
		"one more below":                     {file("a", "", strings.Repeat("x", 100_001)), 422},
		"a name of 255 with spaces":          {file("  "+strings.Repeat("é", 255)+"\t", "", ""), 200},
		"a name of 256":                      {file(strings.Repeat("é", 256), "", ""), 422},
	} {
		if got := s.Do("POST", path, test.body); got.StatusCode != test.status {
			t.Errorf("%s: %d %.200s", name, got.StatusCode, got.Text)
		}
	}
}

// What is accepted where something else is usual (section 2.2 and 5.1).
func TestLaxBodies(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"1"}})
	for name, members := range map[string]string{
		"numbers as text":               `"project_id":"42","choices_count":" 1 ","telemetry":[{"requests":"1","accepts":"2","errors":"0"}]`,
		"switch as text":                `"stream":"false"`,
		"everything null that may be":   `"project_path":null,"project_id":null,"model_provider":null,"model_name":null,"model_endpoint":null,"model_api_key":null,"model_identifier":null,"stream":null,"choices_count":null,"prompt":null`,
		"members of editors":            `"intent":"completion","generation_type":"comment","user_instruction":"x","position":{"line":1},"uri":"file:///a"`,
		"members inside others":         `"telemetry":[{"requests":1,"accepts":1,"errors":1,"more":[]}],"context":[{"type":"file","name":"a","content":"b","resolution":"x"}]`,
		"no context of any kind":        `"context":[]`,
		"name of a model, no provider":  `"model_name":"whatever"`,
		"a provider, no name":           `"model_provider":"litellm"`,
		"an endpoint that is no URL":    `"model_endpoint":"not a url","model_provider":"litellm","model_name":"codestral"`,
		"a name of before 17.5":         `"model_provider":"litellm","model_name":"codellama_13b_code"`,
		"a member twice, the last good": `"stream":[],"stream":false`,
	} {
		for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "application/vnd.api+json", ""} {
			got := s.Do("POST", path, body(members), "Content-Type", contentType)
			if got.StatusCode != http.StatusOK || !strings.Contains(got.Text, `"text":"1"`) {
				t.Errorf("%s, %q: %d %s", name, contentType, got.StatusCode, got.Text)
			}
		}
	}
}

// Addresses as administrators and proxies write them (sections 2.2, 2.6 and 15.4).
func TestAddresses(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"1"}})
	for at, status := range map[string]int{
		path: 200, "/" + path: 200, "//" + path: 200, "/v2/completions": 200, "/v2%2Fcode%2Fcompletions": 200, path + "?a=b": 200,
		path + "/": 307, "/v2//code/completions": 404, "/V2/code/completions": 404, "/v2/code": 404, "/v4/code/completions": 404,
	} {
		got := s.Do("POST", at, body(""))
		if got.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", at, got.StatusCode, got.Text, status)
		}
		if status == 307 && (got.Text != "" || got.Header.Get("Location") != s.URL+path) {
			t.Errorf("%s: %q, Location %s", at, got.Text, got.Header.Get("Location"))
		}
	}
	for _, at := range []string{path, generationsPath, v3Path, v4Path} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			got := s.Do(method, at, "")
			if got.StatusCode != http.StatusMethodNotAllowed || got.Text != `{"detail":"Method Not Allowed"}` || got.Header.Get("Allow") != "POST" {
				t.Errorf("%s %s: %d %s, Allow %q", method, at, got.StatusCode, got.Text, got.Header.Get("Allow"))
			}
		}
	}
}
