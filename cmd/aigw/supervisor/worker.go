package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// workerVar says to a process that it is a worker, and how many listeners it was given.
const workerVar = "AIGW_WORKER_LISTENERS"

// crashesVar says to a worker how many before it crashed.
const crashesVar = "AIGW_WORKER_CRASHES"

// firstFile is the number of the first file that os/exec passes on: the listeners, then the
// journal, then the pipe.
const firstFile = 3

// Worker is what a supervisor gave to this process.
type Worker struct {
	Listeners []net.Listener
	Journal   *Journal
	Crashes   int // of those before it
	pipe      *os.File
}

// AsWorker returns nil in a process that was not started by a supervisor.
func AsWorker() (*Worker, error) {
	text := os.Getenv(workerVar)
	if text == "" {
		return nil, nil
	}
	crashes, _ := strconv.Atoi(os.Getenv(crashesVar)) // the supervisor's; 0 is a good guess
	// What this process starts in its turn is no worker.
	if err := errors.Join(os.Unsetenv(workerVar), os.Unsetenv(crashesVar)); err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 16 {
		return nil, fmt.Errorf("%s=%q is set by the program itself only; unset it", workerVar, text)
	}
	w := &Worker{Crashes: crashes}
	file := func(i int, name string) *os.File {
		syscall.CloseOnExec(firstFile + i)
		return os.NewFile(uintptr(firstFile+i), name)
	}
	for i := range n {
		f := file(i, "listener")
		l, err := net.FileListener(f) // a copy
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("take over a port: %w", err)
		}
		w.Listeners = append(w.Listeners, l)
	}
	if w.Journal, err = openJournal(file(n, "journal")); err != nil {
		return nil, err
	}
	w.pipe = file(n+1, "pipe")
	return w, nil
}

// Serving tells the supervisor that the process is past all checks of its settings: if it ends
// now without a reason of its own, it crashed.
func (w *Worker) Serving() { w.tell(serving) }

// Ready tells the supervisor that the model answers.
func (w *Worker) Ready() { w.tell(ready) }

// Elsewhere tells the supervisor that this process ends now because another machine is gone that it cannot do without:
// no request is to blame, and trying again helps as soon as that machine is back. It returns the exit code.
func (w *Worker) Elsewhere() int {
	if w == nil {
		return 1
	}
	w.tell(elsewhere)
	return goCrash
}

const (
	serving   = 's'
	ready     = 'r'
	elsewhere = 'e'
)

func (w *Worker) tell(what byte) {
	if w != nil {
		_, _ = w.pipe.Write([]byte{what}) // without a supervisor nobody is interested
	}
}

// NoCoreDumps keeps this process and what it starts from leaving its memory, which has people's
// code in it, on a disk.
func NoCoreDumps() error {
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
