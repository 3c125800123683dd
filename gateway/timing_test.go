package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
)

// An answer says where its time went: before a stream what is known by then, behind it the rest.
func TestServerTimingOfEveryAnswer(t *testing.T) {
	s := gatewaytest.Start(t, open)
	m := gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"Final Answer: ", "1"}, Result: engine.Result{PromptTokens: 20, CachedTokens: 15, OutputTokens: 3, Queue: 1e6, Prefill: 2e6, Decode: 3_500_000}})
	m.Chat = &gatewaytest.Chat{}
	s.Ready(m)
	const whole = `queue;dur=1.0, prefill;dur=2.0;desc="20 tokens, 15 reused", decode;dur=3.5;desc="3 tokens"`
	stream := func(body string) string { return strings.TrimSuffix(body, "}") + `,"stream":true}` }
	const (
		v4   = `{"prompt_components":[{"type":"code_editor_completion","payload":{"file_name":"a.py","content_above_cursor":"x","content_below_cursor":"","language_identifier":"python","stream":true}}]}`
		chat = `{"prompt_components":[{"type":"prompt","metadata":{"source":"test","version":"1"},"payload":{"content":"hi","provider":"litellm","model":"mistral"}}]}`
		turn = `{"messages":[{"role":"user","content":"hi"}]}`
	)
	for _, test := range []struct {
		name, path, body string
		streamed         bool
	}{
		{"completion", completions, rightBody, false},
		{"completion, streamed", completions, stream(rightBody), true},
		{"suggestion, streamed", "/v4/code/suggestions", v4, true},
		{"chat", "/v1/chat/agent", chat, false},
		{"chat, streamed", "/v1/chat/agent", stream(chat), true},
		{"turn", "/v2/chat/agent", turn, true},
	} {
		r, err := http.NewRequest("POST", s.URL+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(got.Body)
		if err != nil || got.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s %v", test.name, got.StatusCode, text, err)
		}
		got.Body.Close()
		header, trailer := got.Header.Get("Server-Timing"), got.Trailer.Get("Server-Timing")
		switch {
		case !test.streamed && (header != whole || trailer != ""):
			t.Errorf("%s: %q, %q", test.name, header, trailer)
		case test.streamed && (!strings.HasPrefix(header, "first-token;dur=") || trailer != whole):
			t.Errorf("%s: %q, trailer %q", test.name, header, trailer)
		}
	}
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Err: &engine.BusyError{}}))
	if got := s.Do("POST", completions, rightBody); got.Header.Get("Server-Timing") != "" {
		t.Errorf("a refusal: %v", got.Header)
	}
}
