package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode"
)

// wordCount stands for a tokenizer: a token is a run of letters, a run of at most three digits, or
// one other character, as pre-tokenizers of code models cut.
func wordCount(_ context.Context, text string) (int, error) {
	n, digits := 0, 0
	letter := false
	for _, r := range text {
		switch {
		case unicode.IsLetter(r):
			if !letter {
				n++
			}
			letter, digits = true, 0
		case unicode.IsDigit(r):
			if digits%3 == 0 {
				n++
			}
			digits++
			letter = false
		default:
			n++
			letter, digits = false, 0
		}
	}
	return n, nil
}

// Tails are a few tokens long and differ.
func TestFitTail(t *testing.T) {
	seen := map[string]bool{}
	for number := range 20 {
		tail, err := fitTail(t.Context(), wordCount, number, teamLeastTail)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := wordCount(t.Context(), tail); n != teamLeastTail || seen[tail] {
			t.Errorf("tail %d has %d tokens: %q", number, n, tail)
		}
		seen[tail] = true
	}
}

func TestFitPrompt(t *testing.T) {
	counts := []struct {
		name  string
		count func(context.Context, string) (int, error)
	}{
		{"a token a word", wordCount},
		{"a token a character, and BOS", func(_ context.Context, s string) (int, error) { return len(s) + 1, nil }},
		{"a token for four characters", func(_ context.Context, s string) (int, error) { return (len(s) + 3) / 4, nil }},
	}
	for _, c := range counts {
		t.Run(c.name, func(t *testing.T) {
			seen := map[string]bool{}
			for _, tokens := range []int{64, crowdPromptTokens, promptTokens} {
				for number := range 20 {
					prompt, err := fitPrompt(t.Context(), c.count, number, tokens)
					if err != nil {
						t.Fatal(err)
					}
					if n, _ := c.count(t.Context(), prompt); n != tokens {
						t.Fatalf("prompt %d has %d tokens, want %d", number, n, tokens)
					}
					if !strings.HasSuffix(prompt, "),\n"+rowStart) {
						t.Errorf("prompt %d ends with %q; inside a row the model would have to go on", number, prompt[len(prompt)-10:])
					}
					if seen[prompt] {
						t.Errorf("prompt %d of %d tokens was made before", number, tokens)
					}
					seen[prompt] = true
					again, err := fitPrompt(t.Context(), c.count, number, tokens)
					if err != nil || again != prompt {
						t.Errorf("prompt %d is another one the second time (%v)", number, err)
					}
				}
			}
		})
	}
}

func TestPromptsBeginDifferently(t *testing.T) {
	const wanted = 1000
	heads := map[string]bool{}
	for number := range wanted {
		first, _ := tableOf(number, 0)
		heads[first[:4]] = true
	}
	// 65,536 heads of four digits: some 8 of 1,000 fall together by chance.
	if len(heads) < wanted-30 {
		t.Errorf("%d prompts begin in %d ways; a common head would be served from a cache", wanted, len(heads))
	}
}

func TestFitPromptFails(t *testing.T) {
	broken := errors.New("peer is gone")
	_, err := fitPrompt(t.Context(), func(context.Context, string) (int, error) { return 0, broken }, 1, 100)
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the count", err)
	}
	even := func(_ context.Context, s string) (int, error) { return len(s) / 2 * 2, nil }
	if _, err := fitPrompt(t.Context(), even, 1, 101); err == nil {
		t.Error("a prompt of 101 tokens was made by a tokenizer that only yields even numbers")
	}
}

// A text that no cut gives the wanted length makes room for another one.
func TestPromptTriesAnotherText(t *testing.T) {
	const stubborn = 7
	head, _ := tableOf(stubborn, 0)
	r := peersOf(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var body struct{ Content string }
		_ = json.NewDecoder(q.Body).Decode(&body)
		n := len(body.Content)
		if strings.HasPrefix(body.Content, head) {
			n = n / 2 * 2
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"tokens": make([]int, n)})
	}), http.NotFoundHandler())
	const odd = 301
	other, err := r.prompt(t.Context(), stubborn+1, odd)
	if err != nil || len(other) != odd {
		t.Fatalf("%d tokens, %v", len(other), err)
	}
	got, err := r.prompt(t.Context(), stubborn, odd)
	if err != nil || len(got) != odd || strings.HasPrefix(got, head) {
		t.Errorf("%d tokens of %.30q, %v", len(got), got, err)
	}
}
