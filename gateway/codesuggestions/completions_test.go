package codesuggestions_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
	"aigw/models"
)

const path = "/v2/code/completions"

var open = gateway.Options{Auth: auth.Options{BypassExternal: true}}

// body returns a request's body with some members added; the last of a name counts.
func body(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"prompt_version":2,"current_file":{"file_name":"lib/greeter.rb","language_identifier":"ruby","content_above_cursor":"def x\n  ","content_below_cursor":"\nend"}` + members + `}`
}

// start starts a server with a model behind which g generates.
func start(t *testing.T, o gateway.Options, g *gatewaytest.Generator) (*gatewaytest.Server, *serving.Model) {
	t.Helper()
	s := gatewaytest.Start(t, o)
	m := gatewaytest.Model(g)
	s.Ready(m)
	return s, m
}

func TestCompletion(t *testing.T) {
	g := &gatewaytest.Generator{
		Pieces: []string{`"Hello, `, "#{name}!\"", " <é>"},
		Result: engine.Result{Finish: engine.FinishStop, PromptTokens: 17, OutputTokens: 9},
	}
	s, _ := start(t, open, g)
	for _, at := range []string{path, "/v2/completions", "//v2/code/completions"} {
		before := time.Now().Unix()
		got := s.Do("POST", at, body(`"context":[{"type":"file","name":"b.rb","content":"abc"},{"type":"snippet","name":"c","content":"de"}]`))
		if got.StatusCode != 200 || got.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %s", got.StatusCode, got.Text)
		}
		var created struct{ Created int64 }
		if err := json.Unmarshal([]byte(got.Text), &created); err != nil || created.Created < before || created.Created > time.Now().Unix() {
			t.Errorf("created %d (%v)", created.Created, err)
		}
		want := fmt.Sprintf(`{"id":"id","model":{"engine":"agent","name":"Test Model Code Completions","lang":"ruby",`+
			`"tokens_consumption_metadata":{"input_tokens":12,"output_tokens":9,"context_tokens_sent":5,"context_tokens_used":5}},`+
			`"experiments":[],"object":"text_completion","created":%d,"choices":[{"text":"\"Hello, #{name}!\" <é>","index":0,"finish_reason":"length"}]}`, created.Created)
		if got.Text != want {
			t.Errorf("answer\n%s, want\n%s", got.Text, want)
		}
	}
}

func TestNoTextIsNoChoice(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{""}})
	got := s.Do("POST", path, body(""))
	if got.StatusCode != 200 || !strings.Contains(got.Text, `"choices":[]`) || !strings.Contains(got.Text, `"tokens_consumption_metadata":null`) {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

func TestWhatTheModelIsAsked(t *testing.T) {
	const code = "def x\n  \x00\nend"
	seed := uint32(7)
	sampling := models.Sampling{Temperature: 0.3, TopP: 0.9, Seed: &seed}
	stops := models.Stops{Tokens: []models.Token{3}, Texts: []string{"<EOT>"}}
	for _, test := range []struct{ name, members, prompt string }{
		{"no prompt", ``, code},
		{"null", `"prompt":null`, code},
		{"empty", `"prompt":""`, code},
		{"ready prompt", `"prompt":"<PRE> a <SUF> b <MID>"`, "<PRE> a <SUF> b <MID>"},
		{"white space is a prompt", `"prompt":" "`, " "},
		{"version 1 has no prompt", `"prompt_version":1,"prompt":"ignored"`, code},
		{"messages", `"prompt_version":3,"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u1"},{"role":"user","content":"u2"},{"role":"assistant","content":"a"}]`, "u2"},
		{"no message of the user", `"prompt_version":3,"prompt":[{"role":"system","content":"s"}]`, code},
		{"empty list", `"prompt_version":3,"prompt":[]`, code},
		{"null messages", `"prompt_version":3,"prompt":null`, code},
		{"cloud provider", `"model_provider":"anthropic","model_name":"claude-2.1"`, code},
		{"choices_count", `"choices_count":null,"model_provider":"vertex-ai"`, code},
		{"lone surrogate", `"prompt":"a\ud800b"`, "a\uFFFDb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &gatewaytest.Generator{Pieces: []string{"x"}}
			s, m := start(t, open, g)
			m.Codec.(*gatewaytest.Codec).Sampling, m.Codec.(*gatewaytest.Codec).Stops = sampling, stops
			if got := s.Do("POST", path, body(test.members)); got.StatusCode != 200 {
				t.Fatalf("%d %s", got.StatusCode, got.Text)
			}
			asked := g.Requests()[0]
			if got := gatewaytest.PromptText(asked.Prompt); got != test.prompt {
				t.Errorf("prompt %q, want %q", got, test.prompt)
			}
			if asked.MaxTokens != 128 || asked.Class != engine.Completion || !reflect.DeepEqual(asked.Sampling, sampling) || !reflect.DeepEqual(asked.Stops, stops) {
				t.Errorf("request %+v", asked)
			}
		})
	}
}

