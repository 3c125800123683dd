// Package supervisor keeps the program alive when llama.cpp ends the process: with GGML_ABORT, with
// an illegal access, or because the kernel had no memory left.
//
// The supervisor is the same program. It opens the ports and starts a worker that takes them
// over, so requests go to the worker directly. When the worker crashes the next one takes the same
// ports: who connects meanwhile waits in the kernel's backlog for the tenth of a second that a
// worker needs to answer, with 503 while the weights load.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"aigw/engine"
)

// Options says what is kept alive.
type Options struct {
	// Listeners are passed on in this order.
	Listeners []net.Listener
	// Ready is called whenever a worker's model answers; nil: nobody is.
	Ready func()
	// Drain is how long the worker gets to end when ctx does.
	Drain  time.Duration
	Logger *slog.Logger
}

// mostFailures is how often in a row a worker may crash before it was ready. Trying again would
// help nobody then.
const mostFailures = 5

// goCrash is the exit code of a Go program that ends in a signal or in a fatal error of the
// runtime. Workers use it for nothing once they serve.
const goCrash = 2

// Run starts workers, one after the other, with this process's own arguments, until one ends of
// its own will or ctx ends. It returns the exit code.
func Run(ctx context.Context, o Options) (int, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find this program: %w", err)
	}
	journal, err := newJournalFile()
	if err != nil {
		return 0, err
	}
	defer journal.Close()
	files := make([]*os.File, 0, len(o.Listeners))
	for _, l := range o.Listeners {
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			return 0, fmt.Errorf("%s: only TCP ports can be handed over", l.Addr())
		}
		f, err := tcp.File()
		if err != nil {
			return 0, fmt.Errorf("hand over %s: %w", l.Addr(), err)
		}
		defer f.Close()
		files = append(files, f)
	}
	// The kernel ends a worker whose parent's thread is gone, so this thread has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b := &blame{file: journal, crashes: map[engine.Fingerprint]int{}}
	for failures, crashes := 0, 0; ; crashes++ {
		began := time.Now()
		end, err := runWorker(ctx, o, program, files, journal, crashes)
		if err != nil {
			return 0, err
		}
		if !end.crashed || ctx.Err() != nil {
			return end.code, nil
		}
		ran, refused, err := b.crashed(!end.elsewhere)
		if err != nil {
			return 0, fmt.Errorf("read the journal: %w", err)
		}
		what, pause := "the model process crashed; a new one takes over", time.Duration(0)
		if end.ready {
			failures = 0
		} else {
			failures++
			pause = time.Duration(failures) * time.Second
		}
		if end.elsewhere {
			what, pause = "the model process ended because another machine is gone; a new one waits for that", max(pause, time.Second)
		}
		o.Logger.Error(what, "how", end.how, "after", time.Since(began).Round(time.Millisecond).String(),
			"requests_lost", ran, "requests_refused_from_now_on", refused)
		if failures == mostFailures {
			return 0, fmt.Errorf("the model process crashed %d times before it was ready; the reason stands above, in its last words", failures)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, nil
		}
	}
}

// ending is how a worker ended.
type ending struct {
	code           int
	crashed, ready bool
	elsewhere      bool // the reason is another machine
	how            string
}

func runWorker(ctx context.Context, o Options, program string, files []*os.File, journal *os.File, crashes int) (ending, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return ending{}, err
	}
	defer read.Close()
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = append(append([]*os.File(nil), files...), journal, write)
	cmd.Env = append(environment(), workerVar+"="+strconv.Itoa(len(files)), crashesVar+"="+strconv.Itoa(crashes))
	// If the supervisor is killed, the worker ends too and leaves the ports.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return ending{}, fmt.Errorf("start the model process: %w", err)
	}
	var isServing, isReady, isElsewhere atomic.Bool
	told := make(chan struct{})
	go func() {
		defer close(told)
		var what [1]byte
		for {
			if _, err := read.Read(what[:]); err != nil {
				return
			}
			switch what[0] {
			case serving:
				isServing.Store(true)
			case elsewhere:
				isElsewhere.Store(true)
			case ready:
				isReady.Store(true)
				if o.Ready != nil {
					o.Ready()
				}
			}
		}
	}()
	ended := make(chan struct{})
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for running := true; running; {
			select {
			case <-ended:
				return
			case <-hangups: // the worker reads its settings anew
				_ = cmd.Process.Signal(syscall.SIGHUP)
			case <-ctx.Done():
				running = false
			}
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		select {
		case <-ended:
		case <-time.After(o.Drain + 10*time.Second):
			_ = cmd.Process.Kill()
		}
	}()
	err = cmd.Wait()
	close(ended)
	<-told
	end := ending{ready: isReady.Load(), elsewhere: isElsewhere.Load(), how: cmd.ProcessState.String()}
	var failure *exec.ExitError
	if err != nil && !errors.As(err, &failure) {
		return ending{}, fmt.Errorf("wait for the model process: %w", err)
	}
	end.code = cmd.ProcessState.ExitCode()
	end.crashed = isServing.Load() && (end.code < 0 || end.code == goCrash)
	if end.code < 0 { // a signal, before it served
		end.code = 1
	}
	return end, nil
}

// notWorkers are the variables that are for this process: what would make a worker of a worker, and
// systemd's.
var notWorkers = []string{workerVar, crashesVar, "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}

// environment is this process's, without those.
func environment() []string {
	var out []string
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); !slices.Contains(notWorkers, name) {
			out = append(out, entry)
		}
	}
	return out
}
