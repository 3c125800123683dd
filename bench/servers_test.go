package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer answers as llama-server does. Its tokens are words that take a millisecond each.
type fakeServer struct {
	mu      sync.Mutex
	prompts []string
	cached  int // what it claims to have taken from its cache
	lacking int // tokens by which its answers are too short
	status  int
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/tokenize" {
		var body struct{ Content string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		n, _ := wordCount(r.Context(), body.Content)
		_ = json.NewEncoder(w).Encode(map[string]any{"tokens": make([]int, n)})
		return
	}
	var body serverRequest
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/completion" {
		http.Error(w, "unexpected request", http.StatusNotFound)
		return
	}
	if !body.IgnoreEOS || body.CachePrompt || body.Temperature != 0 || body.TopK != 1 || body.Predict != outputTokens {
		http.Error(w, "not the request that was agreed on", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.prompts = append(f.prompts, body.Prompt)
	f.mu.Unlock()
	if f.status != 0 {
		http.Error(w, `{"error":{"message":"loading model"}}`, f.status)
		return
	}
	evaluated, _ := wordCount(r.Context(), body.Prompt)
	last := map[string]any{
		"content": "", "stop": true, "tokens_evaluated": evaluated, "tokens_predicted": body.Predict - f.lacking,
		"timings": map[string]any{"cache_n": f.cached},
	}
	if !body.Stream {
		last["content"] = strings.Repeat(" word", body.Predict)
		_ = json.NewEncoder(w).Encode(last)
		return
	}
	send := func(event any) {
		data, _ := json.Marshal(event)
		fmt.Fprintf(w, "data: %s\n\n", data)
		_ = http.NewResponseController(w).Flush()
	}
	for range body.Predict {
		time.Sleep(100 * time.Microsecond)
		send(map[string]any{"content": " word", "stop": false})
	}
	send(last)
}

// fakeGateway answers as aigw does, in full length but for the requests that are named in short.
type fakeGateway struct {
	mu     sync.Mutex
	asked  int
	short  map[int]bool // by number of request
	misses int          // prompt tokens that it does not count
}

func (f *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body gatewayRequest
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != completionsPath {
		http.Error(w, "unexpected request", http.StatusNotFound)
		return
	}
	f.mu.Lock()
	words := outputTokens
	if f.short[f.asked] {
		words = 3
	}
	f.asked++
	f.mu.Unlock()
	if body.Stream {
		for range words {
			time.Sleep(100 * time.Microsecond)
			fmt.Fprint(w, " word")
			_ = http.NewResponseController(w).Flush()
		}
		return
	}
	input, _ := wordCount(r.Context(), body.Prompt)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"model":   map[string]any{"tokens_consumption_metadata": map[string]int{"input_tokens": input - f.misses, "output_tokens": words}},
		"choices": []any{map[string]string{"text": strings.Repeat(" word", words)}},
	})
}

// rivalsOf connects clients to both fakes. Their processes are one that waits.
func rivalsOf(t *testing.T, theirs *fakeServer, ours *fakeGateway) rivals {
	t.Helper()
	p := startPeer(t, t.Context(), "silent")
	one, two := httptest.NewServer(theirs), httptest.NewServer(ours)
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	return rivals{
		&llamaServer{newClient("llama-server", one.URL), p},
		&gateway{newClient("aigw", two.URL), p, func(_ context.Context, text string) (int, error) {
			return strings.Count(text, "word"), nil
		}},
	}
}

func TestScenariosOverHTTP(t *testing.T) {
	scenarios := map[string]func(rivals) scenario{
		"stream":  func(r rivals) scenario { return &streamScenario{rivals: r} },
		"latency": func(r rivals) scenario { return &latencyScenario{rivals: r} },
	}
	for name, scenarioOf := range scenarios {
		t.Run(name, func(t *testing.T) {
			theirs := &fakeServer{}
			ours := &fakeGateway{short: map[int]bool{1: true}}
			both := rivalsOf(t, theirs, ours)
			if err := both.warmUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			const repetitions = 2
			compared, notes, err := duel(t.Context(), scenarioOf(both), repetitions, silent)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range compared {
				for _, side := range []samples{c.theirs, c.ours} {
					if len(side) != repetitions || side.quantile(0) <= 0 {
						t.Errorf("%s: samples %v; want %d positive ones", c.name, side, repetitions)
					}
				}
			}
			// Request 1 of the gateway, the first after the warm-up, was short.
			if all := strings.Join(notes, "\n"); !strings.Contains(all, "ours 128, theirs 128") || !strings.Contains(all, "1 rounds were dropped") {
				t.Errorf("notes %q", notes)
			}
			seen := map[string]bool{}
			for _, prompt := range theirs.prompts {
				if seen[prompt] {
					t.Error("a prompt was sent twice to the same peer; the second time it is in its cache")
				}
				seen[prompt] = true
			}
		})
	}
}

