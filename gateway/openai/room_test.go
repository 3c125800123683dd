package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/apikeys"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/openai"
	"aigw/gateway/serving"
	"aigw/models"
)

var open = gateway.Options{OpenAIInsecure: true}

const (
	chat        = "/v1/chat/completions"
	completions = "/v1/completions"
	question    = `"messages":[{"role":"user","content":"Hi"}]`
)

// serve starts a server with one model that answers with a generator.
func serve(t *testing.T, o gateway.Options, g *gatewaytest.Generator) *gatewaytest.Server {
	t.Helper()
	s := gatewaytest.Start(t, o)
	s.Ready(&serving.Model{
		Name: "tiny", Aliases: []string{"codegemma"}, Family: "codegemma", Codec: &gatewaytest.Codec{}, FillsIn: true, Chat: &gatewaytest.Chat{},
		Vocabulary: gatewaytest.Bytes{}, Generator: g, ContextSize: 4096,
	})
	return s
}

func answering(pieces ...string) *gatewaytest.Generator {
	return &gatewaytest.Generator{Pieces: pieces, Result: engine.Result{Finish: engine.FinishStop, PromptTokens: 10, CachedTokens: 4, OutputTokens: len(pieces)}}
}

// refusal is the body of an error; it fails the test if it has another form.
func refusal(t *testing.T, got gatewaytest.Answer) (message, kind, param, code string) {
	t.Helper()
	var body struct {
		Error struct {
			Message, Type string
			Param, Code   *string
		}
	}
	var raw map[string]map[string]any
	if json.Unmarshal([]byte(got.Text), &body) != nil || json.Unmarshal([]byte(got.Text), &raw) != nil || len(raw["error"]) != 4 || body.Error.Message == "" || body.Error.Type == "" {
		t.Fatalf("%d %s is no error of OpenAI's", got.StatusCode, got.Text)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return body.Error.Message, body.Error.Type, text(body.Error.Param), text(body.Error.Code)
}

func TestCanonical(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/chat/completions": chat, "/chat/completions": chat, "/v1/v1/chat/completions": chat, "/v1/chat/completions/": chat, "//chat/completions": chat,
		"/completions": completions, "/completion": "/completion", "/v1/completion": "/completion", "/infill": "/infill", "/v1/infill": "/infill",
		"/models": "/v1/models", "/v1/models/": "/v1/models", "/models/a/b": "/v1/models/a/b", "/health": "/health", "/v1/health": "/health", "/props": "/props", "/v1/openapi.json": "/v1/openapi.json", "/v1/openapi.json/": "/v1/openapi.json",
		"/openapi.json": "", "/v1/v1/openapi.json": "",
		"/": "", "": "", "/v1": "", "/v1/": "", "/v2/completions": "", "/v1/chat/agent": "", "/v1completions": "", "/v1/v1/v1/completions": "", "/modelsx": "", "/v1//models": "",
	} {
		if got, ok := openai.Canonical(path); got != want || ok != (want != "") {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

// What is answered whole, and what the engine was asked.
func TestWholeAnswers(t *testing.T) {
	g := answering("Hel", "lo")
	s := serve(t, open, g)
	for _, test := range []struct {
		name, path, body string
		prompt           string // what the engine saw
		class            engine.Class
		want             string // of the answer, from "choices" on
	}{
		{"chat", chat, `{"model":"tiny",` + question + `}`, "<user>Hi</>", engine.Chat,
			`"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}}`},
		{"chat, parts and developer", "/chat/completions", `{"model":"codegemma","messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"H"},{"type":"text","text":"i"}],"name":"x"}]}`,
			"<system>Be brief.</><user>Hi</>", engine.Chat, `"content":"Hello"`},
		{"chat, an answer begun", chat, `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hel"}]}`, "<user>Hi</><assistant>Hel", engine.Chat, `"content":"Hello"`},
		{"chat without tools that are offered", chat, `{"tools":[{}],"tool_choice":"none",` + question + `}`, "<user>Hi</>", engine.Chat, `"content":"Hello"`},
		{"chat that fills in", chat, `{"model":"custom_openai/codegemma","messages":[{"role":"system","content":"Fill in."},{"role":"user","content":"<|fim_prefix|>a(<|fim_suffix|>)\n<|fim_middle|>"}]}`, "a(\x00)\n", engine.Completion,
			`"message":{"role":"assistant","content":"Hello"}`},
		{"chat that fills in, Codestral's", chat, `{"messages":[{"role":"user","content":"<s>[SUFFIX])\n[PREFIX]a("}]}`, "a(\x00)\n", engine.Completion, `"content":"Hello"`},
		{"chat about markers", chat, `{"messages":[{"role":"user","content":"What is <|fim_prefix|>?"}]}`, "<user>What is <|fim_prefix|>?</>", engine.Chat, `"content":"Hello"`},
		{"text", completions, `{"model":"tiny","prompt":"a = ","max_tokens":7}`, "a = ", engine.Generation,
			`"choices":[{"text":"Hello","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{`},
		{"text in a list", completions, `{"prompt":["a = "]}`, "a = ", engine.Generation, `"text":"Hello"`},
		{"tokens", completions, `{"prompt":[97,98]}`, "ab", engine.Generation, `"text":"Hello"`},
		{"tokens in a list", completions, `{"prompt":[[97,98]]}`, "ab", engine.Generation, `"text":"Hello"`},
		{"between two texts", completions, `{"prompt":"a(","suffix":")\n"}`, "a(\x00)\n", engine.Completion, `"text":"Hello"`},
		{"before nothing", completions, `{"prompt":"a(","suffix":""}`, "a(\x00", engine.Completion, `"text":"Hello"`},
		{"an editor's own markers", completions, `{"prompt":"<|fim_prefix|>a(<|fim_suffix|>)\n<|fim_middle|>"}`, "a(\x00)\n", engine.Completion, `"text":"Hello"`},
		{"llama-server's", "/completion", `{"prompt":"a = ","n_predict":-1,"cache_prompt":true,"id_slot":3,"seed":-1}`, "a = ", engine.Generation, `"content":"Hello"`},
		{"infill", "/infill", `{"input_prefix":"x\n","prompt":"a(","input_suffix":")\n","input_extra":[{"filename":"b.py","text":"B","time":[1,2]}],"samplers":["top_k","infill"]}`, "x\na(\x00)\n\x01B", engine.Completion, `"content":"Hello"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.Do("POST", test.path, test.body, "Authorization", "Bearer none")
			asked := g.Requests()
			last := asked[len(asked)-1]
			if got.StatusCode != 200 || !strings.Contains(got.Text, test.want) || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %s", got.StatusCode, got.Text)
			}
			if prompt := gatewaytest.PromptText(last.Prompt); prompt != test.prompt || last.Class != test.class {
				t.Errorf("the engine saw %q of class %v, want %q of %v", prompt, last.Class, test.prompt, test.class)
			}
		})
	}
}

// The parameters reach the engine.
func TestParameters(t *testing.T) {
	g := answering("x")
	s := serve(t, open, g)
	body := `{"prompt":"a","max_tokens":5,"temperature":0.5,"top_p":0.9,"top_k":7,"min_p":0.1,"repeat_penalty":1.5,"seed":4294967298,"stop":["\n","END"],"n":2,"user":"u","frequency_penalty":0.5,"presence_penalty":-1,"logit_bias":{"97":2.5,"98":-100}}`
	got := s.Do("POST", completions, body)
	asked := g.Requests()
	if got.StatusCode != 200 || len(asked) != 2 || strings.Count(got.Text, `"text":"x"`) != 2 || !strings.Contains(got.Text, `"prompt_tokens":10,"completion_tokens":2`) {
		t.Fatalf("%d %s", got.StatusCode, got.Text)
	}
	seeds := map[uint32]bool{}
	for _, r := range asked {
		seeds[*r.Sampling.Seed] = true
		r.Sampling.Seed = nil
		if r.Sampling != (models.Sampling{Temperature: 0.5, TopP: 0.9, TopK: 7, MinP: 0.1, RepeatPenalty: 1.5, FrequencyPenalty: 0.5, PresencePenalty: -1}) || len(r.Bias) != 2 || r.Bias[0] != (engine.Bias{Token: 97, Add: 2.5}) || r.Bias[1].Add != -100 || r.MaxTokens != 5 || strings.Join(r.Stops.Texts, "|") != "\n|END" {
			t.Errorf("%+v", r)
		}
	}
	if len(seeds) != 2 {
		t.Errorf("two answers with the seeds %v", seeds)
	}
	for name, test := range map[string]struct {
		path, body string
		most       int
		grammar    bool
	}{
		"OpenAI's default":       {completions, `{"prompt":"a"}`, 16, false},
		"the newer name":         {chat, `{"max_tokens":9,"max_completion_tokens":3,` + question + `}`, 3, false},
		"a conversation's":       {chat, `{` + question + `}`, 2048, false},
		"more than fits":         {chat, `{"max_tokens":100000,` + question + `}`, 4096 - len("<user>Hi</>"), false},
		"any JSON":               {chat, `{"response_format":{"type":"json_object"},` + question + `}`, 2048, true},
		"a schema":               {chat, `{"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","properties":{"a":{"type":"integer"}}}}},` + question + `}`, 2048, true},
		"text":                   {chat, `{"response_format":{"type":"text"},` + question + `}`, 2048, false},
		"GBNF":                   {"/completion", `{"prompt":"a","n_predict":4,"grammar":"root ::= \"x\""}`, 4, true},
		"ahead, for nobody":      {"/infill", `{"input_prefix":"","input_suffix":"","n_predict":0}`, 1, false},
		"llama-server's name":    {chat, `{"max_tokens":9,"n_predict":3,` + question + `}`, 3, false},
		"as much as fits":        {completions, `{"max_tokens":9,"n_predict":-1,"prompt":"a"}`, 16, false},
		"a schema, llama-server": {"/completion", `{"prompt":"a","n_predict":4,"json_schema":{"const":1}}`, 4, true},
	} {
		if got := s.Do("POST", test.path, test.body); got.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Text)
		}
		asked := g.Requests()
		if last := asked[len(asked)-1]; last.MaxTokens != test.most || (last.Grammar != nil) != test.grammar {
			t.Errorf("%s: %d tokens, grammar %v", name, last.MaxTokens, last.Grammar)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := serve(t, open, answering("x"))
	for _, test := range []struct {
		name, path, body string
		status           int
		param, code      string
		message          string // part of it
	}{
		{"no JSON", chat, `{"model":`, 400, "", "invalid_json", "no JSON"},
		{"no object", chat, `[1]`, 400, "", "", "an array"},
		{"no body", chat, ``, 400, "", "invalid_json", "no JSON"},
		{"another type", chat, `{"max_tokens":"many",` + question + `}`, 400, "max_tokens", "invalid_type", "a whole number, not a string"},
		{"a type within", chat, `{"messages":[{"role":1}]}`, 400, "messages.role", "invalid_type", "a string"},
		{"no messages", chat, `{}`, 400, "messages", "invalid_value", "missing"},
		{"an odd role", chat, `{"messages":[{"role":"king","content":"x"}]}`, 400, "messages", "invalid_value", `"king"`},
		{"a picture", chat, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, 400, "messages", "unsupported_parameter", "only text"},
		{"alternatives alone", chat, `{"top_logprobs":2,` + question + `}`, 400, "top_logprobs", "invalid_value", "logprobs: true"},
		{"too many alternatives", chat, `{"logprobs":true,"top_logprobs":21,` + question + `}`, 400, "top_logprobs", "invalid_value", "from 0 to 20"},
		{"a penalty too high", chat, `{"frequency_penalty":2.5,` + question + `}`, 400, "frequency_penalty", "invalid_value", "from -2 to 2"},
		{"a bias too high", chat, `{"logit_bias":{"5":101},` + question + `}`, 400, "logit_bias", "invalid_value", "from -100 to 100"},
		{"a bias of a word", chat, `{"logit_bias":{"the":1},` + question + `}`, 400, "logit_bias", "invalid_type", "token ids"},
		{"a bias of no token", chat, `{"logit_bias":{"-5":1},` + question + `}`, 400, "logit_bias", "invalid_value", "vocabulary"},
		{"too many probabilities", "/completion", `{"prompt":"a","n_probs":50}`, 400, "n_probs", "invalid_value", "from 0 to 20"},
		{"a temperature too high", chat, `{"temperature":2.5,` + question + `}`, 400, "temperature", "invalid_value", "from 0 to 2"},
		{"no answers", chat, `{"n":0,` + question + `}`, 400, "n", "invalid_value", "from 1 to 8"},
		{"no answers, by llama-server's name", "/infill", `{"n_cmpl":9,"input_prefix":"a","input_suffix":"b"}`, 400, "n_cmpl", "invalid_value", "from 1 to 8"},
		{"two numbers of answers", completions, `{"n":9,"n_cmpl":1,"prompt":"a"}`, 400, "n", "invalid_value", "from 1 to 8"},
		{"nothing", chat, ` null `, 400, "", "", "not null"},
		{"no tokens", chat, `{"max_completion_tokens":0,` + question + `}`, 400, "max_completion_tokens", "invalid_value", "at least 1"},
		{"a format", chat, `{"response_format":{"type":"xml"},` + question + `}`, 400, "response_format.type", "invalid_value", "xml"},
		{"a schema that cannot be kept", chat, `{"response_format":{"type":"json_schema","json_schema":{"schema":{"not":{}}}},` + question + `}`, 400, "response_format", "invalid_value", "/not"},
		{"a grammar with a mistake", "/completion", `{"prompt":"a","grammar":"root ="}`, 400, "grammar", "invalid_value", "line 1"},
		{"too long", completions, `{"prompt":"` + strings.Repeat("x", 5000) + `"}`, 400, "prompt", "context_length_exceeded", "5000"},
		{"too many tokens", completions, `{"prompt":[` + strings.Repeat("1,", 5000) + `1]}`, 400, "prompt", "context_length_exceeded", "5002"},
		{"too long a conversation", chat, `{"messages":[{"role":"user","content":"` + strings.Repeat("x", 5000) + `"}]}`, 400, "messages", "context_length_exceeded", "This model's maximum context length is"},
		{"no model has so long a name", chat, `{"model":"` + strings.Repeat("x", 5000) + `",` + question + `}`, 404, "model", "model_not_found", `xxx..."; loaded`},
		{"no bias", chat, `{"logit_bias":{"5":null},` + question + `}`, 400, "logit_bias", "invalid_type", "numbers"},
		{"no prompt", completions, `{}`, 400, "prompt", "invalid_value", "missing"},
		{"an odd prompt", completions, `{"prompt":{"a":1}}`, 400, "prompt", "invalid_type", "list of tokens"},
		{"a prompt of nothing", completions, `{"prompt":[]}`, 400, "prompt", "invalid_type", "list of tokens"},
		{"echo with logprobs", completions, `{"prompt":"a","echo":true,"logprobs":1}`, 400, "logprobs", "unsupported_parameter", "echo"},
		{"echo with a suffix", completions, `{"prompt":"a","echo":true,"suffix":"b"}`, 400, "echo", "unsupported_parameter", "suffix"},
		{"best_of below n", completions, `{"prompt":"a","best_of":1,"n":2}`, 400, "best_of", "invalid_value", "which is 2"},
		{"best_of in a stream", completions, `{"prompt":"a","best_of":3,"stream":true}`, 400, "best_of", "invalid_value", "stream"},
		{"stops", completions, `{"prompt":"a","stop":3}`, 400, "stop", "invalid_type", "stop"},
		{"an unknown model", chat, `{"model":"gpt-4",` + question + `}`, 404, "model", "model_not_found", `"gpt-4"; loaded: tiny`},
		{"infill without a suffix", "/infill", `{"input_prefix":"a"}`, 400, "input_suffix", "invalid_value", "missing"},
		{"embeddings", "/v1/embeddings", `{"model":"tiny","input":"a"}`, 400, "model", "model_not_suitable", "embeddings"},
		{"another method", "/v1/models", ``, 405, "", "method_not_allowed", "POST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.Do("POST", test.path, test.body)
			message, kind, param, code := refusal(t, got)
			if got.StatusCode != test.status || param != test.param || code != test.code || !strings.Contains(message, test.message) || kind != "invalid_request_error" {
				t.Errorf("%d %s", got.StatusCode, got.Text)
			}
		})
	}
}

// What the engine says comes in OpenAI's words, with a time to try again.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		err              error
		status           int
		kind, code, wait string
	}{
		{&engine.BusyError{Wait: 3 * time.Second}, 429, "rate_limit_error", "rate_limit_exceeded", "3"},
		{engine.ErrClosed, 503, "service_unavailable_error", "model_not_ready", "5"},
		{engine.ErrPoisonous, 422, "invalid_request_error", "prompt_refused", ""},
		{engine.ErrNoContinuation, 400, "invalid_request_error", "grammar_leads_nowhere", ""},
		{errors.New("the device is gone"), 500, "server_error", "", ""},
	} {
		s := serve(t, open, &gatewaytest.Generator{Err: test.err})
		for _, stream := range []bool{false, true} {
			got := s.Do("POST", chat, fmt.Sprintf(`{"stream":%t,%s}`, stream, question))
			message, kind, _, code := refusal(t, got)
			if got.StatusCode != test.status || kind != test.kind || code != test.code || got.Header.Get("Retry-After") != test.wait || strings.Contains(message, "device") {
				t.Errorf("%v: %d %s %v", test.err, got.StatusCode, got.Text, got.Header)
			}
		}
	}
	s := gatewaytest.Start(t, open)
	s.Loading("m.gguf", 0.5)
	for _, path := range []string{"/health", "/v1/models", "/props"} {
		got := s.Do("GET", path, "")
		if message, _, _, code := refusal(t, got); got.StatusCode != 503 || code != "model_not_ready" || got.Header.Get("Retry-After") == "" || !strings.Contains(message, "loading") {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.Text)
		}
	}
}

