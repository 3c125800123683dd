package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeNative answers llama-server's route, as many at once as it has seats, and finds in its cache what it has seen from the
// beginning. More than most are refused.
type fakeNative struct {
	mu      sync.Mutex
	seen    []string
	waiting int
	most    int
	seats   chan struct{}
	takes   time.Duration // of a token
}

func newFakeNative(seats, most int) *fakeNative {
	return &fakeNative{seats: make(chan struct{}, seats), most: most, takes: 200 * time.Microsecond}
}

func (f *fakeNative) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/tokenize" {
		var body struct{ Content string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		n, _ := wordCount(r.Context(), body.Content)
		_ = json.NewEncoder(w).Encode(map[string]any{"tokens": make([]int, n)})
		return
	}
	var body serverRequest
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/completion" || !body.CachePrompt || !body.Stream {
		http.Error(w, "unexpected request", http.StatusNotFound)
		return
	}
	f.mu.Lock()
	if f.waiting == f.most {
		f.mu.Unlock()
		http.Error(w, "busy", http.StatusTooManyRequests)
		return
	}
	f.waiting++
	cached := 0
	for _, text := range f.seen {
		common := 0
		for common < min(len(text), len(body.Prompt)) && text[common] == body.Prompt[common] {
			common++
		}
		n, _ := wordCount(r.Context(), body.Prompt[:common])
		cached = max(cached, n)
	}
	f.seen = append(f.seen, body.Prompt)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.waiting--
		f.mu.Unlock()
	}()
	select {
	case f.seats <- struct{}{}:
		defer func() { <-f.seats }()
	case <-r.Context().Done():
		return
	}
	all, _ := wordCount(r.Context(), body.Prompt)
	send := func(event any) {
		data, _ := json.Marshal(event)
		fmt.Fprintf(w, "data: %s\n\n", data)
		_ = http.NewResponseController(w).Flush()
	}
	for range body.Predict {
		if r.Context().Err() != nil {
			return
		}
		time.Sleep(f.takes)
		send(map[string]any{"content": " word", "stop": false})
	}
	send(map[string]any{"content": "", "stop": true, "tokens_evaluated": all, "tokens_predicted": body.Predict, "timings": map[string]any{"cache_n": min(cached, all-1)}})
}

func peersOf(t *testing.T, theirs, ours http.Handler) *rivals {
	t.Helper()
	p := startPeer(t, t.Context(), "silent")
	one, two := httptest.NewServer(theirs), httptest.NewServer(ours)
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	return &rivals{&llamaServer{newClient("llama-server", one.URL), p}, &gateway{client: newClient("aigw", two.URL), process: p}}
}

// quick is a machine that needs nothing scaled.
var quick = pace{read: 1e6, write: 1e6}

func TestScenariosOfPeers(t *testing.T) {
	for name, test := range map[string]struct {
		scenario func(r *rivals) scenario
		says     []string
	}{
		"typing": {func(r *rivals) scenario {
			s := newTyping(r, typingDebounce, true, quick, 0)
			return s
		}, []string{"reused", "given up by the next key"}},
		"crowd":     {func(r *rivals) scenario { return newCrowd(r, pace{1, 1}, time.Minute) }, []string{"is 64 instead of 256"}},
		"team":      {func(r *rivals) scenario { return newTeam(r, "team", 3, 60, 20, 0, false, quick, 0) }, []string{"tails of 20"}},
		"herd":      {func(r *rivals) scenario { return newTeam(r, "herd", 3, 60, 20, 0.2, true, quick, 0) }, []string{"one cold person"}},
		"neighbour": {func(r *rivals) scenario { return newNeighbour(r, 60, quick, 0) }, []string{"against alone"}},
		"hangup":    {func(r *rivals) scenario { return newHangup(r) }, []string{"after the others hung up"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs, ours := newFakeNative(8, 100), newFakeNative(8, 100)
			theirs.takes, ours.takes = 2*time.Millisecond, 2*time.Millisecond // a stream outlasts what happens beside it
			s := test.scenario(peersOf(t, theirs, ours))
			compared, notes, err := duel(t.Context(), s, 1, silent)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range compared {
				if c.ours.quantile(0) <= 0 || c.theirs.quantile(0) <= 0 {
					t.Errorf("%s: %v against %v", c.name, c.ours, c.theirs)
				}
			}
			for _, want := range test.says {
				if !strings.Contains(strings.Join(notes, "\n"), want) {
					t.Errorf("notes %q", notes)
				}
			}
		})
	}
}

