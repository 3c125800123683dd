package tunnel

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Entrance is the near end of a tunnel for code of this process that can do nothing but connect: a Unix socket in
// Linux' abstract namespace (unix(7)), which leaves no file behind, with a name that nobody else has. It takes one
// connection, from this very process, joins it with far as Join does, and is gone. name begins with "@".
func Entrance(far net.Conn, first func(far bool, err error)) (name string, err error) {
	name = fmt.Sprintf("@aigw-%d-%s", os.Getpid(), rand.Text())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return "", fmt.Errorf("open the near end of a tunnel: %w", err)
	}
	go func() {
		defer l.Close()
		for {
			near, err := l.AcceptUnix()
			if err != nil {
				far.Close()
				return
			}
			if err := mine(near); err != nil {
				near.Close() // it is somebody else's, who learns nothing
				continue
			}
			l.Close()
			Join(near, far, first)
			return
		}
	}()
	return name, nil
}

// mine is nil if the other end of a Unix socket is this process.
func mine(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failure error
	err = raw.Control(func(fd uintptr) {
		peer, failure = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, failure); err != nil {
		return err
	}
	if int(peer.Pid) != os.Getpid() {
		return fmt.Errorf("process %d connected", peer.Pid)
	}
	return nil
}
