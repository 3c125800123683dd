package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// talker answers conversations as a peer does, one word after each message that it was sent.
type talker struct {
	mu    sync.Mutex
	asked [][]message
	mute  bool
}

func (f *talker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Content    string
		Messages   []message
		Cache      bool `json:"cache_prompt"`
		Components []struct {
			Payload struct{ Content []message }
		} `json:"prompt_components"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	messages := body.Messages
	switch r.URL.Path {
	case "/tokenize":
		n, _ := wordCount(r.Context(), body.Content)
		_ = json.NewEncoder(w).Encode(map[string]any{"tokens": make([]int, n)})
		return
	case chatPath:
		messages = body.Components[0].Payload.Content
	case "/v1/chat/completions":
		if !body.Cache {
			http.Error(w, "without its cache", http.StatusBadRequest)
			return
		}
	}
	f.mu.Lock()
	f.asked = append(f.asked, messages)
	f.mu.Unlock()
	if f.mute {
		return
	}
	time.Sleep(time.Millisecond)
	word := fmt.Sprintf("answer %d", len(messages))
	if r.URL.Path == chatPath {
		fmt.Fprint(w, word)
		return
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n", word)
}

func talkers(t *testing.T) (theirs, ours *talker, both rivals) {
	t.Helper()
	theirs, ours = &talker{}, &talker{}
	p := startPeer(t, t.Context(), "silent")
	one, two := httptest.NewServer(theirs), httptest.NewServer(ours)
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	return theirs, ours, rivals{&llamaServer{newClient("llama-server", one.URL), p}, &gateway{newClient("aigw", two.URL), p, func(context.Context, string) (int, error) { return 0, nil }}}
}

// Each turn sends what was said before, with the peer's own answers, and both sides are asked the same.
func TestChats(t *testing.T) {
	theirs, ours, both := talkers(t)
	s := newChat(both, 2, quick, 0)
	compared, _, err := duel(t.Context(), s, 2, silent)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range compared {
		if len(c.ours) != 2 || c.ours.quantile(0) <= 0 || len(c.theirs) != 2 || c.theirs.quantile(0) <= 0 {
			t.Errorf("%s: %v and %v", c.name, c.ours, c.theirs)
		}
	}
	questions := map[string]int{}
	for _, side := range []*talker{theirs, ours} {
		if len(side.asked) != 2*2*chatTurns {
			t.Fatalf("%d requests", len(side.asked))
		}
		for _, m := range side.asked {
			if m[0].Role != "system" || len(m)%2 != 0 || m[len(m)-1].Role != "user" {
				t.Errorf("%+v", m)
			}
			for i := 2; i < len(m); i += 2 {
				if m[i].Role != "assistant" || m[i].Content != fmt.Sprintf("answer %d", i) {
					t.Errorf("message %d: %+v", i, m[i])
				}
			}
			questions[m[len(m)-1].Content]++
		}
	}
	if len(questions) != 2*2*chatTurns {
		t.Errorf("%d different questions", len(questions))
	}
	for q, n := range questions {
		if n != 2 {
			t.Errorf("asked %d times: %.40q", n, q)
		}
	}
}

func TestChatWithoutAnAnswer(t *testing.T) {
	_, ours, both := talkers(t)
	ours.mute = true
	_, err := both.ours.chat(t.Context(), []message{{"user", "x"}}, 4)
	if short := (*shortAnswerError)(nil); !errors.As(err, &short) {
		t.Errorf("%v", err)
	}
	if _, err := parseServerChat([]piece{{time.Now(), []byte("data: {\"error\":{\"message\":\"no slot\"}}\n\n")}}); err == nil || !strings.Contains(err.Error(), "no slot") {
		t.Errorf("%v", err)
	}
}