// Who refuses what it cannot answer, and who lets everybody wait, are told apart.
func TestOverloadTellsWhatBecameOfRequests(t *testing.T) {
	answered, refused, late, failed, slowest := tell([]outcome{
		{took: time.Second}, {took: 20 * time.Millisecond, refused: true, err: errNoText}, {took: 10 * time.Second, late: true, err: errNoText}, {err: errNoText},
	})
	if len(answered) != 1 || answered[0] != 1 || refused != 1 || late != 1 || failed != 1 || slowest != 0.02 {
		t.Errorf("%v %d %d %d %g", answered, refused, late, failed, slowest)
	}
	r := peersOf(t, newFakeNative(1, 1), newFakeNative(1, 1))
	s := newOverload(r)
	s.takes = 400 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	held := make(chan error, 1)
	go func() {
		for {
			_, err := s.both.ours.ask(ctx, "a long answer", 1<<20)
			if err == nil || !strings.Contains(err.Error(), "answered 429") { // the short one below had the place
				held <- err
				return
			}
		}
	}()
	for { // until the only place is taken
		asked, end := context.WithTimeout(t.Context(), time.Second)
		_, err := s.both.ours.ask(asked, "another", 1)
		end()
		if err != nil && strings.Contains(err.Error(), "answered 429") {
			break
		}
	}
	out, err := s.load(t.Context(), s.both.ours, 50*time.Millisecond)
	cancel()
	if given := <-held; given == nil {
		t.Error("what was given up is answered")
	}
	if err != nil || len(out) != 8 {
		t.Fatalf("%v %v", out, err)
	}
	for _, o := range out {
		if !o.refused {
			t.Errorf("%+v", o)
		}
	}
}

func TestWorstGap(t *testing.T) {
	zero := time.Unix(0, 0)
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	var pieces []piece
	for _, ms := range []int{10, 20, 50, 60, 200, 210} {
		pieces = append(pieces, piece{at: at(ms)})
	}
	for _, test := range []struct {
		from, to time.Time
		want     int
	}{
		{time.Time{}, at(60), 30}, {at(60), at(210), 140}, {at(55), at(300), 140}, {at(205), at(400), 190}, {at(70), at(190), 120},
	} {
		if got := worstGap(pieces, test.from, test.to); got != time.Duration(test.want)*time.Millisecond {
			t.Errorf("%v to %v: %s, want %d ms", test.from, test.to, got, test.want)
		}
	}
	if worstGap(nil, at(0), at(9)) != 0 {
		t.Error("a gap of nothing")
	}
}

func TestSoakAndGrowth(t *testing.T) {
	r := peersOf(t, newFakeNative(8, 100), newFakeNative(8, 100))
	s, err := soak(t.Context(), r, r.peers().ours, time.Second)
	if err != nil || s.answers == 0 || s.start <= 0 || s.end <= 0 {
		t.Errorf("%+v %v", s, err)
	}
	if got := slope(samples{1, 2, 3}, samples{10, 12, 14}); got != 2 {
		t.Errorf("slope %g", got)
	}
	page := filepath.Join(t.TempDir(), "design.md")
	if err := os.WriteFile(page, []byte("before\n"+growthBegin+"old\n"+growthEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	b := &benchmark{out: &out, say: silent, options: options{growthPeople: []int{1, 4}, growthPrompts: []int{120}, design: page}}
	if err := b.compareGrowth(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "| 4 people |", "1 prompt of 120 |", "after\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	if strings.Contains(string(got), "old") || replaceGrowth(filepath.Join(t.TempDir(), "none"), "") == nil {
		t.Error("the old text stayed, or a page that is not there was written")
	}
}

func TestNumbers(t *testing.T) {
	if got, err := numbers("-x", "1,20"); err != nil || len(got) != 2 || got[1] != 20 {
		t.Errorf("%v %v", got, err)
	}
	if got, err := numbers("-x", ""); err != nil || got != nil {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"a", "0", "1,,2", "-3"} {
		if _, err := numbers("-x", bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// A stream that ended by itself says nothing of gaps.
func TestNeighbourNeedsAStream(t *testing.T) {
	r := peersOf(t, newFakeNative(8, 100), newFakeNative(8, 100))
	s := newNeighbour(r, 60, quick, 0)
	if err := s.prepare(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	quickly := newFakeNative(8, 100)
	quickly.takes = 0
	s.both = peersOf(t, quickly, quickly).peers()
	if _, err := s.measure(t.Context(), s.both.ours); err == nil || !strings.Contains(err.Error(), "the stream had ended") {
		t.Errorf("%v", err)
	}
}
