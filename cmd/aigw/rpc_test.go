package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

// machine is another machine: aigw rpc-worker in a process of its own.
type machine struct {
	*running
	cmd     *exec.Cmd
	over    chan struct{}
	address string
}

// startMachine returns when the worker listens.
func startMachine(t *testing.T, command []string, args ...string) *machine {
	t.Helper()
	m := &machine{running: &running{t: t, log: &lockedBuffer{}}, over: make(chan struct{})}
	command = append(append(command[:len(command):len(command)], "rpc-worker", "--threads", "1"), args...)
	m.cmd = exec.Command(command[0], command[1:]...)
	m.cmd.Env = append(os.Environ(), asProgramVar+"=1")
	m.cmd.Stderr = m.log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.over)
		_ = m.cmd.Wait()
	}()
	t.Cleanup(m.kill)
	m.wait("a worker that listens", func() bool {
		select {
		case <-m.over:
			t.Fatalf("the worker ended: %s", m.log)
		default:
		}
		for line := range strings.Lines(m.log.String()) {
			var said struct{ Listen string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Listen != "" {
				m.address = said.Listen
			}
		}
		return m.address != ""
	})
	return m
}

// kill ends it as the loss of power does, as far as a process can.
func (m *machine) kill() {
	_ = m.cmd.Process.Kill() // it may have ended
	<-m.over
}

// fingerprint is that of a state folder's key.
func fingerprint(t *testing.T, state string) string {
	t.Helper()
	code, out, errs := call(t, "rpc-worker", "fingerprint", "--state-dir", state)
	if code != 0 || len(out) != 65 {
		t.Fatal(code, out, errs)
	}
	return strings.TrimSpace(out)
}

// greedy asks for what follows a text, as likely as can be.
func (r *running) greedy(text string) string {
	r.t.Helper()
	body, err := json.Marshal(map[string]any{"prompt": text, "max_tokens": 24, "temperature": 0, "ignore_eos": true})
	if err != nil {
		r.t.Fatal(err)
	}
	answer := r.post("/v1/completions", string(body))
	var said openAIAnswer
	if err := json.Unmarshal([]byte(answer.text), &said); err != nil || answer.status != http.StatusOK {
		r.t.Fatalf("%d %s\n%s", answer.status, answer.text, r.log)
	}
	return said.Choices[0].Text
}

// Of a Mixtral-shaped model some or all layers are on another machine: it says what it says on one. When that machine
// is gone, so is the model process, by name; when it is back, so is the model.
func TestLayersOnAnotherMachine(t *testing.T) {
	model, here, there := testmodel.Tiny(t, testmodel.Mixture), t.TempDir(), t.TempDir()
	begin := func(args ...string) *process {
		t.Helper()
		p := newProcess(t, []string{"AIGW_STATE_DIR=" + here}, append([]string{"--model", "tiny=" + model, "--openai-insecure"}, args...)...)
		p.wait("a worker", func() bool { return len(p.workers()) == 1 })
		p.url = p.workers()[0].URL
		return p
	}
	end := func(p *process) {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-p.over
		if p.err != nil {
			t.Errorf("after SIGTERM: %v\n%s", p.err, p.log)
		}
	}
	const text = "def add(a, b):\n    return "
	alone := begin("--gpu-layers", "0")
	alone.waitReady()
	want := alone.greedy(text)
	end(alone)

	self := []string{os.Args[0]}
	m := startMachine(t, self, "--listen", "127.0.0.1:0", "--state-dir", there, "--peer", fingerprint(t, here))
	var p *process
	for _, layers := range []string{"2", "auto"} {
		p = begin("--rpc", m.address, "--rpc-peer", fingerprint(t, there), "--gpu-layers", layers)
		p.waitReady()
		if got := p.greedy(text); got != want {
			t.Errorf("%s layers elsewhere: %q, want %q", layers, got, want)
		}
		if !strings.Contains(p.log.String(), "memory on another machine") || !strings.Contains(m.log.String(), "a peer begins") {
			t.Errorf("%s layers elsewhere: nothing is\n%s\n%s", layers, p.log, m.log)
		}
		if layers == "2" {
			end(p)
		}
	}

	m.kill()
	p.wait("the end of a process without its worker", func() bool { return strings.Contains(p.log.String(), "an rpc worker is gone") })
	p.wait("a process that waits", func() bool { return strings.Contains(p.log.String(), "waiting for an rpc worker") })
	if log := p.log.String(); !strings.Contains(log, `"worker":"`+m.address+`"`) || strings.Contains(log, "llama.cpp aborted") {
		t.Errorf("the end is not explained: %s", log)
	}
	if code := p.get("/monitoring/ready"); code != http.StatusServiceUnavailable {
		t.Errorf("ready says %d without the worker", code)
	}
	startMachine(t, self, "--listen", m.address, "--state-dir", there, "--peer", fingerprint(t, here))
	p.waitReady()
	if got := p.greedy(text); got != want {
		t.Errorf("after the worker came back: %q, want %q", got, want)
	}
	end(p)
	if strings.Contains(p.log.String(), "means nothing") { // what a supervisor tells a worker is no unknown setting
		t.Error(p.log.String())
	}
}

