//go:build fault

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

// poison is a body with a word that the faulty program crashes on.
func poison(n int) string {
	return fmt.Sprintf(`{"prompt_version":1,"current_file":{"file_name":"p.py","content_above_cursor":"print(%d) # hippopotamus","content_below_cursor":""}}`, n)
}

// poisonToken is the rarest token of the poison: byte pair encoding numbers its merges from frequent
// to rare. A frequent one, such as "print", would sooner or later be written by a model that is only
// asked for numbers, and a stream would crash the program before the poison has run.
func poisonToken(t *testing.T) int {
	t.Helper()
	code, stdout, stderr := call(t, "tokenize", "--model", testmodel.Path(t), "--text-file", write(t, "text", " hippopotamus"), "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var printed struct{ Tokens []int }
	if err := json.Unmarshal([]byte(stdout), &printed); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	rarest := slices.Max(printed.Tokens)
	if rarest < 10_000 {
		t.Fatalf("token %d is too frequent for a poison", rarest)
	}
	return rarest
}

// GGML_ABORT and an illegal access in the middle of a decode, with eight streams and a queue, again
// and again (AIGW_TEST_CRASHES times): whoever was running is cut, the port stays, the next worker
// answers, and what crashes twice is refused.
func TestCrashesInsideLlamaDecode(t *testing.T) {
	crashes := 6
	if text := os.Getenv("AIGW_TEST_CRASHES"); text != "" {
		var err error
		if crashes, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []string{"abort", "segv"} {
		t.Run(how, func(t *testing.T) {
			p := startProcess(t, []string{fmt.Sprintf("AIGW_FAULT=%s:%d", how, poisonToken(t))}, "--model", testmodel.Path(t), "--ctx", "4096", "--max-wait", "10m")
			for i := range crashes / 2 {
				done := make(chan int, 1)
				go func() { done <- p.crowd(100*i, 10) }()
				time.Sleep(50 * time.Millisecond)
				if res, err := fresh.Post(p.url+"/v2/code/completions", "application/json", strings.NewReader(poison(i))); err == nil {
					res.Body.Close()
					t.Fatalf("the poison was answered: %d", res.StatusCode)
				}
				p.waitReady()
				<-done
				if n := len(p.workers()); n != i+2 {
					t.Fatalf("%d workers after %d crashes\n%s", n, i+1, p.log)
				}
				if n := p.crowd(100*i+50, 1); n != 1 {
					t.Fatalf("nobody is answered after %d crashes", i+1)
				}
			}
			before := len(p.workers())
			again := func() int {
				res, err := fresh.Post(p.url+"/v2/code/completions", "application/json", strings.NewReader(poison(0)))
				if err != nil {
					p.waitReady()
					return 0
				}
				defer res.Body.Close()
				return res.StatusCode
			}
			if status := again(); status != 0 { // the second crash of this very request
				t.Errorf("status %d", status)
			}
			if status := again(); status != http.StatusUnprocessableEntity {
				t.Errorf("the request that crashed twice: status %d, want 422", status)
			}
			if n := len(p.workers()); n != before+1 {
				t.Errorf("%d workers, want %d", n, before+1)
			}
			if how == "abort" && !strings.Contains(p.log.String(), "llama.cpp aborted: ") {
				t.Error("the last words of llama.cpp are not in the log")
			}
			if strings.Contains(p.log.String(), "hippopotamus") {
				t.Error("a prompt is in the log")
			}
		})
	}
}

// crowd opens streams until each has begun or ended, and returns how many ended without being cut.
func (p *process) crowd(from, n int) (complete int) {
	var group sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		group.Go(func() {
			if p.stream(from+i, func() {}) == nil {
				mu.Lock()
				defer mu.Unlock()
				complete++
			}
		})
	}
	group.Wait()
	return complete
}