func TestWhatTheCodecIsGiven(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"x"}}
	s, m := start(t, open, g)
	s.Do("POST", path, body(`"context":[{"type":"file","name":"b.rb","content":"abc"}]`))
	s.Do("POST", path, `{"prompt_version":1,"current_file":{"file_name":" a.tsx ","content_above_cursor":"","content_below_cursor":""}}`)
	want := []models.Code{
		{FileName: "lib/greeter.rb", Language: "ruby", Prefix: "def x\n  ", Suffix: "\nend", Context: []models.File{{Name: "b.rb", Text: "abc"}}},
		{FileName: "a.tsx", Language: "typescript"},
	}
	if got := m.Codec.(*gatewaytest.Codec).Codes(); !reflect.DeepEqual(got, want) {
		t.Errorf("code %+v, want %+v", got, want)
	}
}

func TestSmallContext(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"x"}}
	s := gatewaytest.Start(t, open)
	m := gatewaytest.Model(g)
	m.ContextSize = 100
	s.Ready(m)
	if got := s.Do("POST", path, body("")); got.StatusCode != 200 || g.Requests()[0].MaxTokens != 50 {
		t.Errorf("%d, %+v", got.StatusCode, g.Requests())
	}
	if got := s.Do("POST", path, body(`"prompt":"`+strings.Repeat("x", 51)+`"`)); got.StatusCode != 422 || !strings.HasPrefix(got.Text, `{"detail":"prompt and answer need 51 tokens`) {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

func TestLongModelName(t *testing.T) {
	s, m := start(t, open, &gatewaytest.Generator{Pieces: []string{"x"}})
	m.Name = strings.Repeat("é", 51)
	s.Ready(m)
	if got := s.Do("POST", path, body("")); !strings.Contains(got.Text, `"name":"`+strings.Repeat("é", 50)+`"`) {
		t.Errorf("%s", got.Text)
	}
}

func TestFailures(t *testing.T) {
	for _, test := range []struct {
		name       string
		err        error
		status     int
		text       string
		retryAfter string
	}{
		{"busy", &engine.BusyError{Wait: 2300 * time.Millisecond}, 429, "all places are taken; try again in 2s", "3"},
		{"busy, soon free", fmt.Errorf("admit: %w", &engine.BusyError{}), 429, "all places are taken; try again in 0s", "1"},
		{"closed", engine.ErrClosed, 503, "The server is shutting down", "5"},
		{"too long", &models.TooLongError{Tokens: 9, Limit: 8}, 422, (&models.TooLongError{Tokens: 9, Limit: 8}).Error(), ""},
		{"defect", errors.New("decode failed with code -3"), 503, "Inference failed", ""},
		{"time is up", context.DeadlineExceeded, 503, "Inference timed out", ""},
	} {
		for _, stream := range []string{"false", "true"} { // before the first piece a stream fails alike
			t.Run(test.name+", stream "+stream, func(t *testing.T) {
				s, _ := start(t, open, &gatewaytest.Generator{Err: test.err})
				got := s.Do("POST", path, body(`"stream":`+stream), "X-Request-ID", "f")
				want, _ := json.Marshal(map[string]string{"detail": test.text})
				if got.StatusCode != test.status || got.Text != string(want) || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Retry-After") != test.retryAfter {
					t.Errorf("%d %s %v", got.StatusCode, got.Text, got.Header)
				}
				if line := s.LogLine("f"); test.name == "defect" && line["model_exception_message"] != "decode failed with code -3" {
					t.Errorf("log line %v", line)
				}
			})
		}
	}
}