// A worker without keys, on a loopback address: for SSH, and as llama.cpp's own server is.
func TestAWorkerWithoutKeys(t *testing.T) {
	m := startMachine(t, []string{os.Args[0]}, "--listen", "127.0.0.1:0", "--state-dir", t.TempDir())
	p := newProcess(t, []string{"AIGW_STATE_DIR=" + t.TempDir()}, "--model", "tiny="+testmodel.Tiny(t, testmodel.Mixture), "--openai-insecure", "--rpc", m.address)
	p.wait("a worker", func() bool { return len(p.workers()) == 1 })
	p.url = p.workers()[0].URL
	p.waitReady()
	if p.greedy("x = ") == "" || !strings.Contains(m.log.String(), "without keys") {
		t.Errorf("%s\n%s", p.log, m.log)
	}
	// A peer that talks nonsense ends its own connection and nobody else's.
	before := p.greedy("y = ")
	c, err := net.Dial("tcp", m.address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(strings.Repeat("nonsense", 100))); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Read(make([]byte, 1)) // it is hung up on
	c.Close()
	if after := p.greedy("y = "); after != before {
		t.Errorf("%q, before %q", after, before)
	}
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-m.over:
	case <-time.After(time.Minute):
		t.Fatalf("the worker does not stop: %s", m.log)
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM: %s", code, m.log)
	}
}

func TestWorkersThatCannotBeUsed(t *testing.T) {
	here, there, other := t.TempDir(), t.TempDir(), t.TempDir()
	mine, its, wrong := fingerprint(t, here), fingerprint(t, there), fingerprint(t, other)
	m := startMachine(t, []string{os.Args[0]}, "--listen", "127.0.0.1:0", "--state-dir", there, "--peer", mine, "--max-connections", "1")
	model := testmodel.Tiny(t, testmodel.Mixture)
	for name, test := range map[string]struct {
		code int
		args []string
		says []string
	}{
		"a worker for everybody":  {exitUsage, []string{"rpc-worker", "--listen", "0.0.0.0:50052"}, []string{"--peer SHA256"}},
		"no fingerprint":          {exitUsage, []string{"rpc-worker", "--peer", "abc"}, []string{"--peer", "64 hexadecimal digits"}},
		"no such device":          {exitFailed, []string{"rpc-worker", "--device", "TPU9", "--listen", "127.0.0.1:0"}, []string{`no device "TPU9"`, "CPU"}},
		"the process by hand":     {exitUsage, []string{"rpc-worker", "serve"}, []string{"aigw rpc-worker"}},
		"another machine, no key": {exitUsage, []string{"run", "--rpc", "192.0.2.1:50052"}, []string{"--rpc-peer SHA256"}},
		"no address":              {exitUsage, []string{"run", "--rpc", "somewhere"}, []string{"HOST:PORT"}},
		"a key alone":             {exitUsage, []string{"run", "--rpc-peer", its}, []string{"--rpc HOST:PORT"}},
		"no layers":               {exitUsage, []string{"run", "--rpc", m.address, "--gpu-layers", "0"}, []string{"--gpu-layers 0"}},
		"nobody there":            {exitFailed, []string{"run", "--rpc", "127.0.0.1:1", "--rpc-peer", its, "--state-dir", here}, []string{"rpc worker 127.0.0.1:1 cannot be reached", "is aigw rpc-worker running"}},
		"another key":             {exitFailed, []string{"run", "--rpc", m.address, "--rpc-peer", wrong, "--state-dir", here}, []string{m.address, its, wrong, "--rpc-peer"}},
		"another key than known":  {exitFailed, []string{"run", "--rpc", m.address, "--rpc-peer", its, "--state-dir", other}, []string{m.address, "--peer " + wrong}},
		"a key, where none is":    {exitFailed, []string{"run", "--rpc", m.address, "--state-dir", here}, []string{m.address, "--rpc-peer"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := test.args
			if args[0] == "run" {
				args = append(args, "--model", model, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
			}
			code, _, errs := call(t, args...)
			lines := strings.Split(strings.TrimSpace(errs), "\n")
			last := lines[len(lines)-1]
			if code != test.code || !strings.HasPrefix(last, "aigw: ") {
				t.Errorf("code %d, want %d: %s", code, test.code, errs)
			}
			for _, want := range test.says {
				if !strings.Contains(last, want) {
					t.Errorf("%q does not say %q", last, want)
				}
			}
		})
	}
}