// events returns the data of a stream's events.
func events(t *testing.T, got gatewaytest.Answer) []string {
	t.Helper()
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Fatalf("%d %v %s", got.StatusCode, got.Header, got.Text)
	}
	var out []string
	for _, event := range strings.Split(strings.TrimSuffix(got.Text, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("%q is no event", event)
		}
		out = append(out, data)
	}
	return out
}

func TestStreams(t *testing.T) {
	s := serve(t, open, answering("Hel", "lo\n"))
	head := func(object string) string { return `"object":"` + object + `"` }
	for name, test := range map[string]struct {
		path, body string
		want       []string // parts of the events
	}{
		"chat": {chat, `{"stream":true,` + question + `}`, []string{
			`"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}`, `"delta":{"content":"Hel"}`, `"delta":{"content":"lo\n"}`,
			`"delta":{},"logprobs":null,"finish_reason":"stop"}]}`, "[DONE]"}},
		"chat with usage": {chat, `{"stream":true,"stream_options":{"include_usage":true},` + question + `}`, []string{
			head("chat.completion.chunk"), `"Hel"`, `"lo\n"`, `"stop"`, `"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}}`, "[DONE]"}},
		"text": {completions, `{"stream":true,"stream_options":{"include_usage":true},"prompt":"a"}`, []string{
			head("text_completion") + ``, `"text":"lo\n"`, `"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]}`, `"choices":[],"usage":{`, "[DONE]"}},
		"llama-server's": {"/completion", `{"stream":true,"prompt":"a"}`, []string{
			`{"index":0,"content":"Hel","tokens":[],"stop":false}`, `"content":"lo\n"`, `"content":"","tokens":[],"stop":true,"model":"tiny","tokens_predicted":2,"tokens_evaluated":10,"has_new_line":true`}},
	} {
		got := events(t, s.Do("POST", test.path, test.body))
		if len(got) != len(test.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range test.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: event %d is %s, want %s", name, i, got[i], want)
			}
		}
	}
	two := events(t, s.Do("POST", chat, `{"stream":true,"n":2,`+question+`}`))
	for _, index := range []string{`"index":0,`, `"index":1,`} {
		if n := strings.Count(strings.Join(two, "\n"), index); n != 4 {
			t.Errorf("%d events of %s in %q", n, index, two)
		}
	}
}

