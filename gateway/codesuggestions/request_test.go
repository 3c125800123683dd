package codesuggestions

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"aigw/gateway/schema"
	"aigw/gateway/schema/oracle"
)

// The original's answers to a few hundred bodies of each kind, in schema/testdata.
func TestRequestsAreReadAsPydanticReadsThem(t *testing.T) {
	compare(t, "completions", completionRequest, func(r Request, want any) any { return dump(r, want) })
	compare(t, "generations", generationRequest, func(Request, any) any { return nil })
	compare(t, "components", componentsRequest, func(components, any) any { return nil })
}

// compare asks for the answers to a file's bodies. dump writes a value that was read as the
// oracle does.
func compare[T any](t *testing.T, name string, kind schema.Kind[T], dump func(T, any) any) {
	for _, c := range oracle.Read(t, "../schema/testdata/"+name+".jsonl") {
		if c.Schema != name {
			continue // of the file in AIGW_ORACLE
		}
		parsed, err := schema.Parse(kind, c.ContentType, c.Body)
		var refused schema.Errors
		status := 200
		var answer any
		switch {
		case errors.As(err, &refused):
			status, answer = 422, refused
		case err != nil:
			status, answer = 400, map[string]string{"detail": "There was an error parsing the body"}
		default:
			answer = dump(parsed, c.Answer)
		}
		body := string(c.Body[:min(len(c.Body), 500)])
		if status != c.Status {
			t.Errorf("%s, line %d: %s: status %d, want %d (%v)", name, c.Line, body, status, c.Status, err)
			continue
		}
		if c.Answer == nil {
			continue // too long to keep
		}
		got, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if diff := oracle.Diff(t, got, c.Answer); diff != "" {
			t.Errorf("%s, line %d: %s:\n%s", name, c.Line, body, diff)
		}
	}
}

// dump lists a request's fields as the oracle does. What version it was is known only to the
// schema, so the prompt's form follows the expected answer.
func dump(r Request, want any) map[string]any {
	file := map[string]any{"file_name": r.File.Name, "language_identifier": r.File.Language, "content_above_cursor": r.File.Above, "content_below_cursor": r.File.Below}
	out := map[string]any{
		"project_path": r.ProjectPath, "project_id": r.ProjectID, "current_file": file, "model_provider": orNil(r.Provider), "model_name": r.ModelName,
		"model_endpoint": r.endpoint, "model_api_key": r.apiKey, "model_identifier": r.ModelIdentifier, "stream": r.Stream, "choices_count": r.ChoicesCount,
	}
	reports := []any{}
	for _, one := range r.Telemetry {
		var experiments any
		if one.Experiments != nil {
			list := []any{}
			for _, e := range one.Experiments {
				list = append(list, map[string]any{"name": e.Name, "variant": e.Variant})
			}
			experiments = list
		}
		reports = append(reports, map[string]any{"model_engine": orNil(one.Engine), "model_name": orNil(one.Model), "lang": orNil(one.Language), "experiments": experiments,
			"requests": one.Requests, "accepts": one.Accepts, "errors": one.Errors})
	}
	contexts := []any{}
	for _, one := range r.Context {
		contexts = append(contexts, map[string]any{"type": one.Type, "name": one.Name, "content": one.Content})
	}
	out["telemetry"], out["context"] = reports, contexts
	wanted, _ := want.(map[string]any)
	for _, name := range []string{"prompt_version"} {
		out[name] = wanted[name]
	}
	// Null and the default are the same here.
	for _, name := range []string{"stream", "choices_count"} {
		if value, ok := wanted[name]; ok && value == nil {
			out[name] = nil
		}
	}
	if prompt, ok := wanted["prompt"]; ok {
		switch prompt.(type) {
		case nil:
			out["prompt"] = nil
		case string:
			out["prompt"] = r.Prompt
		default:
			list := []any{}
			for _, m := range r.Messages {
				list = append(list, map[string]any{"role": m.Role, "content": m.Content})
			}
			out["prompt"] = list
		}
	}
	return out
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func TestEveryFamilyIsAccepted(t *testing.T) {
	for _, name := range families {
		for _, provider := range []string{`"litellm"`, `"codestral"`, `"anthropic"`, `null`} {
			body := `{"prompt_version":2,"model_provider":` + provider + `,"model_name":"` + name + `","current_file":{"file_name":"a","content_above_cursor":"","content_below_cursor":""}}`
			if _, err := schema.Parse(completionRequest, "", []byte(body)); err != nil {
				t.Errorf("%s for %s: %v", name, provider, err)
			}
		}
	}
}

func TestModelNameRule(t *testing.T) {
	for _, test := range []struct{ members, want string }{
		{`"model_provider":"litellm","model_name":"nope"`, "Value error, model nope is not supported by use case code completions and provider litellm"},
		{`"model_provider":"litellm","model_name":"claude-2.1"`, "Value error, model claude-2.1 is not supported by use case code completions and provider litellm"},
		{`"model_provider":"anthropic","model_name":"claude-2.1"`, ""},
		{`"model_provider":"vertex-ai","model_name":"code-gecko@002"`, ""},
		{`"model_name":null,"model_provider":"litellm"`, "Value error, model None is not supported by use case code completions and provider litellm"},
		{`"model_provider":"litellm"`, ""},
		{`"model_name":"nope"`, ""},
		{`"model_name":"nope","model_provider":null`, ""},
		{`"model_provider":"litellm","model_name":"  codestral\n"`, ""},
	} {
		body := `{"prompt_version":1,` + test.members + `,"current_file":{"file_name":"a","content_above_cursor":"","content_below_cursor":""}}`
		_, err := schema.Parse(completionRequest, "", []byte(body))
		var refused schema.Errors
		got := ""
		if errors.As(err, &refused) {
			got = refused[0].Msg
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.members, got, test.want)
		}
	}
}

