package tunnel

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// linger is how long the second direction of a connection may go on when the first has ended.
const linger = 5 * time.Second

// chunk is what is carried at once, in bytes: some records of TLS, which have 16 KiB at most.
const chunk = 256 << 10

// Join carries bytes both ways until both sides have ended, or one fails, and closes both. first is called with
// which side ended first and why (nil: it had nothing more to say), before the other one is told.
func Join(near, far net.Conn, first func(far bool, err error)) {
	var once sync.Once
	ends := make(chan bool, 2) // whether it was in order
	carry := func(to, from net.Conn) {
		side, err := copyBytes(to, from)
		once.Do(func() { first(side == far, err) })
		if err == nil {
			err = closeWrite(to)
		}
		ends <- err == nil
	}
	go carry(near, far)
	go carry(far, near)
	over := func() {
		near.Close()
		far.Close()
	}
	if <-ends {
		timer := time.AfterFunc(linger, over)
		defer timer.Stop()
	} else {
		over()
	}
	<-ends
	over()
}

// copyBytes carries what comes from one connection to another, until one of them ends, and says which.
func copyBytes(to, from net.Conn) (ended net.Conn, err error) {
	buffer := make([]byte, chunk)
	for {
		n, readError := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return to, err
			}
		}
		switch {
		case readError == nil:
		case errors.Is(readError, io.EOF), errors.Is(readError, net.ErrClosed):
			return from, nil
		default:
			return from, readError
		}
	}
}

// closeWrite tells a side that nothing more comes.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
