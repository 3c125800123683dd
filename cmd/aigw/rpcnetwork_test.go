package main

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw/internal/testmodel"
)

// networkVar has two machines, which are network namespaces, share models: .ci/rpc-test does. programVar names the program
// that both run, such as that of a release; without it the test's own binary.
const (
	networkVar = "AIGW_TEST_RPC"
	programVar = "AIGW_TEST_PROGRAM"
)

// Addresses of the machines.
const (
	nearAddress = "10.77.0.1"
	farAddress  = "10.77.0.2"
)

// Two processes on two machines, each a network namespace, with nothing between them but one wire: a Mixtral-shaped file
// and the real model say over it what they say on one machine, and what crosses it is not for everybody.
func TestTwoMachines(t *testing.T) {
	if os.Getenv(networkVar) == "" {
		t.Skip("make rpc-test runs this")
	}
	if os.Getenv(inNamespaceVar) == "" {
		cmd := exec.Command("unshare", "-rn", os.Args[0], "-test.run=^TestTwoMachines$", "-test.v")
		cmd.Env = append(os.Environ(), inNamespaceVar+"=1", asProgramVar+"=") // this one is the test again
		text, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(text), "--- PASS") {
			t.Fatalf("%v\n%s", err, text)
		}
		t.Logf("%s", text)
		return
	}
	enter := twoNamespaces(t)
	program := os.Args[0]
	if name := os.Getenv(programVar); name != "" {
		program = name
	}
	here, there := t.TempDir(), t.TempDir()
	m := startMachine(t, append(enter, program), "--listen", net.JoinHostPort(farAddress, "50052"), "--state-dir", there, "--peer", fingerprint(t, here))
	strangerIsRefused(t, m.address)
	for name, test := range map[string]struct {
		model, text string
		layers      string
	}{
		"Mixtral-shaped":                 {testmodel.Tiny(t, testmodel.Mixture), "def add(a, b):\n    return ", "auto"},
		"Mixtral-shaped, layers on both": {testmodel.Tiny(t, testmodel.Mixture), "def add(a, b):\n    return ", "2"},
		"SmolLM2":                        {testmodel.Path(t), "def fibonacci(n):\n    if n < 2:\n        return n\n    return ", "auto"},
	} {
		t.Run(name, func(t *testing.T) {
			begin := func(args ...string) *process {
				t.Helper()
				p := newProcessOf(t, program, []string{"AIGW_STATE_DIR=" + here}, append([]string{"--model", "m=" + test.model, "--ctx", "256", "--openai-insecure", "--max-wait", "10m"}, args...)...)
				p.wait("a worker", func() bool { return len(p.workers()) == 1 })
				p.url = p.workers()[0].URL
				p.waitReady()
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
			alone := begin("--gpu-layers", "0")
			want := alone.greedy(test.text)
			end(alone)
			before, began := sent(t), time.Now()
			p := begin("--rpc", m.address, "--rpc-peer", fingerprint(t, there), "--gpu-layers", test.layers)
			loaded := sent(t) - before
			t.Logf("ready after %.1f s, %d KiB sent", time.Since(began).Seconds(), loaded>>10)
			if info, err := os.Stat(test.model); err != nil || loaded < info.Size()/4 {
				t.Errorf("%d bytes crossed the wire of a file of %v, %v", loaded, info, err)
			}
			before = sent(t)
			if got := p.greedy(test.text); got != want {
				t.Errorf("%q, on one machine %q", got, want)
			}
			t.Logf("24 tokens: %d KiB sent", (sent(t)-before)>>10)
			end(p)
		})
	}
}

// strangerIsRefused talks to a worker as ggml does, without a key.
func strangerIsRefused(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hello := binary.LittleEndian.AppendUint64([]byte{rpcHello}, rpcCaps)
	if _, err := c.Write(append(hello, make([]byte, rpcCaps)...)); err != nil {
		t.Fatal(err)
	}
	// At most an alert of TLS, which has seven bytes; ggml's answer has 36.
	if answer, _ := io.ReadAll(c); len(answer) > 7 {
		t.Errorf("a stranger is answered: %x", answer)
	}
}

// twoNamespaces makes a second network namespace with a wire to this one, and returns what runs a command there.
func twoNamespaces(t *testing.T) (enter []string) {
	t.Helper()
	holder := exec.Command("unshare", "-n", "sleep", "3600")
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	pid := strconv.Itoa(holder.Process.Pid)
	enter = []string{"nsenter", "--net=/proc/" + pid + "/ns/net"}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for { // until it has its own
		theirs, err := os.Readlink("/proc/" + pid + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if theirs != own {
			break
		}
		time.Sleep(time.Millisecond)
	}
	far := func(args ...string) []string { return append(enter[:len(enter):len(enter)], args...) }
	for _, args := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", pid},
		{"ip", "address", "add", nearAddress + "/24", "dev", "near"},
		{"ip", "link", "set", "near", "up"},
		far("ip", "link", "set", "lo", "up"),
		far("ip", "address", "add", farAddress+"/24", "dev", "far"),
		far("ip", "link", "set", "far", "up"),
	} {
		if text, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, text)
		}
	}
	return enter
}

// sent is how many bytes this machine has sent over the wire.
func sent(t *testing.T) int64 {
	t.Helper()
	text, err := exec.Command("ip", "-s", "-j", "link", "show", "near").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `"tx":{"bytes":`)
	number, _, _ := strings.Cut(rest, ",")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return n
}
