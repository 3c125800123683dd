package llama

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// doorbell is an eventfd that a thread of C rings and a goroutine waits for, as for a socket: its
// own OS thread does something else meanwhile, or sleeps.
type doorbell struct {
	fd    int
	file  *os.File
	count [8]byte
}

func newDoorbell() (*doorbell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make an eventfd (see the limit of open files): %w", err)
	}
	d := &doorbell{fd: fd, file: os.NewFile(uintptr(fd), "eventfd")}
	// Only what the runtime polls has deadlines.
	if err := d.file.SetReadDeadline(time.Time{}); err != nil {
		d.close()
		return nil, fmt.Errorf("poll an eventfd: %w", err)
	}
	return d, nil
}

// wait returns when the bell has been rung since the last time.
func (d *doorbell) wait() error {
	_, err := d.file.Read(d.count[:])
	return err
}

func (d *doorbell) close() { d.file.Close() }
