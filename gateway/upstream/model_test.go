package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway/outbound"
	"aigw/gateway/upstream"
	"aigw/models"
)

// far is a server whose /v1/models works, and whose answers are what a test says.
type far struct {
	*httptest.Server
	mu    sync.Mutex
	asked []map[string]any // bodies
	paths []string
	auth  string
}

func newFar(t *testing.T, answer http.HandlerFunc) *far {
	f := &far{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/models" {
			fmt.Fprint(w, `{"object":"list","data":[{"id":"org/only-one","max_model_len":3000}]}`)
			return
		}
		text, _ := io.ReadAll(r.Body)
		var body map[string]any
		if err := json.Unmarshal(text, &body); err != nil {
			t.Error(err)
		}
		f.mu.Lock()
		f.asked, f.paths, f.auth = append(f.asked, body), append(f.paths, r.URL.Path), r.Header.Get("Authorization")
		f.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *far) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// events are a stream of such data.
func events(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		fmt.Fprintf(w, "data: %s\n\n", d)
	}
}

func piece(text string) string {
	return fmt.Sprintf(`{"choices":[{"text":%q,"finish_reason":null}]}`, text)
}

const (
	ended = `{"choices":[{"text":"","finish_reason":"stop"}]}`
	used  = `{"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":7}}}`
	done  = "[DONE]"
)

func fine(w http.ResponseWriter, _ *http.Request) {
	events(w, piece("Hel"), piece("lo"), ended, used, done)
}

type setup struct {
	*upstream.Model
	codec models.Codec
	chat  models.ChatCodec
}

