package codesuggestions_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
)

const (
	v3Path = "/v3/code/completions"
	v4Path = "/v4/code/suggestions"
)

// component returns a component for an editor's completion or generation, with more members in
// the payload.
func component(kind, more string) string {
	return `{"type":"code_editor_` + kind + `","metadata":{"source":"My IDE","version":"1.2.3"},"payload":{"file_name":"main.go","content_above_cursor":"func add(a, b int) int {\n\treturn ","content_below_cursor":"\n}\n","language_identifier":"go"` + more + `}}`
}

const contextComponent = `{"type":"code_context","payload":{"type":"file","name":"sub.go","content":"func sub(a, b int) int { return a - b }"}}`

func list(components ...string) string {
	return `{"prompt_components":[` + strings.Join(components, ",") + `]}`
}

func TestCompletionsOfVersions3And4(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"a +", " b"}}
	s, _ := start(t, open, g)
	for _, at := range []string{v3Path, v4Path} {
		got := s.Do("POST", at, list(component("completion", `,"stream":false,"model_provider":"vertex-ai","choices_count":3`), contextComponent), "X-Gitlab-Language-Server-Version", "6.3.0")
		want := regexp.MustCompile(`^\{"choices":\[\{"text":"a \+ b","index":0,"finish_reason":"length"\}\],"metadata":\{"model":\{"engine":"agent","name":"Test Model Code Completions","lang":"go"\},"timestamp":\d+\}\}$`)
		if got.StatusCode != http.StatusOK || !want.MatchString(got.Text) || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", at, got.StatusCode, got.Text)
		}
	}
	if text := gatewaytest.PromptText(g.Requests()[0].Prompt); text != "func add(a, b int) int {\n\treturn \x00\n}\n\x01func sub(a, b int) int { return a - b }" {
		t.Errorf("prompt %q", text)
	}
	// A caller's own prompt, a text or messages, is used.
	for _, prompt := range []string{`"say this"`, `[{"role":"system","content":"x"},{"role":"user","content":"say this"}]`} {
		s.Do("POST", v3Path, list(component("completion", `,"prompt":`+prompt)))
		requests := g.Requests()
		if text := gatewaytest.PromptText(requests[len(requests)-1].Prompt); text != "say this" {
			t.Errorf("%s: prompt %q", prompt, text)
		}
	}
}

// Other files count only from language servers that send them for use.
func TestContextNeedsALanguageServerThatMeansIt(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"1"}}
	s, m := start(t, open, g)
	for version, used := range map[string]bool{"": false, "6.2.9": false, "6.3.0": true, "6.10.1": true, "7.0.0": true, "v6.3.0": true, "6.3.0-beta": false, "6.3": false, "x": false, "10.0.0": true} {
		s.Do("POST", v3Path, list(component("completion", ""), contextComponent), "X-Gitlab-Language-Server-Version", version)
		codes := m.Codec.(*gatewaytest.Codec).Codes()
		if n := len(codes[len(codes)-1].Context); (n == 1) != used {
			t.Errorf("version %q: %d files", version, n)
		}
	}
}

func TestGenerationsOfVersions3And4(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"\nreturn a + b"}}
	s := startChat(t, open, g)
	for _, test := range []struct{ name, more, want string }{
		{"instruction", `,"prompt_id":"code_suggestions/generations","prompt":"add them"`, "Instruction: add them"},
		{"enhancer", `,"prompt_id":"code_suggestions/generations","prompt_enhancer":{"user_instruction":"add them","related_files":["package x"],"libraries":[1,"fmt"],"examples_array":[{}]}`, "Instruction: add them"},
		{"enhancer's files", `,"prompt_id":"code_suggestions/generations","prompt_enhancer":{"related_files":["package x"]}`, "related files:\n```\npackage x\n```"},
		{"own prompt", `,"prompt":"add them"`, "<user>add them</>"},
		{"no prompt", ``, "return "},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, at := range []string{v3Path, v4Path} {
				got := s.Do("POST", at, list(component("generation", test.more)))
				if got.StatusCode != http.StatusOK || !strings.HasSuffix(textOf(t, got.Text), "return a + b") {
					t.Fatalf("%s: %d %s", at, got.StatusCode, got.Text)
				}
				requests := g.Requests()
				if text := gatewaytest.PromptText(requests[len(requests)-1].Prompt); !strings.Contains(text, test.want) {
					t.Errorf("prompt %q", text)
				}
			}
		})
	}
}