// A stream that breaks says so in an event that clients make an exception of.
func TestABrokenStreamSaysWhy(t *testing.T) {
	s := serve(t, open, &gatewaytest.Generator{Pieces: []string{"Hel"}, Err: engine.ErrNoContinuation})
	got := events(t, s.Do("POST", chat, `{"stream":true,`+question+`}`))
	if last := got[len(got)-1]; len(got) != 3 || !strings.HasPrefix(last, `{"error":{"message":"`) || !strings.Contains(last, "grammar_leads_nowhere") {
		t.Errorf("%q", got)
	}
}

// Whoever hangs up ends all his generations.
func TestHangingUpEndsTheGenerations(t *testing.T) {
	g := &gatewaytest.Generator{Wait: gatewaytest.Block}
	s := serve(t, open, g)
	for n, body := range map[int]string{1: `{` + question + `}`, 3: `{"n":3,` + question + `}`} {
		ctx, hangUp := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+chat, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			res, err := http.DefaultClient.Do(r)
			if err == nil {
				res.Body.Close()
			}
			ended <- err
		}()
		gatewaytest.Eventually(t, "the generations", func() bool { return g.Running() == n })
		hangUp()
		if <-ended == nil {
			t.Error("an answer")
		}
		gatewaytest.Eventually(t, "no generation to run", func() bool { return g.Running() == 0 })
	}
	if n := len(g.Requests()); n != 4 {
		t.Errorf("%d generations", n)
	}
}

