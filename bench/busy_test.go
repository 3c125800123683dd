package main

import (
	"os"
	"testing"
	"time"
)

func TestKeepCoreBusy(t *testing.T) {
	p, err := keepCoreBusy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const ran = 500 * time.Millisecond
	time.Sleep(ran)
	p.stop()
	// On a machine that does other things too, a core is not all its own.
	if used := p.cmd.ProcessState.UserTime(); used < ran/20 {
		t.Errorf("it used %s of %s; no core was kept busy", used, ran)
	}
}

func TestSpinEndsWithItsParent(t *testing.T) {
	done := make(chan struct{})
	go func() {
		spin(os.Getppid() + 1) // a parent that is gone
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it spins on without its parent")
	}
}
