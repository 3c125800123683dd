package supervisor

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// workerVar says to a process that it is a worker, and how many listeners it was given.
const workerVar = "AIGW_WORKER_LISTENERS"

// firstFile is the number of the first file that os/exec passes on: the listeners, then the
// journal, then the pipe.
const firstFile = 3

// Worker is what a supervisor gave to this process.
type Worker struct {
	Listeners []net.Listener
	Journal   *Journal
	pipe      *os.File
}

// AsWorker returns nil in a process that was not started by a supervisor.
func AsWorker() (*Worker, error) {
	text := os.Getenv(workerVar)
	if text == "" {
		return nil, nil
	}
	// What this process starts in its turn is no worker.
	if err := os.Unsetenv(workerVar); err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 16 {
		return nil, fmt.Errorf("%s=%q is set by the program itself only; unset it", workerVar, text)
	}
	w := &Worker{}
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

const (
	serving = 's'
	ready   = 'r'
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