// llama.vim has a prompt computed while somebody still types what is to be done: in its turn, which is behind all others', and
// with an answer that has nothing in it.
func TestPromptsAheadOfTheirQuestions(t *testing.T) {
	g := answering("never", "read")
	s := serve(t, open, g)
	for path, test := range map[string]struct{ body, want string }{
		chat:          {`{"id_slot":1,"n_predict":0,"samplers":[],"response_fields":[""],` + question + `}`, `"message":{"role":"assistant","content":""},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":10,"completion_tokens":0,`},
		completions:   {`{"n_predict":0,"prompt":"a"}`, `"text":"","index":0,"logprobs":null,"finish_reason":"length"`},
		"/completion": {`{"n_predict":0,"prompt":"a"}`, `"content":"","tokens":[],"stop":true,"model":"tiny","tokens_predicted":0,`},
	} {
		for _, stream := range []string{"", `"stream":true,`} {
			got := s.Do("POST", path, "{"+stream+test.body[1:])
			if got.StatusCode != 200 || strings.Contains(got.Text, "never") || stream == "" && !strings.Contains(got.Text, test.want) {
				t.Errorf("%s: %d %s", path, got.StatusCode, got.Text)
			}
			asked := g.Requests()
			if last := asked[len(asked)-1]; last.Class != engine.Background || last.MaxTokens != 1 {
				t.Errorf("%s: %d tokens of class %v", path, last.MaxTokens, last.Class)
			}
		}
	}
}

