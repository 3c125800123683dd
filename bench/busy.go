package main

import (
	"context"
	"fmt"
	"os"
)

// A thread pool that loses one of its cores waits for the slowest thread at every operation of the
// graph. That is daily life for a server, whose own HTTP side and neighbours use cores too, and it
// is where polling threads fall to a fraction of their speed: so decoding is also measured while
// one core is busy. The core is kept busy by a process of its own, because a goroutine that spins
// would disturb Go's scheduler, which only one of the two sides has.

// spinVariable marks the process that this program starts of itself to keep a core busy.
const spinVariable = "AIGW_BENCH_SPIN"

func isSpinner() bool { return os.Getenv(spinVariable) != "" }

// spin keeps one core busy until it is killed or its parent is gone.
func spin(parent int) {
	for os.Getppid() == parent {
		for range 1 << 20 { // about a millisecond
		}
	}
}

// keepCoreBusy starts the process; stop it.
func keepCoreBusy(ctx context.Context) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("keep a core busy: %w", err)
	}
	return startProcess(ctx, "busy core", []string{self}, append(os.Environ(), spinVariable+"=1"))
}