func TestRivalIsChecked(t *testing.T) {
	tests := []struct {
		name string
		fake *fakeServer
		want string
	}{
		{"status", &fakeServer{status: http.StatusServiceUnavailable}, "503 Service Unavailable: {\"error\":{\"message\":\"loading model\"}}"},
		{"length", &fakeServer{lacking: 1}, "127 of 128 tokens"},
		{"cache", &fakeServer{cached: 500}, "500 prompt tokens from its cache"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			both := rivalsOf(t, test.fake, &fakeGateway{})
			for name, ask := range map[string]func(context.Context, string, int) (answer, error){
				"complete": both.theirs.complete, "stream": both.theirs.stream,
			} {
				if _, err := ask(t.Context(), "a prompt", outputTokens); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: error %v, want one with %q", name, err, test.want)
				}
			}
		})
	}
}

func TestGatewayIsChecked(t *testing.T) {
	both := rivalsOf(t, &fakeServer{}, &fakeGateway{short: map[int]bool{0: true, 1: true}})
	_, err := both.ours.complete(t.Context(), "a prompt", outputTokens)
	if short := (*shortAnswerError)(nil); !errors.As(err, &short) || short.got != 3 {
		t.Errorf("a completion of 3 tokens: %v", err)
	}
	a, err := both.ours.stream(t.Context(), "a prompt", outputTokens)
	if err != nil {
		t.Fatal(err)
	}
	err = both.ours.measure(t.Context(), &a, outputTokens)
	if short := (*shortAnswerError)(nil); !errors.As(err, &short) || short.got != 3 {
		t.Errorf("a stream of 3 tokens: %v", err)
	}
	if err := both.ours.checkLength(answer{outputTokens: outputTokens + 1}, outputTokens); err == nil {
		t.Error("an answer longer than what was asked for was accepted")
	}
}

func TestStreamedCountIsBounded(t *testing.T) {
	counts := map[int]int{ // counted again: taken for the length of the answer, 0 for too short
		outputTokens + 9:              outputTokens,
		outputTokens:                  outputTokens,
		outputTokens - countSlack:     outputTokens - countSlack,
		outputTokens - countSlack - 1: 0,
	}
	for counted, want := range counts {
		g := &gateway{count: func(context.Context, string) (int, error) { return counted, nil }, client: newClient("aigw", "")}
		a := parseTextStream(arrive("a", "b"))
		err := g.measure(t.Context(), &a, outputTokens)
		if (err != nil) != (want == 0) || err == nil && a.outputTokens != want {
			t.Errorf("%d counted: %d tokens, %v; want %d", counted, a.outputTokens, err, want)
		}
	}
}

func TestWarmUpComparesPrompts(t *testing.T) {
	both := rivalsOf(t, &fakeServer{}, &fakeGateway{misses: 1})
	if err := both.warmUp(t.Context()); err == nil || !strings.Contains(err.Error(), "512 by llama-server and as 511 by aigw") {
		t.Errorf("error %v, want that the sides read different prompts", err)
	}
}