// The door describes all its routes, to those who may pass it.
func TestTheDocument(t *testing.T) {
	s, keys := keyed(t, gateway.Options{}, apikeys.Key{Name: "alice"})
	if got := s.Do("GET", "/v1/openapi.json", ""); got.StatusCode != 401 {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
	got := s.Do("GET", "/v1/openapi.json", "", "Authorization", "Bearer "+keys[0])
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Summary     string
			Security    []map[string]any
			Responses   map[string]any
			RequestBody *struct {
				Content map[string]struct {
					Schema struct {
						Properties map[string]json.RawMessage
						Required   []string
					}
				}
			}
		}
		Components struct{ Schemas, SecuritySchemes map[string]any }
	}
	if err := json.Unmarshal([]byte(got.Text), &document); err != nil || got.StatusCode != 200 || document.OpenAPI != "3.1.0" {
		t.Fatalf("%d %s (%v)", got.StatusCode, got.Text, err)
	}
	if document.Components.Schemas["Error"] == nil || document.Components.SecuritySchemes["key"] == nil || len(document.Paths) != 12 {
		t.Errorf("%d routes, %v", len(document.Paths), document.Components)
	}
	for path, methods := range document.Paths {
		for method, op := range methods {
			if op.Summary == "" || op.Responses["200"] == nil || op.Responses["503"] == nil || (method == "post") != (op.RequestBody != nil) || (path == "/health") != (op.Security == nil) {
				t.Errorf("%s %s: %+v", method, path, op)
			}
		}
	}
	body := document.Paths[chat]["post"].RequestBody.Content["application/json"].Schema
	for name, want := range map[string]string{
		"messages": `"minItems":1`, "temperature": `"maximum":2`, "n": `"maximum":8`, "stop": `"maxItems":64`, "tools": `"pattern":`, "top_logprobs": `"maximum":20`, "logit_bias": `"minimum":-100`,
		"stream_options": `"include_usage"`, "tool_choice": `"required"`, "n_predict": `"integer"`, "min_p": `"number"`, "max_completion_tokens": `"minimum":1`,
	} {
		if !strings.Contains(string(body.Properties[name]), want) {
			t.Errorf("%s: %s", name, body.Properties[name])
		}
	}
	if len(body.Required) != 1 || body.Required[0] != "messages" {
		t.Errorf("required: %v", body.Required)
	}
}

