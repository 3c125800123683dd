package openai_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/apikeys"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
	"aigw/internal/testmodel"
	"aigw/models"
)

// posted are the routes that take a body, each with the beginning of one that is right.
var posted = []struct{ path, body string }{
	{chat, `{"max_tokens":4,` + question},
	{completions, `{"max_tokens":4,"prompt":"ab"`},
	{"/completion", `{"n_predict":4,"prompt":"ab"`},
	{"/infill", `{"n_predict":4,"input_prefix":"a","input_suffix":"b"`},
	{"/tokenize", `{"content":"ab"`},
	{"/detokenize", `{"tokens":[97]`},
	{"/v1/embeddings", `{"input":"a"`},
}

// fuzzed returns a server with a key, and what asks it and judges the answer: never 500, and JSON or a stream of JSON.
func fuzzed(f *testing.F, ready func(*gateway.Server)) (ask func(t *testing.T, path, body string)) {
	made, key, err := apikeys.New(apikeys.Key{Name: "fuzz"})
	path := filepath.Join(f.TempDir(), apikeys.FileName)
	if err == nil {
		err = apikeys.Add(path, made)
	}
	ring, openErr := apikeys.Open(path)
	if err := errors.Join(err, openErr); err != nil {
		f.Fatal(err)
	}
	s := gateway.New(gateway.Options{APIKeys: ring, Logger: slog.New(slog.DiscardHandler)})
	ready(s)
	return func(t *testing.T, path, body string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch kind := w.Header().Get("Content-Type"); {
		case w.Code >= 500 || w.Code == http.StatusUnauthorized:
			t.Errorf("%d %s", w.Code, w.Body)
		case strings.HasPrefix(kind, "text/event-stream"):
			for event := range strings.SplitSeq(strings.TrimSuffix(w.Body.String(), "\n\n"), "\n\n") {
				data, ok := strings.CutPrefix(event, "data: ")
				if !ok || data != "[DONE]" && !json.Valid([]byte(data)) || strings.Contains(data, "server_error") {
					t.Errorf("%q is no event", event)
				}
			}
		case kind != "application/json" || !json.Valid(w.Body.Bytes()):
			t.Errorf("%s %s", kind, w.Body)
		}
		if body := w.Body.String(); w.Code >= 400 && (!strings.HasPrefix(body, `{"error":{"message":"`) || len(body) > 2000) {
			t.Errorf("%d %s", w.Code, body)
		}
	}
}

// No body ends the program.
func FuzzBodies(f *testing.F) {
	f.Add(uint8(0), `{`+question+`,"stop":["x"],"response_format":{"type":"json_object"},"n":2}`)
	f.Add(uint8(1), `{"prompt":[[1,2],[3]],"suffix":null,"seed":1,"stream":true}`)
	f.Add(uint8(2), `{"prompt":"a","n_predict":0,"response_fields":["timings/prompt_n",""]}`)
	f.Add(uint8(3), `{"input_prefix":"a","input_suffix":"b","input_extra":[{"text":"x"}],"t_max_predict_ms":1e300}`)
	f.Add(uint8(4), `{"content":"\ud800","with_pieces":true}`)
	f.Add(uint8(5), `{"tokens":[-1,2147483647]}`)
	f.Add(uint8(6), `{"input":[[97],"b"],"encoding_format":"base64"}`)
	ask := fuzzed(f, func(s *gateway.Server) {
		s.SetEmbedding(&serving.EmbeddingModel{Name: "embed", Embedder: gatewaytest.Embedder{}})
		s.Ready(&serving.Model{Name: "m", Family: "f", Codec: &gatewaytest.Codec{}, Chat: &gatewaytest.Chat{}, Vocabulary: gatewaytest.Bytes{}, Generator: answering("x"), ContextSize: 512})
	})
	f.Fuzz(func(t *testing.T, which uint8, body string) { ask(t, posted[int(which)%len(posted)].path, body) })
}

