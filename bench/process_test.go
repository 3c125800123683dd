package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// This test binary stands for a peer when it is started with actAs in its environment.
const actAs = "BENCH_TEST_ACT_AS"

func TestMain(m *testing.M) {
	if isSpinner() {
		spin(os.Getppid())
		return
	}
	switch os.Getenv(actAs) {
	case "":
		os.Exit(m.Run())
	case "broken":
		fmt.Fprintln(os.Stderr, "first line")
		fmt.Fprintln(os.Stderr, "error: cannot open the model")
		os.Exit(3)
	case "silent": // starts, answers nothing, ends when told
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("waiting")
		<-c
		os.Exit(0)
	case "loading": // 503 twice, then 200
		asked := 0
		err := http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startPeer starts this test binary as a peer and stops it at the end of the test.
func startPeer(t *testing.T, ctx context.Context, as string, args ...string) *process {
	t.Helper()
	p, err := startProcess(ctx, as, append([]string{os.Args[0]}, args...), append(os.Environ(), actAs+"="+as))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

func TestWaitReady(t *testing.T) {
	addresses, err := freeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	p := startPeer(t, t.Context(), "loading", addresses[0])
	if err := newClient("loading", "http://"+addresses[0]).waitReady(t.Context(), p, "/health"); err != nil {
		t.Error(err)
	}
}

func TestWaitReadyShowsLastWords(t *testing.T) {
	p := startPeer(t, t.Context(), "broken")
	err := newClient("broken", "http://127.0.0.1:1").waitReady(t.Context(), p, "/health")
	for _, want := range []string{"broken: it ended before it was ready (exit status 3)", "error: cannot open the model"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestPeersEnd(t *testing.T) {
	ends := []struct {
		name string
		end  func(p *process, cancel context.CancelFunc)
	}{
		{"stop", func(p *process, _ context.CancelFunc) { p.stop() }},
		{"stop twice", func(p *process, _ context.CancelFunc) { p.stop(); p.stop() }},
		{"context", func(_ *process, cancel context.CancelFunc) { cancel() }},
	}
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := startPeer(t, ctx, "silent")
			end.end(p, cancel)
			select {
			case <-p.done:
			case <-time.After(stopLimit):
				t.Fatal("the peer is still running")
			}
			if err := syscall.Kill(p.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("signalling the peer that ended: %v, want that there is no such process", err)
			}
		})
	}
}

func TestCancelledWaitEnds(t *testing.T) {
	p := startPeer(t, t.Context(), "silent")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := newClient("silent", "http://127.0.0.1:1").waitReady(ctx, p, "/health"); err == nil {
		t.Error("a peer that never listened is ready")
	}
}

func TestOutputOf(t *testing.T) {
	environment := append(os.Environ(), actAs+"=broken")
	_, _, err := outputOf(t.Context(), time.Minute, []string{os.Args[0]}, environment)
	if err == nil || !strings.Contains(err.Error(), "cannot open the model") {
		t.Errorf("error %v, want the last words", err)
	}
	environment[len(environment)-1] = actAs + "=silent"
	_, _, err = outputOf(t.Context(), 200*time.Millisecond, []string{os.Args[0]}, environment)
	if err == nil || !strings.Contains(err.Error(), "took longer than 200ms") {
		t.Errorf("error %v, want that it took too long", err)
	}
}

func TestTail(t *testing.T) {
	var said tail
	for i := range 5000 {
		fmt.Fprintf(&said, "line %d\n", i)
	}
	if got, want := said.lines(2), "  line 4998\n  line 4999"; got != want {
		t.Errorf("last lines %q, want %q", got, want)
	}
	if n := len(said.kept); n > tailBytes {
		t.Errorf("%d bytes are kept, at most %d should be", n, tailBytes)
	}
}

func TestQuoted(t *testing.T) {
	tests := []struct{ word, want string }{
		{"bin/llama-server", "bin/llama-server"},
		{"--host=127.0.0.1:80", "--host=127.0.0.1:80"},
		{"my model.gguf", "'my model.gguf'"},
		{"it's", `'it'\''s'`},
		{"", "''"},
		{"$HOME", "'$HOME'"},
		{"/home/somebody/model.gguf", "~/model.gguf"},
		{"/home/somebody/my model.gguf", "~/'my model.gguf'"},
		{"/home/somebodyelse/model.gguf", "/home/somebodyelse/model.gguf"},
		{"/home/somebody/", "/home/somebody/"},
	}
	t.Setenv("HOME", "/home/somebody")
	for _, test := range tests {
		if got := quoted([]string{"run", test.word}); got != "run "+test.want {
			t.Errorf("%q is quoted %s, want run %s", test.word, got, test.want)
		}
	}
}

func TestEnvironmentWithout(t *testing.T) {
	t.Setenv("LLAMA_ARG_THREADS", "1")
	t.Setenv("AIGW_KEPT", "1")
	for _, variable := range environmentWithout("LLAMA_", "GGML_") {
		if strings.HasPrefix(variable, "LLAMA_") {
			t.Errorf("%s would change the settings of a peer", variable)
		}
	}
	if all := strings.Join(environmentWithout("LLAMA_"), " "); !strings.Contains(all, "AIGW_KEPT=1") {
		t.Error("a variable that no prefix names is gone")
	}
}
