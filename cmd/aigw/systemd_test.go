package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process that gets its port from systemd serves on it, and says when it does; with a supervisor and without.
func TestSystemdHandsThePortOver(t *testing.T) {
	for _, supervise := range []string{"on", "off"} {
		t.Run("supervise "+supervise, func(t *testing.T) {
			port, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer port.Close()
			file, err := port.(*net.TCPListener).File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer told.Close()

			// systemd knows the number of the process before it starts it; here a shell that becomes the program does.
			p := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0], "run", "--supervise", supervise,
				"--listen", "203.0.113.1:1", "--metrics-listen", "127.0.0.1:0") // an address that nobody could open
			p.ExtraFiles = []*os.File{file}
			log := &lockedBuffer{}
			p.Stderr = log
			p.Env = append(os.Environ(), asProgramVar+"=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=api",
				"NOTIFY_SOCKET="+told.LocalAddr().String(), "AIGW_STATE_DIR="+t.TempDir())
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			defer p.Process.Kill() //nolint:errcheck // it should have ended
			if err := told.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
				t.Fatal(err)
			}
			text := make([]byte, 100)
			n, err := told.Read(text)
			if err != nil || !strings.HasPrefix(string(text[:n]), "READY=1") {
				t.Fatalf("systemd was told %q, %v\n%s", text[:n], err, log)
			}
			answer, err := http.Get("http://" + port.Addr().String() + "/monitoring/healthz")
			if err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("healthz on systemd's port: %s", answer.Status)
			}
			// `aigw health` asks the same.
			if code, _, errs := call(t, "health", "--listen", port.Addr().String()); code != 0 {
				t.Errorf("aigw health: %d, %s", code, errs)
			}
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); err != nil {
				t.Errorf("it ended with %v\n%s", err, log)
			}
			// The port stays open for the next one: connections wait in its backlog.
			c, err := net.Dial("tcp", port.Addr().String())
			if err != nil {
				t.Errorf("the port is gone: %v", err)
			} else {
				c.Close()
			}
		})
	}
}

func TestInstallSystemd(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := call(t, "install-systemd", "--write", "--unit-dir", dir, "--program", "/bin/true", "--settings", "/etc/aigw/aigw.env")
	if code != 0 || !strings.Contains(out, "systemctl enable --now aigw") {
		t.Fatalf("%d, %s%s", code, out, errs)
	}
	service, err := os.ReadFile(filepath.Join(dir, "aigw.service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ExecStart=/bin/true run", "EnvironmentFile=-/etc/aigw/aigw.env", "ProtectSystem=strict", "Type=notify"} {
		if !strings.Contains(string(service), "\n"+line+"\n") {
			t.Errorf("the unit has no line %s", line)
		}
	}
	if code, out, _ := call(t, "install-systemd", "--program", "/bin/true"); code != 0 || out != string(service) {
		t.Error("what is printed is not what is written")
	}
	if code, out, _ := call(t, "install-systemd", "--program", "/bin/true", "--user", "root"); code != 0 ||
		!strings.Contains(out, "\nUser=root\nGroup=root\nStateDirectory=") || strings.Contains(out, "DynamicUser") {
		t.Errorf("with --user: %d, %s", code, out)
	}
	for name, args := range map[string][]string{
		"no user":       {"install-systemd", "--user", "a user"},
		"no whole path": {"install-systemd", "--program", "aigw"},
		"a space":       {"install-systemd", "--program", "/opt/my aigw"},
		"a specifier":   {"install-systemd", "--models", "/srv/%h"},
		"left over":     {"install-systemd", "x"},
	} {
		if code, _, errs := call(t, args...); code != exitUsage || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: %d, %s", name, code, errs)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed; CI has it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	verify := exec.CommandContext(ctx, analyze, "verify", "--man=no", filepath.Join(dir, "aigw.service"), filepath.Join(dir, "aigw.socket"))
	if out, err := verify.CombinedOutput(); err != nil || strings.Contains(string(out), dir) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestCompletionAndManual(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, out, errs := call(t, "completion", shell); code != 0 || !strings.Contains(out, "aigw") {
			t.Errorf("%s: %d, %s", shell, code, errs)
		}
	}
	if code, _, _ := call(t, "completion", "csh"); code != exitUsage {
		t.Errorf("csh: exit code %d", code)
	}
	script := write(t, "completion", bashCompletion)
	words := exec.Command("bash", "-c", `. "$1"; aigw() { "$PROGRAM" "$@"; }
		COMP_WORDS=(aigw bundle ver); COMP_CWORD=2; _aigw; echo "${COMPREPLY[@]}"`, "bash", script)
	words.Env = append(os.Environ(), asProgramVar+"=1", "PROGRAM="+os.Args[0])
	if out, err := words.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "verify" {
		t.Errorf("bash completes aigw bundle ver with %q, %v", out, err)
	}
	code, page, errs := call(t, "man")
	if code != 0 || !strings.Contains(page, ".TH aigw 1") || !strings.Contains(page, "bundle") {
		t.Errorf("man: %d, %s", code, errs)
	}
}

func TestHealthOfNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if code, _, errs := call(t, "health", "--listen", l.Addr().String()); code != exitFailed || !strings.Contains(errs, "does not answer") {
		t.Errorf("%d, %s", code, errs)
	}
}
