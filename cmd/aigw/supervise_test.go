package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

// asProgramVar makes the test's binary behave as the program, so that a test can have real
// processes of it.
const asProgramVar = "AIGW_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgramVar) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := run(ctx, os.Args, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	os.Setenv("AIGW_SUPERVISE", "off")   // within a test there is only this process
	os.Setenv("AIGW_CALIBRATE", "off")   // tests do not depend on how fast this machine is at the moment
	os.Setenv("AIGW_CHAT_WARMUP", "off") // nothing but what a test asks for is computed
	os.Setenv(asProgramVar, "1")         // what a test starts of this file is the program
	state, err := os.MkdirTemp("", "aigw-state-")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_STATE_HOME", state)
	code := m.Run()
	os.RemoveAll(state)
	os.Exit(code)
}

// process is the program with its supervisor.
type process struct {
	*running
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended
	err  error         // how, once over
}

// startProcess returns when the model answers.
func startProcess(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := newProcess(t, append(env, "AIGW_AUTH__BYPASS_EXTERNAL=true", "AIGW_STATE_DIR="+t.TempDir()), args...)
	p.wait("a worker", func() bool { return len(p.workers()) == 1 })
	p.url = p.workers()[0].URL
	p.waitReady()
	return p
}

// newProcess starts the program, which ends with the test.
func newProcess(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return newProcessOf(t, os.Args[0], env, args...)
}

// newProcessOf does so with another file of the program.
func newProcessOf(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{running: &running{t: t, log: &lockedBuffer{}}, over: make(chan struct{})}
	p.cmd = exec.Command(program, append([]string{"run", "--supervise", "on", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--threads", "1"}, args...)...)
	p.cmd.Env = append(os.Environ(), append(env, asProgramVar+"=1")...)
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.over)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it should have ended
		<-p.over
	})
	return p
}

// workers are the log lines with which worker processes begin.
func (p *process) workers() (all []struct {
	URL string
	PID int
}) {
	for line := range strings.Lines(p.log.String()) {
		var w struct {
			Message, URL string
			PID          int
		}
		if json.Unmarshal([]byte(line), &w) == nil && w.Message == "listening" {
			all = append(all, struct {
				URL string
				PID int
			}{w.URL, w.PID})
		}
	}
	return all
}

// waitReady fails if any connection is refused meanwhile.
func (p *process) waitReady() {
	p.t.Helper()
	p.wait("ready", func() bool {
		began := time.Now()
		for {
			res, err := fresh.Get(p.url + "/monitoring/ready")
			// A connection that the crashed worker had accepted is cut; a new one never.
			if err != nil && !errors.Is(err, syscall.ECONNREFUSED) && time.Since(began) < 10*time.Second {
				continue
			}
			if err != nil {
				p.t.Fatalf("%v\n%s", err, p.log)
			}
			res.Body.Close()
			return res.StatusCode == http.StatusOK
		}
	})
}

// fresh makes a new connection for each request.
var fresh = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// endless is a body whose answer is long.
func endless(n int) string {
	return fmt.Sprintf(`{"prompt_version":1,"current_file":{"file_name":"f%d.py","content_above_cursor":"numbers = [%d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ","content_below_cursor":""},"stream":true}`, n, n)
}

// stream reads an answer piece by piece until its end, and tells of the first.
func (p *process) stream(n int, first func()) error {
	res, err := fresh.Post(p.url+"/v2/code/completions", "application/json", strings.NewReader(endless(n)))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	in := bufio.NewReader(res.Body)
	if _, err := in.ReadByte(); err != nil {
		return err
	}
	first()
	_, err = io.Copy(io.Discard, in)
	return err
}

// A worker that dies takes its streams with it, recognisably cut; everybody else is answered by
// the next one on the same port.
func TestAWorkerThatDiesIsReplaced(t *testing.T) {
	p := startProcess(t, nil, "--model", testmodel.Path(t), "--ctx", "2048")
	for i, how := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGKILL, syscall.SIGABRT} {
		begun, ended := make(chan struct{}, 1), make(chan error, 1)
		go func() { ended <- p.stream(i, func() { begun <- struct{}{} }) }()
		select {
		case <-begun:
		case err := <-ended:
			t.Fatalf("%s: the stream ended before it began: %v", how, err)
		case <-time.After(time.Minute):
			t.Fatalf("%s: no stream", how)
		}
		workers := p.workers()
		if err := syscall.Kill(workers[len(workers)-1].PID, how); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Errorf("%s: the stream looks complete", how)
		}
		p.waitReady()
		if n := len(p.workers()); n != i+2 {
			t.Errorf("%s: %d workers until now, want %d", how, n, i+2)
		}
		if err := p.stream(100+i, func() {}); err != nil {
			t.Errorf("%s: the new worker: %v", how, err)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.over
	if p.err != nil {
		t.Errorf("after SIGTERM: %v\n%s", p.err, p.log)
	}
	p.gone()
}

// gone waits until nobody listens and no worker is left.
func (p *process) gone() {
	p.t.Helper()
	p.wait("the end of the last worker", func() bool {
		for _, w := range p.workers() {
			if syscall.Kill(w.PID, 0) == nil {
				return false
			}
		}
		res, err := fresh.Get(p.url + "/monitoring/healthz")
		if err == nil {
			res.Body.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

// If the supervisor is killed, its worker does not stay behind with the ports.
func TestAWorkerEndsWithItsSupervisor(t *testing.T) {
	p := startProcess(t, nil)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.over
	p.gone()
}

// What the worker ends with of its own will is the program's exit code, and nothing is tried again.
func TestAWorkersOwnFailureIsFinal(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"a file that is missing": {[]string{"--model", "missing.gguf"}, exitFailed},
		"a wrong setting":        {[]string{"--gitlab-url", "gitlab.example.com"}, exitFailed},
		"a wrong flag":           {[]string{"--parallel", "0"}, exitUsage},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"run", "--supervise", "on", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"}, test.args...)...)
		cmd.Env = append(os.Environ(), asProgramVar+"=1", "AIGW_STATE_DIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		var failure *exec.ExitError
		if !errors.As(err, &failure) || failure.ExitCode() != test.code || strings.Count(string(out), "aigw: ") != 1 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