func newModel(t *testing.T, at string, change func(*upstream.Options)) setup {
	t.Helper()
	base, err := url.Parse(at + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	o := upstream.Options{Name: "mine", Base: base, Silence: 10 * time.Second, Streams: 4, Queue: 4, MaxWait: 10 * time.Second, Logger: slog.New(slog.DiscardHandler)}
	if o.Client, err = outbound.New(outbound.Options{Origins: []*url.URL{base}, Streams: o.Streams}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Client.Close)
	what := models.RecogniseElsewhere(models.Operator{Family: models.QwenCoder}, "mine")
	o.Spelling = what.Spelling
	if change != nil {
		change(&o)
	}
	s := setup{Model: upstream.New(o)}
	if s.codec, err = what.Codec(); err != nil {
		t.Fatal(err)
	}
	if s.chat, err = what.ChatCodec(); err != nil {
		t.Fatal(err)
	}
	return s
}

// complete asks for a completion, and returns its text.
func (s setup) complete(ctx context.Context, t *testing.T, stops ...string) (string, engine.Result, error) {
	t.Helper()
	p, err := s.codec.Completion(models.Code{Prefix: "def f(", Suffix: "\n"}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	p.Stops.Texts = stops
	result, err := s.Generate(ctx, engine.Request{Prompt: p.Tokens, MaxTokens: 20, Sampling: p.Sampling, Stops: p.Stops}, func(piece string) error {
		text.WriteString(piece)
		return nil
	})
	return text.String(), result, err
}

func TestACompletion(t *testing.T) {
	f := newFar(t, fine)
	m := newModel(t, f.URL, func(o *upstream.Options) { o.Key = func() (string, error) { return "secret", nil } })
	if n := m.Connect(t.Context(), 0); n != 3000 {
		t.Errorf("context %d", n)
	}
	text, result, err := m.complete(t.Context(), t, "\n\n")
	if err != nil || text != "Hello" || result.Finish != engine.FinishStop || result.PromptTokens != 11 || result.OutputTokens != 5 || result.CachedTokens != 7 {
		t.Errorf("%q, %+v, %v", text, result, err)
	}
	sent := f.asked[0]
	if f.paths[0] != "/v1/completions" || f.auth != "Bearer secret" || sent["model"] != "org/only-one" || sent["prompt"] != "<|fim_prefix|>def f(<|fim_suffix|>\n<|fim_middle|>" ||
		sent["max_tokens"] != 20.0 || sent["stream"] != true || sent["temperature"] != 0.0 || fmt.Sprint(sent["stop"].([]any)[0]) != "\n\n" {
		t.Errorf("%s %s %v", f.paths[0], f.auth, sent)
	}
}

// A conversation of a family that is not known here is laid out by the server.
func TestAConversationOfAnUnknownFamily(t *testing.T) {
	f := newFar(t, func(w http.ResponseWriter, _ *http.Request) {
		events(w, `{"choices":[{"delta":{"role":"assistant"}}]}`, `{"choices":[{"delta":{"content":"Hi"}}]}`, `{"choices":[{"delta":{},"finish_reason":"length"}]}`, done)
	})
	what := models.RecogniseElsewhere(models.Operator{}, "x")
	m := newModel(t, f.URL, func(o *upstream.Options) { o.Spelling = what.Spelling })
	codec, err := what.ChatCodec()
	if err != nil {
		t.Fatal(err)
	}
	p, err := codec.Chat([]models.Message{{Role: models.User, Content: "Hello"}}, models.ChatOptions{Room: 100})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	result, err := m.Generate(t.Context(), engine.Request{Prompt: p.Tokens, MaxTokens: 3, Class: engine.Chat}, func(s string) error { text += s; return nil })
	if err != nil || text != "Hi" || result.Finish != engine.FinishLength || f.paths[0] != "/v1/chat/completions" || fmt.Sprint(f.asked[0]["messages"]) != "[map[content:Hello role:user]]" || f.asked[0]["prompt"] != nil {
		t.Errorf("%q, %+v, %v, %s %v", text, result, err, f.paths, f.asked)
	}
}

// Stop texts hold although the server may know fewer of them, and although they straddle pieces.
func TestStopTexts(t *testing.T) {
	f := newFar(t, func(w http.ResponseWriter, _ *http.Request) { events(w, piece("one EN"), piece("D two"), ended, done) })
	m := newModel(t, f.URL, nil)
	if text, result, err := m.complete(t.Context(), t, "1", "2", "3", "4", "END"); err != nil || text != "one " || result.Finish != engine.FinishStop {
		t.Errorf("%q, %+v, %v", text, result, err)
	}
	if n := len(f.asked[0]["stop"].([]any)); n != 4 {
		t.Errorf("%d stop texts are sent", n)
	}
	if text, _, err := m.complete(t.Context(), t, "D twos"); err != nil || text != "one END two" {
		t.Errorf("held back for ever: %q, %v", text, err)
	}
}

// What goes wrong names the host and the cause, and says whether it is worth to ask again.
func TestServersThatMisbehave(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // part of the error
		asked  int    // times
	}{
		{"failure", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusInternalServerError) }, "it answers 500", 1},
		{"overloaded", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusServiceUnavailable) }, "it answers 503", 3},
		{"wrong key", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusUnauthorized) }, "--model-key-file", 1},
		{"wrong path", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusNotFound) }, "end in /v1", 1},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "redirects are not followed", 1},
		{"page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "instead of a stream", 1},
		{"garbage", func(w http.ResponseWriter, _ *http.Request) { events(w, "{{{") }, "no JSON", 1},
		{"endless line", func(w http.ResponseWriter, _ *http.Request) { events(w, strings.Repeat("x", 2<<20)) }, "a line of more than", 1},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { events(w) }, "cut off", 3},
		{"cut", func(w http.ResponseWriter, _ *http.Request) { events(w, piece("Hel")) }, "cut off", 1},
		{"broken", func(w http.ResponseWriter, _ *http.Request) {
			events(w, piece("Hel"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "broke off", 1},
		{"failure in the middle", func(w http.ResponseWriter, _ *http.Request) {
			events(w, piece("Hel"), `{"error":{"message":"secret"}}`)
		}, "in the middle", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFar(t, test.answer)
			m := newModel(t, f.URL, nil)
			_, _, err := m.complete(t.Context(), t)
			var failed *upstream.Error
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), outbound.Origin(mustParse(f.URL))) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q", err, test.want)
			}
			if n := f.requests(); n != test.asked {
				t.Errorf("asked %d times, want %d", n, test.asked)
			}
		})
	}
}

func mustParse(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

// What clears up by itself is asked again, and nobody sees it.
func TestAgainUntilItWorks(t *testing.T) {
	var n atomic.Int64
	f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fine(w, r)
	})
	if text, _, err := newModel(t, f.URL, nil).complete(t.Context(), t); err != nil || text != "Hello" || n.Load() != 3 {
		t.Errorf("%q, %v after %d", text, err, n.Load())
	}
}