func TestStreamOfVersion3IsText(t *testing.T) {
	s := startChat(t, open, &gatewaytest.Generator{Pieces: []string{"a +", " b"}})
	for _, kind := range []string{"completion", "generation"} {
		got := s.Do("POST", v3Path, list(component(kind, `,"stream":true`)))
		if got.Text != "a + b" || got.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" || got.Header.Get("X-Streaming-Format") != "" {
			t.Errorf("%s: %q %v", kind, got.Text, got.Header)
		}
	}
}

// event is a server-sent event.
type event struct{ name, data string }

// events reads a stream strictly: each event is its name, its data and a blank line.
func events(t *testing.T, stream string) []event {
	t.Helper()
	var all []event
	lines := bufio.NewScanner(strings.NewReader(stream))
	lines.Split(func(data []byte, end bool) (int, []byte, error) {
		if i := strings.Index(string(data), "\r\n"); i >= 0 {
			return i + 2, data[:i], nil
		}
		if end && len(data) > 0 {
			return 0, nil, fmt.Errorf("%q is no line", data)
		}
		return 0, nil, nil
	})
	for lines.Scan() {
		name, ok := strings.CutPrefix(lines.Text(), "event: ")
		if !ok || !lines.Scan() {
			t.Fatalf("%q is no event", stream)
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || !json.Valid([]byte(data)) || !lines.Scan() || lines.Text() != "" {
			t.Fatalf("%q is no event", stream)
		}
		all = append(all, event{name, data})
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return all
}

func TestStreamOfVersion4IsEvents(t *testing.T) {
	for _, test := range []struct {
		name   string
		pieces []string
		want   []string // data of the chunks
	}{
		{"text", []string{"a +", " \"é\"\n", "<b>"}, []string{`{"choices":[{"delta":{"content":"a +"},"index":0}]}`}},
		{"nothing", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startChat(t, open, &gatewaytest.Generator{Pieces: test.pieces})
			got := s.Do("POST", v4Path, list(component("generation", `,"stream":true`)))
			for name, value := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "X-Streaming-Format": "sse", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
				if got.Header.Get(name) != value {
					t.Errorf("%s: %q", name, got.Header.Get(name))
				}
			}
			all := events(t, got.Text)
			first, last := all[0], all[len(all)-1]
			if first.name != "stream_start" || !regexp.MustCompile(`^\{"metadata":\{"model":\{"engine":"agent","name":"Test Model Code Generations"\},"timestamp":\d+\}\}$`).MatchString(first.data) {
				t.Errorf("start %+v", first)
			}
			if last != (event{"stream_end", "null"}) {
				t.Errorf("end %+v", last)
			}
			text := ""
			for i, e := range all[1 : len(all)-1] {
				var chunk struct {
					Choices []struct {
						Delta struct{ Content string }
						Index int
					}
				}
				if err := json.Unmarshal([]byte(e.data), &chunk); err != nil || e.name != "content_chunk" || len(chunk.Choices) != 1 {
					t.Fatalf("%+v: %v", e, err)
				}
				if i < len(test.want) && e.data != test.want[i] {
					t.Errorf("chunk %s", e.data)
				}
				text += chunk.Choices[0].Delta.Content
			}
			if text != strings.Join(test.pieces, "") {
				t.Errorf("text %q", text)
			}
		})
	}
}

func TestComponentsThatAreRefused(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{Verifier: verifier{}}})
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"1"}}))
	for _, test := range []struct {
		name, token, body string
		status            int
		text              string
	}{
		{"right", "complete_code", list(component("completion", "")), 200, `"choices"`},
		{"right for generations too", "complete_code", list(component("generation", "")), 200, `"choices"`},
		{"no right", "generate_code", list(component("completion", "")), 403, `{"detail":"Unauthorized to access code suggestions"}`},
		{"bad body before no right", "duo_chat", `{}`, 422, `"loc":["body","prompt_components"],"msg":"Field required"`},
		{"none", "complete_code", list(), 422, `"type":"too_short"`},
		{"too many", "complete_code", list(strings.Split(strings.Repeat(contextComponent+"|", 101), "|")[:101]...), 422, `"type":"too_long"`},
		{"context first", "complete_code", list(contextComponent), 422, "the first component should be a code_editor_completion"},
		{"unknown type", "complete_code", list(`{"type":"x"}`), 422, `"type":"union_tag_invalid"`},
		{"unknown prompt", "complete_code", list(component("generation", `,"prompt_id":"x"`)), 422, `prompt_id \"x\" is not known here`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, at := range []string{v3Path, v4Path} {
				got := s.Do("POST", at, test.body, "Authorization", "Bearer "+test.token, "X-Gitlab-Authentication-Type", "oidc")
				if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) || !json.Valid([]byte(got.Text)) {
					t.Errorf("%s: %d %s, want %d %s", at, got.StatusCode, got.Text, test.status, test.text)
				}
			}
		})
	}
}
