package tunnel

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// handshakeTime bounds everything until the first byte of what is carried.
	handshakeTime = 10 * time.Second
	// silence is after what time without a sign of life from the other machine's kernel it counts as gone. A
	// model may compute for longer; its kernel answers all the same.
	silence = 30 * time.Second
)

// watched lets the kernel find out when the other machine is gone without a word: it asks an idle one, and gives
// up on one that does not take what it is sent.
func watched(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok { // a pipe, in tests
		return
	}
	// What fails here is noticed later than it could be, and nothing else.
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: silence / 3, Interval: silence / 6, Count: 4})
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence/time.Millisecond))
		})
	}
}