// A server that is busy says for how long; one that holds less says so in its own words.
func TestRefusalsKeepTheirMeaning(t *testing.T) {
	f := newFar(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	m := newModel(t, f.URL, nil)
	for range 10 { // busy is not broken
		_, _, err := m.complete(t.Context(), t)
		var busy *engine.BusyError
		if !errors.As(err, &busy) || busy.Wait != 17*time.Second {
			t.Fatalf("%v", err)
		}
	}
	f = newFar(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"message":"This model's maximum context length is 16 tokens."}`)
	})
	if _, _, err := newModel(t, f.URL, nil).complete(t.Context(), t); !errors.As(err, new(*models.TooLongError)) {
		t.Errorf("%v", err)
	}
}

// After five failures in a row a server is left alone, and not available; somebody else's hang-up is no failure.
func TestTheCircuitOpens(t *testing.T) {
	f := newFar(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	m := newModel(t, f.URL, nil)
	m.Connect(t.Context(), 0)
	for range 5 {
		if err := m.Available(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := m.complete(t.Context(), t); err == nil {
			t.Fatal("no failure")
		}
	}
	_, _, err := m.complete(t.Context(), t)
	var failed *upstream.Error
	if !errors.As(err, &failed) || failed.Retry < time.Second || failed.Retry > 10*time.Second || f.requests() != 5 {
		t.Errorf("%v after %d requests", err, f.requests())
	}
	if m.Available() == nil {
		t.Error("available")
	}
}

// A caller who hangs up, or has enough, ends the request at the server.
func TestHangUpsReachTheServer(t *testing.T) {
	gone := make(chan struct{}, 2)
	f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
		events(w, piece("Hel"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		gone <- struct{}{}
	})
	m := newModel(t, f.URL, nil)
	p, err := m.codec.Completion(models.Code{Prefix: "x"}, 100)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = m.Generate(ctx, engine.Request{Prompt: p.Tokens, MaxTokens: 5}, func(string) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-gone
	if _, err = m.Generate(t.Context(), engine.Request{Prompt: p.Tokens, MaxTokens: 5}, func(string) error { return engine.ErrEnough }); err != nil {
		t.Errorf("%v", err)
	}
	<-gone
}

// A server that sends nothing is given up.
func TestASilentServer(t *testing.T) {
	f := newFar(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	m := newModel(t, f.URL, func(o *upstream.Options) { o.Silence, o.ID = 50*time.Millisecond, "x" })
	_, _, err := m.complete(t.Context(), t)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "has sent nothing for 50ms") || f.requests() != 1 {
		t.Errorf("%v after %d requests", err, f.requests())
	}
}

// Nobody listens there.
func TestAServerThatIsNotThere(t *testing.T) {
	f := newFar(t, fine)
	f.Close()
	m := newModel(t, f.URL, func(o *upstream.Options) { o.ID = "x" })
	if n := m.Connect(t.Context(), 0); n != upstream.DefaultContext {
		t.Errorf("context %d", n)
	}
	if _, _, err := m.complete(t.Context(), t); err == nil || !strings.Contains(err.Error(), "cannot be reached") || m.Available() == nil {
		t.Errorf("%v, %v", err, m.Available())
	}
}

// Only so many requests are sent at once; of those that wait, only so many.
func TestPlacesAreBounded(t *testing.T) {
	release := make(chan struct{})
	f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		fine(w, r)
	})
	m := newModel(t, f.URL, func(o *upstream.Options) { o.Streams, o.Queue, o.ID = 1, 1, "x" })
	answers := make(chan error, 3)
	for range 3 {
		go func() {
			_, _, err := m.complete(t.Context(), t)
			answers <- err
		}()
	}
	var busy *engine.BusyError
	if err := <-answers; !errors.As(err, &busy) || busy.Why != engine.QueueFull {
		t.Errorf("%v", err)
	}
	close(release)
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

// A server with several models wants to be told which.
func TestWhichModelOfAServer(t *testing.T) {
	list := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":[{"id":"a/b"},{"id":"Mine","meta":{"n_ctx":512}}]}`)
	}))
	defer list.Close()
	for id, want := range map[string]string{"": "Mine", "A/B": "a/b", "c": ""} {
		found, err := newModel(t, list.URL, func(o *upstream.Options) { o.ID = id }).Look(t.Context())
		if found.ID != want || (err == nil) != (want != "") || err != nil && !strings.Contains(err.Error(), "a/b, Mine") {
			t.Errorf("%q: %+v, %v", id, found, err)
		}
	}
}
