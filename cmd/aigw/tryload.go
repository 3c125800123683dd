package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"aigw/cmd/aigw/supervisor"
	"aigw/engine"
	"aigw/models"
	"aigw/models/gguf"

	"github.com/urfave/cli/v2"
)

// A file that was never loaded on this machine is first loaded in a child process, because what
// is wrong with it can make llama.cpp end the process. The verdict is kept in the state folder, for
// this content and this build of llama.cpp.

// tryCommand is the child. It is not for people: what it finds, it says on standard error.
func tryCommand() *cli.Command {
	return &cli.Command{
		Name: "try", Hidden: true, ArgsUsage: "FILE",
		Usage:       "load a file once and decode one token",
		Description: "Examples:\n  aigw models try codestral.gguf",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "threads"},
			&cli.StringFlag{Name: "backend-dir"},
			familyFlag(),
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("one FILE is expected")
			}
			if err := supervisor.NoCoreDumps(); err != nil {
				return err
			}
			f, err := gguf.Open(c.Args().First())
			if err != nil {
				return err
			}
			defer f.Close()
			log := slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelError}))
			if models.CheckEmbeds(f) == nil && models.Check(f) != nil { // it writes no text
				e, err := engine.LoadEmbedder(c.Context, engine.Options{Model: f.Path, Threads: c.Int("threads"), BackendDir: c.String("backend-dir"), Logger: log})
				if err != nil {
					return err
				}
				return e.Close()
			}
			said, err := familyOf(c, f.Path)
			if err != nil {
				return err
			}
			what, err := models.RecogniseAs(f, said)
			if err != nil {
				return err
			}
			return engine.TryLoad(engine.Options{
				Model: f.Path, Overrides: what.Overrides, Threads: c.Int("threads"), BackendDir: c.String("backend-dir"), Logger: log,
			})
		},
	}
}

// verdict is what is kept of a trial.
type verdict struct {
	File   string `json:"file"` // for people; the content counts
	Build  string `json:"build"`
	Reason string `json:"reason,omitempty"` // empty: it loads
}

// tryModel makes sure that a file loads without ending the process.
func tryModel(c *cli.Context, log *slog.Logger, m *modelFile) error {
	known, err := knownVerdict(c, m)
	if err != nil {
		return err
	}
	v, err := known.read()
	if err != nil {
		log.Info("a file that was never loaded here is tried in a process of its own first", "file", filepath.Base(m.path))
		if v, err = tryInChild(c, m); err != nil {
			return err
		}
		v.Build = known.build
		if err := known.keep(v); err != nil {
			log.Warn("the file will be tried again at the next start: the result cannot be kept", "error", err)
		}
	}
	if v.Reason != "" {
		return fmt.Errorf("%s: %s; convert the original model again, or use another file", m.path, v.Reason)
	}
	return nil
}

// tryTime bounds a trial: a slow disk reads 20 MB a second.
func tryTime(size int64) time.Duration {
	return time.Minute + time.Duration(size/(20<<20))*time.Second
}

// tryInChild runs tryCommand. An error says that nothing was found out about the file.
func tryInChild(c *cli.Context, m *modelFile) (verdict, error) {
	program, err := os.Executable()
	if err != nil {
		return verdict{}, fmt.Errorf("find this program: %w", err)
	}
	limit := tryTime(m.size)
	ctx, cancel := context.WithTimeout(c.Context, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "models", "try", "--threads", fmt.Sprint(c.Int("threads")), "--backend-dir", c.String("backend-dir"), "--family", familyText(m.said), m.path)
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive this process
	cmd.WaitDelay = time.Second
	runtime.LockOSThread() // Pdeathsig counts the end of this thread as the parent's
	err = cmd.Run()
	runtime.UnlockOSThread()
	v := verdict{File: m.path}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return v, nil
	case c.Context.Err() != nil:
		return v, c.Context.Err()
	case ctx.Err() != nil:
		return v, fmt.Errorf("%s: a trial load was not finished after %s; is the disk that slow? Start again, or copy the file to a faster one", m.path, limit)
	case !errors.As(err, &exit):
		return v, fmt.Errorf("try %s: %w", m.path, err)
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		if status.Signal() == syscall.SIGKILL {
			return v, fmt.Errorf("%s: a trial load was killed, perhaps because memory ran out", m.path)
		}
		v.Reason = fmt.Sprintf("llama.cpp ends the process on this file (%s): %s", status.Signal(), lastWords(said.String()))
		return v, nil
	}
	v.Reason = "llama.cpp cannot use this file: " + lastWords(said.String())
	if strings.Contains(said.String(), "SIGABRT") || strings.Contains(said.String(), "SIGSEGV") { // the Go runtime turns signals into an exit
		v.Reason = "llama.cpp ends the process on this file: " + lastWords(said.String())
	}
	return v, nil
}

// lastWords picks what a process said about its end: the assertion of ggml, an error of the log, or
// its first line.
func lastWords(text string) string {
	best := "it said nothing"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "GGML_ASSERT") || strings.Contains(line, "GGML_ABORT"):
			return line
		case strings.HasPrefix(line, "aigw: "):
			return strings.TrimPrefix(line, "aigw: ")
		case best == "it said nothing" && line != "":
			best = line
		}
	}
	const limit = 300 // bytes
	return best[:min(len(best), limit)]
}

// record is where the verdict of a file is kept.
type record struct {
	path  string // empty: nowhere
	build string
}

func knownVerdict(c *cli.Context, m *modelFile) (record, error) {
	info, err := engine.About()
	if err != nil {
		return record{}, err
	}
	r := record{build: fmt.Sprintf("aigw %s, llama.cpp %s, ggml %s, %s", version, info.Llama, info.GGML, info.Linkage)}
	if m.said.Family != "" { // it decides about what llama.cpp is told
		r.build += ", family " + familyText(m.said)
	}
	dir := stateDir(c)
	if dir == "" {
		return r, nil
	}
	f, err := gguf.Open(m.path)
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	content, err := f.Fingerprint()
	if err != nil {
		return record{}, err
	}
	key := sha256.Sum256(append(content[:], r.build...))
	r.path = filepath.Join(dir, "tried", hex.EncodeToString(key[:])+".json")
	return r, nil
}

var errNoVerdict = errors.New("nothing is known")

func (r record) read() (verdict, error) {
	if r.path == "" {
		return verdict{}, errNoVerdict
	}
	data, err := os.ReadFile(r.path)
	if err != nil {
		return verdict{}, err
	}
	var v verdict
	if err := json.Unmarshal(data, &v); err != nil || v.Build != r.build {
		return verdict{}, errNoVerdict
	}
	return v, nil
}

func (r record) keep(v verdict) error {
	if r.path == "" {
		return errors.New("there is no state folder; name one with --state-dir")
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d", r.path, os.Getpid())
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, r.path)
}