func FuzzCompletionRequest(f *testing.F) {
	f.Add([]byte(`{"prompt_version":2,"current_file":{"file_name":"a.rb","content_above_cursor":"\ud83d\ude00","content_below_cursor":""},"telemetry":[{"requests":"1","accepts":1.0,"errors":true}],"context":[{"type":"file","name":"b","content":"c"}],"prompt":null}`))
	f.Add([]byte(`{"prompt_version":3,"prompt":[{"role":"user","content":"x"}],"stream":"on","model_provider":"litellm","model_name":"codestral","choices_count":1e2}`))
	f.Add([]byte(`{"prompt_version":9,"model_api_key":"sesame"}`))
	f.Add([]byte("\xff\xfe{\x00}\x00"))
	f.Add([]byte(`{"prompt_version":[{"api_key":"sesame"},NaN,1e999,"\ud800"]}`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzz(t, body, completionRequest, checkRequest) })
}

func FuzzGenerationRequest(f *testing.F) {
	f.Add([]byte(`{"prompt_version":2,"prompt_id":"code_suggestions/generations","prompt":"write","model_name":"mistral","model_endpoint":"http://a","current_file":{"file_name":"a.rb","content_above_cursor":"\ud83d\ude00","content_below_cursor":""}}`))
	f.Add([]byte(`{"prompt_version":3,"prompt":[{"role":"user","content":"x"}],"model_provider":"litellm","model_name":"\ud800"}`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzz(t, body, generationRequest, checkRequest) })
}

func FuzzComponentsRequest(f *testing.F) {
	f.Add([]byte(`{"prompt_components":[{"type":"code_editor_generation","payload":{"file_name":"a.rb","content_above_cursor":"\ud83d\ude00","content_below_cursor":"","prompt_enhancer":{"user_instruction":"x","related_files":["a",1]}}},{"type":"code_context","payload":{"type":"file","name":"b","content":"c"}}]}`))
	f.Add([]byte(`{"prompt_components":[{"type":"code_context"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzz(t, body, componentsRequest, func(t *testing.T, c components) {
			checkRequest(t, c.request(true))
			g := c.List[0].Editor.enhanced(generationOf(c.request(true)))
			if !utf8.ValidString(g.instruction) || !utf8.ValidString(g.ownText()) {
				t.Error("an instruction is not UTF-8")
			}
		})
	})
}

func checkRequest(t *testing.T, r Request) {
	for _, text := range []string{r.File.Name, r.File.Above, r.File.Below, r.Prompt, r.readyPrompt()} {
		if !utf8.ValidString(text) {
			t.Errorf("text is not UTF-8: %q", text)
		}
	}
	if utf8.RuneCountInString(r.File.Above) > 100_000 || len(r.Telemetry) > 10 || len(r.Context) > 100 {
		t.Error("a limit does not hold")
	}
}

// fuzz checks that any body is read or refused with an answer that can be sent.
func fuzz[T any](t *testing.T, body []byte, kind schema.Kind[T], check func(*testing.T, T)) {
	value, err := schema.Parse(kind, "", body)
	var refused schema.Errors
	switch {
	case err == nil:
		check(t, value)
	case errors.As(err, &refused):
		if len(refused) == 0 {
			t.Fatal("refused without a reason")
		}
		answer, err := json.Marshal(refused)
		if err != nil || !json.Valid(answer) || !utf8.Valid(answer) {
			t.Errorf("answer is no JSON: %v: %q", err, answer)
		}
		if strings.Contains(string(answer), "sesame") && !strings.Contains(strings.ReplaceAll(string(body), `api_key":"sesame"`, ""), "sesame") {
			t.Errorf("answer has the key: %s", answer)
		}
	case !errors.Is(err, schema.ErrUnreadable):
		t.Errorf("unknown error %v", err)
	}
}