// A scenario that a side cannot do is in the report, with what was measured of it, and no reason to end the run.
func TestSettle(t *testing.T) {
	cannot := &unableError{"theirs", errors.New("llama-server answered 400: context size has been exceeded")}
	for name, test := range map[string]struct {
		compared []comparison
		want     string
	}{
		"nothing":  {[]comparison{{figure: figure{name: "time"}}}, "0 repetitions"},
		"one time": {[]comparison{{figure: figure{name: "time"}, ours: samples{2}, theirs: samples{4}}}, "0.500"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			b := &benchmark{out: &out}
			s := servers{b: b, running: true}
			done := section{title: "herd", repetitions: 6, comparisons: test.compared, ours: "aigw", theirs: "llama-server"}
			if err := s.settle(t.Context(), &done, cannot); err != nil {
				t.Fatal(err)
			}
			if err := b.add(done); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{test.want, "NOT MEASURED IN FULL: llama-server could not do this", "context size"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in %s", want, out.String())
				}
			}
			if s.running || len(b.unmeasured) != 1 {
				t.Error("the servers go on, or the run does not know")
			}
			if err := writeRaw(filepath.Join(t.TempDir(), "raw.json"), b.raw); err != nil {
				t.Error(err)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s := servers{b: &benchmark{}}
	if err := s.settle(ended, &section{title: "herd"}, cannot); !errors.Is(err, cannot) {
		t.Errorf("at the end of the run: %v", err)
	}
	if err := s.settle(t.Context(), &section{}, nil); err != nil {
		t.Error(err)
	}
}

// Scenarios get the cells and the patience that they need, on both sides, and never fewer cells than the settings have.
func TestScenariosGetWhatTheyNeed(t *testing.T) {
	b := &benchmark{options: options{only: []string{"herd", "overload"}, head: 2000, paste: 6000, set: settings{Context: 8192}}}
	b.serverAddress, b.gatewayAddress = "127.0.0.1:1", "127.0.0.1:2"
	lines := func(wants needs) string {
		theirs, ours, err := b.serverLines(equal, wants)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(append(theirs, ours...), " ")
	}
	for _, h := range b.httpScenarios() {
		if !slices.Contains(scenarioNames, h.name) {
			t.Errorf("-only does not know %q", h.name)
		}
		all := lines(h.needs)
		cells := max(8192, h.context)
		if !strings.Contains(all, fmt.Sprintf("-c %d ", cells)) || !strings.Contains(all, fmt.Sprintf("--ctx %d ", cells)) {
			t.Errorf("%s: %s", h.name, all)
		}
		switch h.name {
		case "herd": // 8 heads and tails, each in a slot of its own
			if cells < 8*(2000+herdTail+teamAnswer) {
				t.Errorf("a herd has %d cells", cells)
			}
		case "overload":
			if !strings.Contains(all, "--max-wait 1.6s") {
				t.Errorf("overload: %s", all)
			}
		default:
			if !strings.Contains(all, "--max-wait 10m0s") {
				t.Errorf("%s: %s", h.name, all)
			}
		}
	}
	if got := b.firstNeeds().context; got < 16384 {
		t.Errorf("the head names %d cells, not those of the herd", got)
	}
}

// llama-server gets the settings of all peers, its best for what is measured, or none.
func TestRivals(t *testing.T) {
	set := settings{Model: "m.gguf", Threads: 2, Context: 8192, Batch: 512, Parallel: 8, FlashAttention: "on", CacheTypeK: "f16", CacheTypeV: "f16"}
	for _, test := range []struct {
		as          rival
		wants       needs
		has, hasNot string
	}{
		{equal, needs{oneStream: true}, "-b 512 -ub 512 -fa on -ctk f16", "q8_0"},
		{best, needs{}, "-b 128 -ub 128 -fa on -ctk f16", "q8_0"},
		{best, needs{oneStream: true}, "-b 512 -ub 512 -fa off -ctk q8_0", "-b 128"},
		{byDefault, needs{context: 9000}, "-m m.gguf -c 9000", "-t "},
	} {
		command, err := llamaServerCommand("llama-server", set, test.as, test.wants, "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		if line := strings.Join(command, " "); !strings.Contains(line, test.has) || strings.Contains(line, test.hasNot) {
			t.Errorf("%s, %+v: %s; want %q and no %q", test.as, test.wants, line, test.has, test.hasNot)
		}
	}
	if found, err := rivalsNamed("equal,best,default"); err != nil || len(found) != 3 {
		t.Errorf("%v, %v", found, err)
	}
	for _, wrong := range []string{"", "worst", "best,", "best,equal,best"} {
		if _, err := rivalsNamed(wrong); err == nil {
			t.Errorf("-rival %q is taken", wrong)
		}
	}
}
