package tunnel

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// maxHandshakes bounds connections that have not yet shown who they are: strangers can take these places, and
// no others.
const maxHandshakes = 16

// What a server says first of all. Only then does a client know that its own key was accepted: in TLS 1.3
// its part of the handshake ends before the server has seen it.
const (
	welcome = "welcome\n"
	busy    = "busy   \n" // as long as welcome
)

// Server lets peers in.
type Server struct {
	// Identity is nil for plain connections without any of this, where everybody is let in and gets the first
	// service: for loopback addresses, to which something else leads, such as SSH.
	Identity *Identity
	Peers    []Fingerprint // who may come in; nobody else does
	Services []string      // what they may ask for
	Limit    int           // connections at once; who comes beyond that is told
	// Handshake bounds everything until the first byte of what is carried; 0 is 10 s.
	Handshake time.Duration
	// Serve carries one connection and returns when that has ended, or soon after ctx has. The connection is
	// closed then.
	Serve  func(ctx context.Context, c net.Conn, service string, peer Fingerprint)
	Logger *slog.Logger
}

// Run accepts connections until ctx ends, and returns when all of them have. It closes l.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel() // before that
	strangers, places := make(chan struct{}, maxHandshakes), make(chan struct{}, s.Limit)
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections: %w", err)
		case err != nil: // too many open files, or somebody who is gone already
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.Logger.Warn("a connection cannot be accepted", "error", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		select {
		case strangers <- struct{}{}:
		default:
			s.Logger.Warn("refused a connection: too many have not shown yet who they are", "from", c.RemoteAddr().String(), "limit", maxHandshakes)
			c.Close()
			continue
		}
		all.Go(func() { s.admit(ctx, c, strangers, places) })
	}
}

// admit finds out who is there and serves him if there is a place.
func (s *Server) admit(ctx context.Context, plain net.Conn, strangers, places chan struct{}) {
	defer plain.Close()
	defer context.AfterFunc(ctx, func() { plain.Close() })()
	watched(plain)
	from := plain.RemoteAddr().String()
	if s.Identity == nil {
		<-strangers
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			s.Serve(ctx, plain, s.Services[0], Fingerprint{})
		default:
			s.Logger.Warn("refused a connection: all are in use", "from", from, "limit", s.Limit)
		}
		return
	}
	_ = plain.SetDeadline(time.Now().Add(cmp.Or(s.Handshake, handshakeTime)))
	c := tls.Server(plain, s.config())
	if err := c.HandshakeContext(ctx); err != nil {
		s.Logger.Warn("refused a connection", "from", from, "error", err)
		part(plain)
		<-strangers
		return
	}
	<-strangers
	state := c.ConnectionState()
	peer := fingerprintOf(state.PeerCertificates[0])
	answer := welcome
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	default:
		answer = busy
	}
	if _, err := c.Write([]byte(answer)); err != nil {
		s.Logger.Warn("a peer hung up", "from", from, "peer", peer.String(), "error", err)
		return
	}
	if answer == busy {
		s.Logger.Warn("refused a peer: all connections are in use", "from", from, "peer", peer.String(), "limit", s.Limit)
		_ = c.CloseWrite()
		return
	}
	_ = plain.SetDeadline(time.Time{})
	s.Serve(ctx, c, state.NegotiatedProtocol, peer)
	_ = c.Close()
}

// part ends a connection of which not everything was read. Closed at once, the kernel would reset it, and the alert that
// says why might never be read on the other side.
func part(c net.Conn) {
	if closeWrite(c) == nil {
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.CopyN(io.Discard, c, 64<<10)
	}
}

func (s *Server) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{s.Identity.certificate},
		ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
		NextProtos: s.Services,
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.NegotiatedProtocol == "" {
				return errors.New("it does not say what it wants")
			}
			return check(state.PeerCertificates, s.Peers)
		},
	}
}
