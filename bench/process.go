package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopLimit is how long a peer may take to end after SIGTERM before it is killed.
const stopLimit = 10 * time.Second

// process is a peer that this program started. It ends when stop is called or the context of
// startProcess ends, whichever is first, and stop waits for it.
type process struct {
	name string
	cmd  *exec.Cmd
	said *tail
	done chan struct{} // closed when the process has ended
	end  context.CancelFunc
}

// startProcess starts a program. environment replaces this program's own.
func startProcess(ctx context.Context, name string, command, environment []string) (*process, error) {
	ctx, end := context.WithCancel(ctx)
	p := &process{name: name, said: &tail{}, done: make(chan struct{}), end: end}
	p.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	p.cmd.Env = environment
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopLimit
	if err := p.cmd.Start(); err != nil {
		end()
		return nil, fmt.Errorf("start %s: %w (build it with make build peers)", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // explain reads ProcessState
		close(p.done)
	}()
	return p, nil
}

// stop ends the process and waits for it.
func (p *process) stop() {
	p.end()
	<-p.done
}

// explain adds to err what is known of the process: whether it has ended, and its last words.
func (p *process) explain(err error) error {
	state := ""
	select {
	case <-p.done:
		state = fmt.Sprintf(" (%s)", p.cmd.ProcessState)
	default:
	}
	words := p.said.lines(20)
	if words == "" {
		words = "(nothing)"
	}
	return fmt.Errorf("%s: %w%s; its last words:\n%s", p.name, err, state, words)
}

// tail keeps the end of what is written to it. It may be used concurrently.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailBytes = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

// lines returns the last n lines, indented.
func (t *tail) lines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimRight(string(t.kept), "\n")
	if text == "" {
		return ""
	}
	all := strings.Split(text, "\n")
	return "  " + strings.Join(all[max(0, len(all)-n):], "\n  ")
}

// outputOf runs a program that ends by itself, within limit, and returns its standard output and
// its standard error.
func outputOf(ctx context.Context, limit time.Duration, command, environment []string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s took longer than %s", command[0], limit))
	defer cancel()
	var out, last strings.Builder
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment, &out, &last
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopLimit
	err = cmd.Run()
	if err == nil {
		return out.String(), last.String(), nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return "", "", cause
	}
	said := &tail{kept: []byte(last.String())}
	if words := said.lines(20); words != "" {
		return "", "", fmt.Errorf("%s: %w; its last words:\n%s", command[0], err, words)
	}
	return "", "", fmt.Errorf("%s: %w", command[0], err)
}

// freeAddresses returns n different loopback addresses that nobody listens on.
func freeAddresses(n int) ([]string, error) {
	var found []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		// Kept open until all are found, so that none is found twice.
		defer l.Close()
		found = append(found, l.Addr().String())
	}
	return found, nil
}

// environmentWithout is this program's environment without the variables that begin with one of
// prefixes: settings of the peers come from their command lines, which are printed.
func environmentWithout(prefixes ...string) []string {
	var kept []string
next:
	for _, variable := range os.Environ() {
		for _, prefix := range prefixes {
			if strings.HasPrefix(variable, prefix) {
				continue next
			}
		}
		kept = append(kept, variable)
	}
	return kept
}

// quoted is a command as one would type it, with ~ for the home folder: what is printed is kept.
func quoted(command []string) string {
	home, err := os.UserHomeDir()
	words := make([]string, len(command))
	for i, word := range command {
		if rest, ok := strings.CutPrefix(word, home+"/"); ok && err == nil && rest != "" {
			words[i] = "~/" + quote(rest)
			continue
		}
		words[i] = quote(word)
	}
	return strings.Join(words, " ")
}

// quote protects a word from the shell where it has to be.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