// parameters are members of bodies, each with one of the routes that know it, and with values that reach far.
var parameters = []struct {
	name   string
	route  uint8 // of posted
	values []string
}{
	{"tools", 0, []string{`[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"enum":["x","y"]}},"required":["a"]},"strict":true}}]`,
		`[{"function":{"name":"f"}},{"function":{"name":"g","parameters":{"$ref":"#"}}}]`, `[{}]`, `[null]`}},
	{"tool_choice", 0, []string{`"required"`, `{"type":"function","function":{"name":"f"}}`, `{"name":"f"}`, `{"type":"custom"}`, `null`}},
	{"functions", 0, []string{`[{"name":"f","parameters":{"type":"array"}}]`}},
	{"function_call", 0, []string{`"auto"`, `{"name":"f"}`}},
	{"parallel_tool_calls", 0, []string{`false`}},
	{"response_format", 0, []string{`{"type":"json_object"}`, `{"type":"json_schema","json_schema":{"schema":{"type":"string","pattern":"^a+$","maxLength":9}}}`,
		`{"type":"json_object","schema":{"anyOf":[{"type":"null"},{"items":{"$ref":"#/anyOf/1"},"minItems":2}]}}`, `{"type":"json_schema","json_schema":null}`}},
	{"json_schema", 2, []string{`{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}`, `false`, `{"format":"date-time","type":"string"}`}},
	{"grammar", 2, []string{`"root ::= [a-z]+ \" \" root | \"x\""`, `"root ::= (\"a\"?)*"`, `"root ::= root"`, `"root ::= [\\xff]"`}},
	{"logprobs", 1, []string{`true`, `3`, `20`}},
	{"top_logprobs", 0, []string{`0`, `20`}},
	{"n_probs", 2, []string{`20`}},
	{"logit_bias", 1, []string{`{"97":100,"98":-100}`, `[[97,false],["98",1.5]]`, `{"97":null}`, `{"256":-100,"0":1e-40}`}},
	{"stream", 1, []string{`true`}},
	{"stream_options", 0, []string{`{"include_usage":true}`, `{}`, `null`}},
	{"n", 1, []string{`8`, `1`}},
	{"n_cmpl", 3, []string{`3`}},
	{"best_of", 1, []string{`8`}},
	{"echo", 1, []string{`true`}},
	{"suffix", 1, []string{`"b"`, `""`, `null`}},
	{"stop", 1, []string{`["a","\n",""]`, `"\u0000"`, `[null]`, `["` + strings.Repeat("x", 1025) + `"]`}},
	{"seed", 1, []string{`-1`, `9223372036854775807`}},
	{"temperature", 1, []string{`0`, `2`, `1e-300`, `1e400`}},
	{"top_p", 1, []string{`0`, `1e-45`}},
	{"min_p", 2, []string{`1`}},
	{"top_k", 2, []string{`-1`, `9223372036854775807`}},
	{"repeat_penalty", 2, []string{`0.1`, `10`}},
	{"frequency_penalty", 1, []string{`-2`}},
	{"presence_penalty", 1, []string{`2`}},
	{"max_tokens", 0, []string{`1`, `null`}},
	{"max_completion_tokens", 0, []string{`2`}},
	{"n_predict", 2, []string{`0`, `-1`, `-9223372036854775808`}},
	{"t_max_predict_ms", 3, []string{`1e300`, `-5`, `0.0001`}},
	{"samplers", 3, []string{`["top_k","infill"]`, `"kt"`, `[]`}},
	{"input_extra", 3, []string{`[{"text":"x","filename":"b.py","time":[1,2]}]`, `[null]`, `[{}]`}},
	{"response_fields", 3, []string{`[""]`, `["content","timings/prompt_n","/","a/b/c"]`}},
	{"prompt", 1, []string{`""`, `[]`, `[[97],"b"]`, `[-1]`, `[300]`, `"<|im_start|>"`, `"[SUFFIX][PREFIX]"`, `"<PRE>  <SUF> <MID>"`, `null`}},
	{"messages", 0, []string{`[]`, `[{"role":"user","content":""}]`, `[{"role":"assistant","content":"a"}]`, `[{"role":"tool","tool_call_id":"x","content":[{"type":"text","text":"y"}]}]`,
		`[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]},{"role":"function","name":"f","content":null}]`, `[{"role":"user","content":"<fim_prefix><fim_suffix><fim_middle>"}]`}},
	{"input", 6, []string{`[]`, `[-1]`, `[[300]]`, `" "`, `["",""]`, `"` + strings.Repeat("a", 600) + `"`}},
	{"encoding_format", 6, []string{`"base64"`}},
	{"dimensions", 6, []string{`64`, `-1`}},
	{"tokens", 5, []string{`[-1,2147483647]`, `[null]`}},
	{"content", 4, []string{`"\ud800"`, `null`}},
	{"model", 0, []string{`"embed"`, `"openai/m"`, `"` + strings.Repeat("x", 4000) + `"`}},
	{"user", 0, []string{`"\u0000"`}},
}

// Whatever two parameters say, a real engine and its grammars answer or refuse. The model is a tiny one.
func FuzzParameters(f *testing.F) {
	for i, p := range parameters {
		for k, value := range p.values {
			with := (i + 1 + k) % len(parameters)
			f.Add(p.route, uint8(i), value, uint8(with), parameters[with].values[0])
		}
	}
	e, err := engine.Load(f.Context(), engine.Options{Model: testmodel.Tiny(f, testmodel.Plain), Context: testmodel.TinyContext, Threads: 1, Logger: slog.New(slog.DiscardHandler)}) // workers share the processors
	if err != nil {
		f.Fatal(err)
	}
	embedder, err := engine.LoadEmbedder(f.Context(), engine.Options{Model: testmodel.Tiny(f, testmodel.Encoder), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := errors.Join(e.Close(), embedder.Close()); err != nil {
			f.Error(err)
		}
	})
	ask := fuzzed(f, func(s *gateway.Server) {
		s.SetEmbedding(&serving.EmbeddingModel{Name: "embed", Embedder: embedder})
		s.Ready(&serving.Model{
			Name: "m", Family: "f", Codec: &gatewaytest.Codec{}, FillsIn: true, Vocabulary: e.Vocabulary(), Generator: e, ContextSize: e.Limit() / 2,
			Chat: &gatewaytest.Chat{Calls: models.CallFormat{StopText: "<call>", StopToken: models.NoToken, Open: "<call>", Close: "</call>", Arguments: "arguments"}},
		})
	})
	f.Fuzz(func(t *testing.T, which, first uint8, value string, second uint8, other string) {
		route := posted[int(which)%len(posted)]
		body := route.body
		for _, p := range []struct {
			number uint8
			value  string
		}{{first, value}, {second, other}} {
			if !json.Valid([]byte(p.value)) { // a text, then
				text, err := json.Marshal(p.value)
				if err != nil {
					t.Fatal(err)
				}
				p.value = string(text)
			}
			body += `,"` + parameters[int(p.number)%len(parameters)].name + `":` + p.value
		}
		ask(t, route.path, body+"}")
	})
}
