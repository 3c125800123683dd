package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Errors of Dial for which there is something to do on the other machine.
var (
	ErrRefused = errors.New("it does not accept this machine's key")
	ErrBusy    = errors.New("all connections that it allows are in use")
)

// Client reaches one server.
type Client struct {
	Address  string        // host:port
	Identity *Identity     // nil: connections are plain, see Server
	Peers    []Fingerprint // keys that the server may have
}

// Dial connects and asks for a service. When it returns, both sides have accepted each other. Whoever has another
// key than it may have is a *WrongPeerError.
func (c *Client) Dial(ctx context.Context, service string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	plain, err := new(net.Dialer).DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return nil, err
	}
	if c.Identity == nil {
		return plain, nil
	}
	joined, err := c.greet(ctx, plain, service)
	if err != nil {
		plain.Close()
		return nil, err
	}
	return joined, nil
}

// greet makes a tunnel of a connection.
func (c *Client) greet(ctx context.Context, plain net.Conn, service string) (net.Conn, error) {
	watched(plain)
	if until, ok := ctx.Deadline(); ok {
		_ = plain.SetDeadline(until)
	}
	t := tls.Client(plain, &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.Identity.certificate},
		InsecureSkipVerify:          true, // names and issuers count for nothing; the key is compared below
		DynamicRecordSizingDisabled: true,
		NextProtos:                  []string{service},
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.NegotiatedProtocol != service {
				return fmt.Errorf("it does not know of %s", service)
			}
			return check(state.PeerCertificates, c.Peers)
		},
	})
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, said(err)
	}
	answer := make([]byte, len(welcome))
	if _, err := io.ReadFull(t, answer); err != nil {
		return nil, said(err)
	}
	switch string(answer) {
	case welcome:
	case busy:
		return nil, ErrBusy
	default:
		return nil, fmt.Errorf("it says %q, which is no tunnel's", answer)
	}
	_ = plain.SetDeadline(time.Time{})
	return t, nil
}

// badCertificate is the alert of a server to whom our key means nothing (RFC 8446 section 6.2).
const badCertificate = tls.AlertError(42)

// said puts the usual failures of a handshake into words.
func said(err error) error {
	var alert *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &alert) && alert.Op == "remote error" && alert.Err.Error() == badCertificate.Error():
		return ErrRefused
	case errors.As(err, &record):
		return errors.New("it does not speak TLS; is that another program's port?")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("it hung up before it said anything")
	}
	return err
}
