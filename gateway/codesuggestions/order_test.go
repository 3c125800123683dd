package codesuggestions_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
)

// verifier takes a token for a comma-separated list of scopes.
type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (auth.Claims, error) {
	if token == "forged" {
		return auth.Claims{}, errors.New("signature is wrong")
	}
	return auth.Claims{Issuer: "https://gitlab.example.test", Scopes: strings.Split(token, ",")}, nil
}

// The order of checks: authentication, method, body, right, work.
func TestOrderOfChecks(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{Verifier: verifier{}}})
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"1"}}))
	for _, test := range []struct {
		name, method, token, body string
		status                    int
		text                      string
	}{
		{"no token, wrong method, bad body", "GET", "forged", "{", 401, `{"error":"Forbidden by auth provider"}`},
		{"wrong method, bad body, no right", "PUT", "duo_chat", "{", 405, `{"detail":"Method Not Allowed"}`},
		{"bad body, no right", "POST", "duo_chat", "{", 422, "Expecting property name enclosed in double quotes"},
		{"no right", "POST", "duo_chat", body(""), 403, `{"detail":"Unauthorized to access code completions"}`},
		{"no right to completions", "POST", "generate_code", body(""), 403, `{"detail":"Unauthorized to access code completions"}`},
		{"right", "POST", "duo_chat,complete_code", body(""), 200, `"text":"1"`},
		{"right of before 17.6", "POST", "code_suggestions", body(""), 200, `"text":"1"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.Do(test.method, path, test.body, "Authorization", "Bearer "+test.token, "X-Gitlab-Authentication-Type", "oidc")
			if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
				t.Errorf("%d %s, want %d %s", got.StatusCode, got.Text, test.status, test.text)
			}
		})
	}
}

func TestRefusedBodies(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"1"}})
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		text                    string
	}{
		{"none", "", "", 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`},
		{"malformed", "application/json", `{"a":}`, 422, `{"detail":[{"type":"json_invalid","loc":["body",5],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting value"}}]}`},
		{"not UTF-8", "", "{\"a\":\"\xff\"}", 400, `{"detail":"There was an error parsing the body"}`},
		{"text/plain", "text/plain", `{"a":1}`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":"{\"a\":1}"}]}`},
		{"nested too deeply", "", strings.Repeat("[", 2000), 400, `{"detail":"There was an error parsing the body"}`},
		{"missing member", "", `{"prompt_version":1,"current_file":{"file_name":"a.py","content_above_cursor":"x = "}}`, 422,
			`{"detail":[{"type":"missing","loc":["body",1,"current_file","content_below_cursor"],"msg":"Field required","input":{"file_name":"a.py","content_above_cursor":"x = "}}]}`},
		{"unknown model", "", body(`"model_provider":"litellm","model_name":"nope"`), 422,
			`{"detail":[{"type":"value_error","loc":["body",2,"model_name"],"msg":"Value error, model nope is not supported by use case code completions and provider litellm","input":"nope","ctx":{"error":{}}}]}`},
		{"what JSON cannot answer", "", body(`"project_id":NaN,"choices_count":1e999,"stream":"\ud800"`), 422,
			`{"detail":[{"type":"finite_number","loc":["body",2,"project_id"],"msg":"Input should be a finite number","input":null},` +
				`{"type":"string_unicode","loc":["body",2,"stream"],"msg":"Input should be a valid string, unable to parse raw data as a unicode string","input":"` + "\uFFFD" + `"},` +
				`{"type":"finite_number","loc":["body",2,"choices_count"],"msg":"Input should be a finite number","input":null}]}`},
		{"a key is not repeated", "", `{"prompt_version":2,"model_api_key":["sesame"],"project_id":"x","current_file":{"model_api_key":"sesame"}}`, 422, `"input":"**********"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{"Content-Type", test.contentType, "X-Request-ID", test.name}
			got := s.Do("POST", path, test.body, headers...)
			if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s, want %d %s", got.StatusCode, got.Text, test.status, test.text)
			}
			if !json.Valid([]byte(got.Text)) || strings.Contains(got.Text, "sesame") || strings.Contains(s.Log(), "sesame") {
				t.Errorf("answer %s", got.Text)
			}
		})
	}
}

func TestTelemetryIsCounted(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"1"}})
	for range 2 {
		got := s.Do("POST", path, body(`"telemetry":[
			{"model_engine":"agent","model_name":"Test Model Code Completions","lang":"ruby","requests":3,"accepts":"2","errors":1},
			{"model_engine":"x1","model_name":"y2","lang":"z3","experiments":[{"name":"e4","variant":5}],"requests":1,"accepts":1,"errors":1},
			{"requests":-1,"accepts":12345678901234567890123,"errors":0}]`))
		if got.StatusCode != 200 {
			t.Fatalf("%d %s", got.StatusCode, got.Text)
		}
	}
	page := s.Metrics()
	own := `exp_names="",exp_variants="",lang="ruby",model_engine="agent",model_name="Test Model Code Completions"`
	others := `exp_names="other",exp_variants="other",lang="other",model_engine="other",model_name="other"`
	for _, want := range []string{
		`code_suggestions_requests_total{` + own + `} 6`, `code_suggestions_accepts_total{` + own + `} 4`, `code_suggestions_errors_total{` + own + `} 2`,
		`code_suggestions_requests_total{` + others + `} 2`,
		`code_suggestions_prompt_language_total{editor_lang="ruby",extension="rb",lang="ruby"} 2`,
		`model_inferences_total{error="no",feature_category="code_suggestions",model_engine="agent",model_name="Test Model Code Completions",streaming="no"} 2`,
		`inference_request_duration_seconds_count{error="no",`,
		`code_suggestions_inference_requests_total{model_engine="agent",model_name="Test Model Code Completions"} 2`,
		`code_suggestions_inference_request_duration_seconds_bucket{model_engine="agent",model_name="Test Model Code Completions",le="60"} 2`,
		`code_suggestions_inference_prompt_size_bytes_sum{component="prefix",model_engine="agent",model_name="Test Model Code Completions"} 16`,
		`code_suggestions_inference_prompt_size_tokens_sum{component="suffix",model_engine="agent",model_name="Test Model Code Completions"} 8`,
		`model_inferences_in_flight{model_engine="agent",model_name="Test Model Code Completions"} 0`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	// Every combination of what clients make up is one series.
	if n := strings.Count(page, "code_suggestions_requests_total{"); n != 2 {
		t.Errorf("%d series of requests, want 2", n)
	}
}

func TestLogLineHasSizesButNoText(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"secret answer"}})
	s.Do("POST", path, body(`"prompt":"secret  prompt","model_api_key":"secret key"`), "X-Request-ID", "l", "Authorization", "Bearer secret")
	line := s.LogLine("l")
	for field, want := range map[string]any{
		"model_engine": "agent", "model_name": "Test Model Code Completions", "lang": "ruby", "editor_lang": "ruby", "status_code": 200.0,
		"prompt_length": 14.0, "prompt_length_stripped": 12.0, "model_output_length": 13.0, "model_output_length_stripped": 12.0,
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	if strings.Contains(s.Log(), "secret") {
		t.Error("the log has a text, a key or a token")
	}
}
