package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/docsearch"
	"aigw/search"
)

// overHTTP asks as GitLab does, of a gateway in this process: the questions, by many clients at
// once, and what breaks other searches, alone.
func overHTTP(searcher search.Searcher, set settings) error {
	server := gateway.New(gateway.Options{
		Auth:   auth.Options{BypassExternal: true},
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)), //nolint:sloglint // writing the lines is a part of the cost
		Docs:   docsearch.Options{Searcher: searcher},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	err = overHTTPTo("http://"+listener.Addr().String(), set)
	cancel()
	if served := <-ended; err == nil {
		err = served
	}
	return err
}

func overHTTPTo(address string, set settings) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: set.clients}}
	defer client.CloseIdleConnections()
	ask := func(question string) error { return post(client, address, question) }
	took, err := askedBy(set, ask)
	if err != nil {
		return err
	}
	fmt.Printf("  over HTTP     %s, %.0f questions/s\n", percentiles(took), float64(len(took))/set.long.Seconds())
	for _, odd := range oddQuestions(set.questions) {
		var took []time.Duration
		for range 20 {
			began := time.Now()
			if err := ask(odd.question()); err != nil {
				return fmt.Errorf("%s: %w", odd.name, err)
			}
			took = append(took, time.Since(began))
		}
		fmt.Printf("    %-28s %s\n", odd.name, percentiles(took))
	}
	return nil
}

func post(client *http.Client, address, question string) error {
	body, err := json.Marshal(map[string]any{
		"type": "search-docs", "metadata": map[string]string{"source": "GitLab EE", "version": "17.8.0-ee"},
		"payload": map[string]string{"query": question},
	})
	if err != nil {
		return err
	}
	answer, err := client.Post(address+"/v1/search/gitlab-docs", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}

type oddQuestion struct {
	name     string
	question func() string // another one each time, where that makes it harder
}

// oddQuestions are legal and unlikely. Their words are drawn anew each time, so that no memory of
// earlier questions helps.
func oddQuestions(asked []question) []oddQuestion {
	var words []string
	for _, q := range asked {
		words = append(words, strings.Fields(q.Question)...)
	}
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // the same questions each time
	draw := func(n int, change func(string) string) func() string {
		return func() string {
			var b strings.Builder
			for range n {
				b.WriteString(change(words[random.IntN(len(words))]) + " ")
			}
			return b.String()
		}
	}
	same := func(word string) string { return word }
	slip := func(word string) string {
		at := random.IntN(len(word) + 1)
		return word[:at] + string(rune('a'+random.IntN(26))) + word[at:]
	}
	made := func(string) string {
		b := make([]byte, 6)
		for i := range b {
			b[i] = byte('a' + random.IntN(26))
		}
		return string(b)
	}
	text := func(s string) func() string { return func() string { return s } }
	return []oddQuestion{
		{"20,000 words", draw(20_000, same)},
		{"300 words", draw(300, same)},
		{"40 words with slips", draw(40, slip)},
		{"300 words with slips", draw(300, slip)},
		{"40 words that nobody knows", draw(40, made)},
		{"one word of 400,000 letters", text(strings.Repeat("a", 400_000))},
		{"400,000 signs", text(strings.Repeat("?*\"'(){}", 50_000))},
		{"emoji", text(strings.Repeat("\U0001F98A", 1000))},
		{"operators", text("AND OR NOT NEAR * title:\"x\"^5 ~2")},
		{"nothing", text("")},
	}
}
