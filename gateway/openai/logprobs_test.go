package openai_test

import (
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
)

// Log probabilities come in each route's form, whole and in pieces.
func TestLogprobs(t *testing.T) {
	s := serve(t, open, answering("He", "é"))
	for _, test := range []struct{ name, path, body, want string }{
		{"chat", chat, `{"logprobs":true,` + question + `}`, `"logprobs":{"content":[{"token":"He","logprob":-1,"bytes":[72,101],"top_logprobs":[]},{"token":"é","logprob":-1,"bytes":[195,169],"top_logprobs":[]}]}`},
		{"chat with others", chat, `{"logprobs":true,"top_logprobs":2,` + question + `}`, `"top_logprobs":[{"token":"He","logprob":-1,"bytes":[72,101]}]`},
		{"chat without", chat, `{"logprobs":false,"top_logprobs":0,` + question + `}`, `"logprobs":null`},
		{"chat in pieces", chat, `{"stream":true,"logprobs":true,` + question + `}`, `"delta":{"content":"é"},"logprobs":{"content":[{"token":"é",`},
		{"text", completions, `{"prompt":"a","logprobs":1}`, `"logprobs":{"tokens":["He","é"],"token_logprobs":[-1,-1],"top_logprobs":[{"He":-1},{"é":-1}],"text_offset":[0,2]}`},
		{"text in pieces", completions, `{"stream":true,"prompt":"a","logprobs":0}`, `"text":"é","index":0,"logprobs":{"tokens":["é"],"token_logprobs":[-1],"top_logprobs":[{}],"text_offset":[2]}`},
		{"llama-server's", "/completion", `{"prompt":"a","n_probs":1}`, `"completion_probabilities":[{"id":0,"token":"He","logprob":-1,"bytes":[72,101],"top_logprobs":[{"id":0,`},
		{"echo", completions, `{"prompt":["ab"],"echo":true}`, `"text":"abHeé"`},
		{"echo of tokens", completions, `{"prompt":[97,98],"echo":true}`, `"text":"abHeé"`},
		{"echo in pieces", completions, `{"stream":true,"prompt":"ab","echo":true}`, `"text":"ab","index":0`},
	} {
		if got := s.Do("POST", test.path, test.body); got.StatusCode != 200 || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
	}
	s = serve(t, open, answering("é", ""))
	for path, want := range map[string]string{ // the last token has no text of its own
		chat:        `"delta":{},"logprobs":{"content":[{"token":"","logprob":-0,`,
		completions: `"text":"","index":0,"logprobs":{"tokens":[""],"token_logprobs":[-0],"top_logprobs":[{}],"text_offset":[1]},"finish_reason":"stop"`,
	} {
		body := map[string]string{chat: `{"stream":true,"logprobs":true,` + question + `}`, completions: `{"stream":true,"prompt":"a","logprobs":0}`}[path]
		if got := s.Do("POST", path, body); got.StatusCode != 200 || !strings.Contains(got.Text, want) {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.Text)
		}
	}
}

// best_of keeps the answers whose tokens are the most probable, and counts all.
func TestBestOf(t *testing.T) {
	g := &gatewaytest.Generator{Next: func(n int) ([]string, engine.Result) {
		return []string{strings.Repeat("x", 4-n)}, engine.Result{Finish: engine.FinishStop, PromptTokens: 3, OutputTokens: 1}
	}}
	s := gatewaytest.Start(t, open)
	s.Ready(&serving.Model{Name: "tiny", Codec: &gatewaytest.Codec{}, Vocabulary: gatewaytest.Bytes{}, Generator: g, ContextSize: 4096})
	got := s.Do("POST", completions, `{"prompt":"a","n":2,"best_of":4}`)
	if got.StatusCode != 200 || !strings.Contains(got.Text, `"choices":[{"text":"x","index":0,"logprobs":null,"finish_reason":"stop"},{"text":"xx","index":1,`) || !strings.Contains(got.Text, `"completion_tokens":4`) {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}