func TestBudget(t *testing.T) {
	o := open
	o.InferenceTimeout = 50 * time.Millisecond
	s, _ := start(t, o, &gatewaytest.Generator{Wait: gatewaytest.Block})
	if got := s.Do("POST", path, body("")); got.StatusCode != 503 || got.Text != `{"detail":"Inference timed out"}` {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}

// Who waits for a whole completion gets the lines that were whole when its time was over, and else what there was.
func TestCompletionEndsAtALine(t *testing.T) {
	o := open
	o.CompletionTime = time.Nanosecond // is over with the first piece that is of use
	for _, test := range []struct {
		name   string
		pieces []string
		want   string
	}{
		{"no line is whole", []string{"(na", "me)"}, "(na"},
		{"no line with something in it is whole", []string{"\n  puts", " 1"}, "\n  puts"},
		{"nothing is of use yet", []string{"\n", "  ", "puts", " 1"}, "\n  puts"},
		{"the second line is half", []string{"(name)\n  puts na", "me"}, "(name)"},
		{"the second line has not begun", []string{"(name)\n", "  puts"}, "(name)"},
		{"lines with nothing in them", []string{"(name)\n\n  ", "puts"}, "(name)"},
		{"lines of Windows", []string{"(name)\r\n  a\r\n  b", "c"}, "(name)\r\n  a"},
		{"a fence is no line", []string{"```ruby\nputs", " 1"}, "puts"},
		{"it ends there by itself", []string{"", "(name)\n  puts 1\nend\n<|endoftext|>"}, "(name)\n  puts 1\nend\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := start(t, o, &gatewaytest.Generator{Pieces: test.pieces})
			file := `"current_file":{"file_name":"a.rb","content_above_cursor":"def x","content_below_cursor":"\n"}`
			if got := textOf(t, s.Do("POST", path, body(file)).Text); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	s, _ := start(t, o, &gatewaytest.Generator{Pieces: []string{"(name)\n  puts na", "me"}})
	if got := s.Do("POST", path, body(`"stream":true`)).Text; got != "(name)\n  puts name" {
		t.Errorf("streamed: %q", got)
	}
}

// A text that begins when those who wait shortest have gone is more than its first token.
func TestCompletionThatBeginsLate(t *testing.T) {
	o := open
	o.CompletionTime = time.Nanosecond
	wait := func(context.Context, int) error { time.Sleep(600 * time.Millisecond); return nil }
	s, _ := start(t, o, &gatewaytest.Generator{Wait: wait, Pieces: []string{"(na", "me)"}})
	if got := textOf(t, s.Do("POST", path, body("")).Text); got != "(name)" {
		t.Errorf("%q", got)
	}
	o.InferenceTimeout = time.Second // is over before the second piece
	s, _ = start(t, o, &gatewaytest.Generator{Wait: wait, Pieces: []string{"(na", "me)"}})
	if got := textOf(t, s.Do("POST", path, body("")).Text); got != "(na" {
		t.Errorf("with no time left: %q", got)
	}
}

func TestStream(t *testing.T) {
	next := make(chan struct{})
	g := &gatewaytest.Generator{
		Pieces: []string{"Hello, ", "wörld", "!"},
		Wait: func(ctx context.Context, _ int) error {
			select {
			case <-next:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	s, _ := start(t, open, g)
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	text := body(`"stream":true`)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(text), text)
	next <- struct{}{}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for name, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if response.StatusCode != 200 || response.Header.Get("X-Request-ID") == "" || response.Header.Get("X-Process-Time") == "" || response.ContentLength >= 0 {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
	for _, piece := range g.Pieces { // each arrives before the next is generated
		b := make([]byte, 100)
		n, err := io.ReadAtLeast(response.Body, b, len(piece))
		if err != nil || string(b[:n]) != piece {
			t.Errorf("read %q (%v), want %q", b[:n], err, piece)
		}
		next <- struct{}{}
	}
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) > 0 {
		t.Errorf("rest %q, %v", rest, err)
	}
}

func TestEmptyStream(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{})
	if got := s.Do("POST", path, body(`"stream":"yes"`)); got.StatusCode != 200 || got.Text != "" || got.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("%d %q %v", got.StatusCode, got.Text, got.Header)
	}
}

// A stream that fails after its first piece must not look complete.
func TestBrokenStream(t *testing.T) {
	s, _ := start(t, open, &gatewaytest.Generator{Pieces: []string{"half"}, Err: errors.New("decode failed")})
	request, err := http.NewRequest("POST", s.URL+path, strings.NewReader(body(`"stream":true`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Request-ID", "b")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if string(text) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v; want the piece and a broken connection", text, err)
	}
	if line := s.LogLine("b"); line["model_exception_message"] != "decode failed" || line["status_code"] != 200.0 {
		t.Errorf("log line %v", line)
	}
	if page := s.Metrics(); !strings.Contains(page, `model_inferences_total{error="yes",feature_category="code_suggestions",model_engine="agent",model_name="Test Model Code Completions",streaming="yes"} 1`) {
		t.Errorf("a broken stream is not counted as an error")
	}
}

// A client that hangs up ends the generation, streaming or not, and is no error of the model.
func TestHangUp(t *testing.T) {
	for name, test := range map[string]struct {
		stream string
		wait   func(context.Context, int) error
	}{
		"waiting for the answer": {"false", gatewaytest.Block},
		"waiting for a stream":   {"true", gatewaytest.Block},
		"within a stream": {"true", func(ctx context.Context, n int) error {
			if n == 0 {
				return nil
			}
			return gatewaytest.Block(ctx, n)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gatewaytest.Generator{Pieces: []string{"a", "b"}, Wait: test.wait}
			s, _ := start(t, open, g)
			ctx, hangUp := context.WithCancel(context.Background())
			request, err := http.NewRequestWithContext(ctx, "POST", s.URL+path, strings.NewReader(body(`"stream":`+test.stream)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Request-ID", "h")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				response, err := http.DefaultClient.Do(request)
				if err == nil {
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
				}
			}()
			gatewaytest.Eventually(t, "the generation", func() bool { return g.Running() == 1 })
			hangUp()
			<-ended
			gatewaytest.Eventually(t, "the generation's end", func() bool { return g.Running() == 0 })
			if line := s.LogLine("h"); name != "within a stream" && line["status_code"] != 499.0 {
				t.Errorf("log line %v", line)
			}
			page := s.Metrics()
			if !strings.Contains(page, `model_inferences_in_flight{model_engine="agent",model_name="Test Model Code Completions"} 0`) || !strings.Contains(page, `model_inferences_total{error="no"`) {
				t.Error("a hang-up is counted as an error, or the generation as running")
			}
		})
	}
}

// A client that stays but does not read is given up.
func TestClientThatDoesNotRead(t *testing.T) {
	o := open
	o.WriteTimeout = 100 * time.Millisecond
	g := &gatewaytest.Generator{Pieces: make([]string, 10_000)}
	for i := range g.Pieces {
		g.Pieces[i] = strings.Repeat("x", 10_000) // 100 MB: more than the buffers in between hold
	}
	s, _ := start(t, o, g)
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := body(`"stream":true`)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(text), text)
	gatewaytest.Eventually(t, "the generation", func() bool { return len(g.Requests()) == 1 })
	gatewaytest.Eventually(t, "the generation's end", func() bool { return g.Running() == 0 })
}

// A pause between two pieces may be longer than the time for one of them to be accepted.
func TestPauseInAStream(t *testing.T) {
	o := open
	o.WriteTimeout = 250 * time.Millisecond
	pause := func(context.Context, int) error { time.Sleep(400 * time.Millisecond); return nil }
	s, _ := start(t, o, &gatewaytest.Generator{Pieces: []string{"a", "b"}, Wait: pause})
	for range 2 { // on one connection
		if got := s.Do("POST", path, body(`"stream":true`)); got.Text != "ab" {
			t.Errorf("%q", got.Text)
		}
	}
}
