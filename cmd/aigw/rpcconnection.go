package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"aigw/cmd/aigw/supervisor"
	"aigw/engine"
	"aigw/internal/tunnel"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// Each connection of a worker is served by a process of its own, at the end of a socket without a name, which nobody
// else can connect to. What it was given is gone with it; what ends it, ends one connection.

// connectionFile is the number of that socket in the process.
const connectionFile = 3

// connection is the process of one connection.
type connection struct {
	near net.Conn // to the process
	cmd  *exec.Cmd
	said *lastBytes // on its standard error
}

// start runs the process, which is killed when ctx ends. extra are further arguments.
func (w *connections) start(ctx context.Context, extra ...string) (*connection, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	near, theirs := os.NewFile(uintptr(ends[0]), "near"), os.NewFile(uintptr(ends[1]), "connection")
	defer near.Close()
	defer theirs.Close()
	p := &connection{said: &lastBytes{}}
	if p.near, err = net.FileConn(near); err != nil { // a copy
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	args := []string{"rpc-worker", "serve", "--threads", strconv.Itoa(w.cli.Int("threads")), "--device", w.cli.String("device"), "--backend-dir", w.cli.String("backend-dir")}
	if w.cli.Bool("verbose") {
		args = append(args, "--verbose")
	}
	p.cmd = exec.CommandContext(ctx, program, append(args, extra...)...)
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Stderr = p.said
	p.cmd.Env = append(os.Environ(), "GOTRACEBACK=none") // its last words are llama.cpp's
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		p.near.Close()
		return nil, fmt.Errorf("start the process of a connection: %w", err)
	}
	return p, nil
}

// serve is tunnel.Server.Serve.
func (w *connections) serve(ctx context.Context, far net.Conn, service string, peer tunnel.Fingerprint) {
	log := w.log.With("from", far.RemoteAddr().String())
	if peer != (tunnel.Fingerprint{}) {
		log = log.With("peer", peer.String())
	}
	// The kernel ends the process when the thread that started it ends, so this one has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var extra []string
	if service == serviceOffer {
		extra = []string{"--offer"}
	} else {
		log.Info("a peer begins")
	}
	p, err := w.start(ctx, extra...)
	if err != nil {
		log.Error("a peer cannot be served", "error", err)
		return
	}
	began := time.Now()
	var processFirst bool
	tunnel.Join(p.near, far, func(isFar bool, err error) { processFirst = !isFar })
	if !processFirst {
		_ = p.cmd.Process.Kill() // it has nothing to save, and its memory is wanted
	}
	err = p.cmd.Wait()
	if service == serviceOffer && err == nil {
		return
	}
	switch said := p.said.words(); {
	case ctx.Err() != nil:
	case processFirst && (err != nil || said != ""):
		log.Error("the process of a connection ended", "how", p.cmd.ProcessState.String(), "last_words", said)
	default:
		log.Info("a peer ended", "after", time.Since(began).Round(time.Second).String())
	}
}

// offer asks such a process what this machine offers.
func (w *connections) offer(ctx context.Context) (*engine.Offer, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // the first start with plug-ins tries CPU variants
	defer cancel()
	p, err := w.start(ctx, "--offer")
	if err != nil {
		return nil, err
	}
	offer, wrong := readOffer(p.near)
	p.near.Close()
	if err := p.cmd.Wait(); err != nil && wrong != nil {
		return nil, errors.New(lastWords(p.said.words()))
	}
	return offer, wrong
}

// longestOffer bounds an offer, in bytes.
const longestOffer = 64 << 10

func readOffer(from io.Reader) (*engine.Offer, error) {
	text, err := io.ReadAll(io.LimitReader(from, longestOffer))
	if err != nil {
		return nil, fmt.Errorf("what a worker offers: %w", err)
	}
	var offer engine.Offer
	if err := json.Unmarshal(text, &offer); err != nil {
		return nil, fmt.Errorf("what a worker offers cannot be read: %w", err)
	}
	return &offer, nil
}

// serveConnectionCommand is the process. It is not for people.
func serveConnectionCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Hidden: true,
		Usage:       "serve the connection that a worker hands over",
		Description: "Examples:\n  aigw rpc-worker serve",
		Flags: append(connectionFlags(),
			&cli.BoolFlag{Name: "offer", Usage: "only say what is offered"},
			&cli.BoolFlag{Name: "verbose"},
		),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if _, err := unix.GetsockoptInt(connectionFile, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
				return usagef("rpc-worker serve is for the program itself; start aigw rpc-worker")
			}
			if err := supervisor.NoCoreDumps(); err != nil {
				return err
			}
			level := slog.LevelError
			if c.Bool("verbose") {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: level}))
			var names []string
			for name := range strings.SplitSeq(c.String("device"), ",") {
				if name = strings.TrimSpace(name); name != "" {
					names = append(names, name)
				}
			}
			offer, numbers, err := engine.Offering(c.String("backend-dir"), names, log)
			if err != nil {
				return err
			}
			if !c.Bool("offer") {
				return engine.ServeRemote(connectionFile, c.Int("threads"), numbers)
			}
			f := os.NewFile(connectionFile, "connection")
			return errors.Join(json.NewEncoder(f).Encode(offer), f.Close())
		},
	}
}

// lastBytes keeps the end of what is written to it. It may be used concurrently.
type lastBytes struct {
	mu   sync.Mutex
	text []byte
}

// mostLastBytes is a screen of text.
const mostLastBytes = 8 << 10

func (l *lastBytes) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-mostLastBytes):]
	return len(p), nil
}

// endOfConnections is what ggml says when it would take a second connection, which there never is
// (third_party/llama.cpp/patches/rpc.patch).
const endOfConnections = "Failed to accept client connection\n"

// words are what was written, without what means nothing.
func (l *lastBytes) words() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(bytes.ReplaceAll(l.text, []byte(endOfConnections), nil)))
}