// llama.vim names the fields that it wants, nested ones with a slash.
func TestResponseFields(t *testing.T) {
	s := serve(t, open, answering("x"))
	for fields, want := range map[string]string{
		`["content","timings/prompt_n","tokens_cached","nothing","timings/nothing"]`: `{"content":"x","timings/prompt_n":6,"tokens_cached":4}`,
		`[""]`: `{}`,
	} {
		if got := s.Do("POST", "/infill", `{"input_prefix":"a","input_suffix":"b","response_fields":`+fields+`}`); got.StatusCode != 200 || got.Text != want {
			t.Errorf("%s: %d %s", fields, got.StatusCode, got.Text)
		}
	}
}

func TestModelsTokensProperties(t *testing.T) {
	s := serve(t, open, answering("x"))
	for _, test := range []struct{ method, path, body, want string }{
		{"GET", "/v1/models", "", `"max_model_len":4096}]}`},
		{"GET", "/v1/models", "", `{"id":"codegemma","object":"model",`},
		{"GET", "/models/codegemma", "", `"owned_by":"aigw","root":"tiny"`},
		{"GET", "/health", "", `{"status":"ok"}`},
		{"GET", "/props", "", `{"default_generation_settings":{"n_ctx":4096},"total_slots":1,"model_alias":"tiny"`},
		{"POST", "/tokenize", `{"content":"ab","add_special":true}`, `{"tokens":[2,97,98]}`},
		{"POST", "/tokenize", `{"content":""}`, `{"tokens":[]}`},
		{"POST", "/tokenize", `{"content":"é","with_pieces":true}`, `{"tokens":[{"id":195,"piece":[195]},{"id":169,"piece":[169]}]}`},
		{"POST", "/detokenize", `{"tokens":[97,195,169]}`, `{"content":"aé"}`},
	} {
		if got := s.Do(test.method, test.path, test.body); got.StatusCode != 200 || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s: %d %s", test.path, got.StatusCode, got.Text)
		}
	}
	if got := s.Do("HEAD", "/health", ""); got.StatusCode != 200 {
		t.Errorf("HEAD: %d", got.StatusCode)
	}
	got := s.Do("GET", "/v1/models/gpt-4", "")
	if _, _, _, code := refusal(t, got); got.StatusCode != 404 || code != "model_not_found" {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

func TestEmbeddings(t *testing.T) {
	s := serve(t, open, answering("x"))
	s.SetEmbedding(&serving.EmbeddingModel{Name: "embed", Embedder: gatewaytest.Embedder{}})
	for _, test := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"a text", `{"model":"embed","input":"ab"}`, 200, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[195,2]}],"model":"embed","usage":{"prompt_tokens":2,"total_tokens":2}}`},
		{"a provider", `{"model":"openai/embed","input":["a","b"]}`, 200, `"index":1,"embedding":[98,1]`},
		{"tokens", `{"input":[97,98]}`, 200, `[195,2]`},
		{"lists of tokens", `{"input":[[97],[98]],"dimensions":2}`, 200, `[98,1]`},
		{"packed", `{"input":"ab","encoding_format":"base64"}`, 200, `"embedding":"AABDQwAAAEA="`},
		{"nothing", `{"model":"embed"}`, 400, "input is missing"},
		{"an empty text", `{"input":["a",""]}`, 400, "empty"},
		{"another type", `{"input":{}}`, 400, "list of tokens"},
		{"too long", `{"input":["a","123456789"]}`, 400, "input 1 has 9 tokens"},
		{"shortened", `{"input":"a","dimensions":1}`, 400, "2 numbers"},
		{"another format", `{"input":"a","encoding_format":"hex"}`, 400, "base64"},
		{"another model", `{"model":"tiny","input":"a"}`, 404, "loaded: embed"},
	} {
		got := s.Do("POST", "/embeddings", test.body)
		if got.StatusCode != test.status || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
		if got.StatusCode != 200 {
			refusal(t, got)
		}
	}
	if got := s.Do("GET", "/v1/models", ""); !strings.Contains(got.Text, `"id":"embed"`) {
		t.Errorf("%s", got.Text)
	}
}

// keyed starts a server with keys, and returns their texts.
func keyed(t *testing.T, o gateway.Options, keys ...apikeys.Key) (*gatewaytest.Server, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), apikeys.FileName)
	texts := make([]string, len(keys))
	for i, k := range keys {
		made, text, err := apikeys.New(k)
		if err == nil {
			err = apikeys.Add(path, made)
		}
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = text
	}
	var err error
	if o.APIKeys, err = apikeys.Open(path); err != nil {
		t.Fatal(err)
	}
	return serve(t, o, answering("x")), texts
}

// The door is shut without a key, whatever opens GitLab's.
func TestTheDoorIsShut(t *testing.T) {
	s := serve(t, gateway.Options{Auth: auth.Options{BypassExternal: true}}, answering("x"))
	for path, want := range map[string]int{"/v1/models": 404, "/health": 404, "/infill": 404, completions: 404, chat: 422 /* GitLab's chat of that name */} {
		method := "POST"
		if path == "/v1/models" || path == "/health" {
			method = "GET"
		}
		if got := s.Do(method, path, `{}`, "Authorization", "Bearer sk-aigw-x"); got.StatusCode != want || !strings.HasPrefix(got.Text, `{"detail":`) {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.Text)
		}
	}
}

func TestKeys(t *testing.T) {
	o := gateway.Options{Auth: auth.Options{BypassExternal: true}}
	s, keys := keyed(t, o, apikeys.Key{Name: "alice"}, apikeys.Key{Name: "bob", Models: []string{"other"}})
	alice := "Bearer " + keys[0]
	for _, test := range []struct {
		name, method, path string
		headers            []string
		status             int
		code               string
	}{
		{"no key", "GET", "/v1/models", nil, 401, ""},
		{"no key to wake up", "GET", "/health", nil, 200, ""},
		{"a wrong key", "GET", "/v1/models", []string{"Authorization", "Bearer sk-aigw-x"}, 401, "invalid_api_key"},
		{"another program's key", "GET", "/v1/models", []string{"Authorization", "Bearer sk-1234"}, 401, "invalid_api_key"},
		{"another scheme", "GET", "/v1/models", []string{"Authorization", "Basic " + keys[0]}, 401, ""},
		{"alice", "GET", "/v1/models", []string{"Authorization", alice}, 200, ""},
		{"alice, another header", "GET", "/v1/models", []string{"X-Api-Key", keys[0]}, 200, ""},
		{"alice from a page", "GET", "/v1/models", []string{"Authorization", alice, "Origin", "https://page.test"}, 200, ""},
		{"an unknown path", "GET", "/v1/responses", []string{"Authorization", alice}, 404, "unknown_url"},
		{"GitLab's path", "POST", "/v2/code/completions", []string{"Authorization", alice}, 404, "unknown_url"},
		{"a model of others", "POST", chat, []string{"Authorization", "Bearer " + keys[1]}, 400, "model_not_suitable"},
		{"models of others", "GET", "/v1/models/tiny", []string{"Authorization", "Bearer " + keys[1]}, 404, "model_not_found"},
	} {
		got := s.Do(test.method, test.path, `{`+question+`}`, test.headers...)
		if got.StatusCode != test.status {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
		if got.StatusCode == 200 {
			continue
		}
		if _, _, _, code := refusal(t, got); code != test.code {
			t.Errorf("%s: %s", test.name, got.Text)
		}
	}
	if got := s.Do("OPTIONS", chat, "", "Origin", "https://page.test", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"); got.StatusCode != 204 || got.Header.Get("Access-Control-Allow-Headers") != "authorization" {
		t.Errorf("preflight: %d %v", got.StatusCode, got.Header)
	}
	s.Do("POST", chat, `{`+question+`}`, "Authorization", alice, "X-Request-ID", "r1")
	if line := s.LogLine("r1"); line["api_key_name"] != "alice" || line["model_name"] != "tiny" {
		t.Errorf("%v", line)
	}
	if strings.Contains(s.Log(), keys[0]) {
		t.Error("the log holds a key")
	}
	if got := s.Do("POST", "/v2/code/completions", `{`); got.StatusCode == 404 {
		t.Error("GitLab's door is shut")
	}
}

func TestLimitsOfAKey(t *testing.T) {
	s, keys := keyed(t, gateway.Options{}, apikeys.Key{Name: "alice", PerMinute: 2}, apikeys.Key{Name: "bob"})
	ask := func(key string) gatewaytest.Answer {
		return s.Do("POST", chat, `{`+question+`}`, "Authorization", "Bearer "+key)
	}
	for i, want := range []int{200, 200, 429} {
		if got := ask(keys[0]); got.StatusCode != want {
			t.Errorf("request %d: %d %s", i, got.StatusCode, got.Text)
		} else if want == 429 {
			if _, kind, _, code := refusal(t, got); kind != "rate_limit_error" || code != "rate_limit_exceeded" || got.Header.Get("Retry-After") == "" {
				t.Errorf("%s %v", got.Text, got.Header)
			}
		}
	}
	if got := ask(keys[1]); got.StatusCode != 200 {
		t.Errorf("bob: %d %s", got.StatusCode, got.Text)
	}
}

// Without a key only this machine may ask, and no page of a stranger.
func TestInsecure(t *testing.T) {
	s := serve(t, open, answering("x"))
	for name, test := range map[string]struct {
		headers []string
		status  int
	}{
		"any key":               {[]string{"Authorization", "Bearer whatever"}, 200},
		"none":                  {nil, 200},
		"a page of its own":     {[]string{"Origin", s.URL}, 200},
		"a page of a stranger":  {[]string{"Origin", "https://evil.test"}, 403},
		"a page of no origin":   {[]string{"Origin", "null"}, 403},
		"a name of a stranger":  {[]string{"Host", "evil.test"}, 403},
		"localhost":             {[]string{"Host", "localhost:80"}, 200},
		"a key that is not one": {[]string{"Authorization", "Bearer sk-aigw-x"}, 401},
	} {
		if got := s.Do("GET", "/v1/models", "", test.headers...); got.StatusCode != test.status || got.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Text)
		}
	}
}
