package tunnel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func identity(t *testing.T) *Identity {
	t.Helper()
	id, err := OpenIdentity(filepath.Join(t.TempDir(), "state", "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// echoes is a service that sends back what it gets, until that ends.
func echoes(_ context.Context, c net.Conn, _ string, _ Fingerprint) { _, _ = io.Copy(c, c) }

// log collects lines.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs a server until the test ends, and returns where.
func start(t *testing.T, s *Server) (address string, said *log) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	said = &log{}
	s.Logger = slog.New(slog.NewTextHandler(said, nil))
	if s.Limit == 0 {
		s.Limit = 4
	}
	if s.Serve == nil {
		s.Serve = echoes
	}
	s.Services = []string{"echo"}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), said
}

func TestAPeerIsServed(t *testing.T) {
	here, there := identity(t), identity(t)
	from := make(chan Fingerprint, 1)
	address, _ := start(t, &Server{Identity: there, Peers: []Fingerprint{{1}, here.Fingerprint}, Serve: func(ctx context.Context, c net.Conn, service string, peer Fingerprint) {
		from <- peer
		echoes(ctx, c, service, peer)
	}})
	c, err := (&Client{Address: address, Identity: here, Peers: []Fingerprint{there.Fingerprint}}).Dial(t.Context(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB, more than any buffer on the way
	go func() {
		_, _ = c.Write(sent)
		_ = closeWrite(c)
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(sent), err)
	}
	if peer := <-from; peer != here.Fingerprint {
		t.Errorf("the server saw %s", peer)
	}
}

func TestWhoIsRefused(t *testing.T) {
	here, there, other := identity(t), identity(t), identity(t)
	address, said := start(t, &Server{Identity: there, Peers: []Fingerprint{here.Fingerprint}})
	dial := func(id *Identity, peer Fingerprint, service string) error {
		c, err := (&Client{Address: address, Identity: id, Peers: []Fingerprint{peer}}).Dial(t.Context(), service)
		if err == nil {
			c.Close()
		}
		return err
	}
	// The client finds another machine than it expects.
	var wrong *WrongPeerError
	if err := dial(here, other.Fingerprint, "echo"); !errors.As(err, &wrong) || wrong.Shown != there.Fingerprint ||
		!strings.Contains(err.Error(), there.Fingerprint.String()) || !strings.Contains(err.Error(), other.Fingerprint.String()) {
		t.Errorf("a server with another key: %v", err)
	}
	// The server finds a stranger, and says to its log who it was.
	if err := dial(other, there.Fingerprint, "echo"); !errors.Is(err, ErrRefused) {
		t.Errorf("a client with another key: %v", err)
	}
	if text := said.String(); !strings.Contains(text, other.Fingerprint.String()) || !strings.Contains(text, here.Fingerprint.String()) {
		t.Errorf("the log names not both fingerprints: %s", text)
	}
	if err := dial(here, there.Fingerprint, "something else"); err == nil {
		t.Error("a service that there is not")
	}
	// And everybody who is expected gets in all the same.
	if err := dial(here, there.Fingerprint, "echo"); err != nil {
		t.Error(err)
	}
}

func TestPlainConnectionsAreRefused(t *testing.T) {
	here, there := identity(t), identity(t)
	address, said := start(t, &Server{Identity: there, Peers: []Fingerprint{here.Fingerprint}, Handshake: 200 * time.Millisecond})
	for what, text := range map[string]string{"HTTP": "GET / HTTP/1.0\r\n\r\n", "nothing at all": ""} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err == nil && bytes.Contains(answer, []byte("welcome")) {
			t.Errorf("%s was let in: %q", what, answer)
		}
		c.Close()
	}
	if n := strings.Count(said.String(), "refused a connection"); n != 2 {
		t.Errorf("%d refusals were logged: %s", n, said)
	}
	// A server that is none.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\n")
			c.Close()
		}
	}()
	if _, err := (&Client{Address: l.Addr().String(), Identity: here, Peers: []Fingerprint{there.Fingerprint}}).Dial(t.Context(), "echo"); err == nil {
		t.Error("a plain server passed for a tunnel")
	}
}

func TestTheLimitHolds(t *testing.T) {
	here, there := identity(t), identity(t)
	ended := make(chan struct{}, 2)
	address, _ := start(t, &Server{Identity: there, Peers: []Fingerprint{here.Fingerprint}, Limit: 1, Serve: func(ctx context.Context, c net.Conn, service string, peer Fingerprint) {
		echoes(ctx, c, service, peer)
		ended <- struct{}{}
	}})
	client := &Client{Address: address, Identity: here, Peers: []Fingerprint{there.Fingerprint}}
	one, err := client.Dial(t.Context(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Dial(t.Context(), "echo"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second connection where one is allowed: %v", err)
	}
	if err := closeWrite(one); err != nil {
		t.Fatal(err)
	}
	<-ended
	// The place is free once Serve has returned, a moment later.
	for {
		two, err := client.Dial(t.Context(), "echo")
		if err == nil {
			two.Close()
			return
		}
		if !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
	}
}

func TestStoppingEndsConnections(t *testing.T) {
	here, there := identity(t), identity(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Identity: there, Peers: []Fingerprint{here.Fingerprint}, Services: []string{"echo"}, Limit: 1, Serve: echoes, Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	c, err := (&Client{Address: l.Addr().String(), Identity: here, Peers: []Fingerprint{there.Fingerprint}}).Dial(t.Context(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlives the server")
	}
}

// pair is a connection with both its ends.
func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// joined starts a join and returns the outer ends of both connections.
func joined(t *testing.T) (near, far net.Conn, first chan bool, done chan struct{}) {
	t.Helper()
	near, insideNear := pair(t)
	far, insideFar := pair(t)
	first, done = make(chan bool, 2), make(chan struct{})
	go func() {
		defer close(done)
		Join(insideNear, insideFar, func(isFar bool, _ error) { first <- isFar })
	}()
	return near, far, first, done
}

func TestJoinCarriesBothWays(t *testing.T) {
	near, far, first, done := joined(t)
	for _, way := range []struct{ from, to net.Conn }{{near, far}, {far, near}} {
		if _, err := io.WriteString(way.from, "hello"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(way.to, got); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	// Half a connection: what the far side still says arrives, then all is over.
	if err := closeWrite(near); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(far); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if <-first {
		t.Error("the near side ended first")
	}
	if _, err := io.WriteString(far, "bye"); err != nil {
		t.Fatal(err)
	}
	if err := closeWrite(far); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(near); err != nil || string(rest) != "bye" {
		t.Errorf("%q, %v", rest, err)
	}
	<-done
	if len(first) != 0 {
		t.Error("the end was told twice")
	}
}

func TestJoinEndsWhenOneSideIsGone(t *testing.T) {
	near, far, first, done := joined(t)
	far.Close()
	if !<-first {
		t.Error("the far side ended first")
	}
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the near side reads %v", err)
	}
	near.Close()
	<-done
}

// strangerVar has the test be another process, which connects to the name in it and says what it gets.
const strangerVar = "AIGW_TEST_STRANGER"

func TestEntranceTakesThisProcessOnce(t *testing.T) {
	if name := os.Getenv(strangerVar); name != "" {
		c, err := net.Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "let me in")
		if got, err := io.ReadAll(c); len(got) > 0 {
			t.Fatalf("a stranger is told %q, %v", got, err)
		}
		return
	}
	far, inside := pair(t)
	first := make(chan bool, 2)
	name, err := Entrance(inside, func(isFar bool, _ error) { first <- isFar })
	if err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command(os.Args[0], "-test.run=^TestEntranceTakesThisProcessOnce$", "-test.count=1")
	stranger.Env = append(os.Environ(), strangerVar+"="+name)
	if text, err := stranger.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	near, err := net.Dial("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	if _, err := io.WriteString(near, "in"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "in" {
		t.Fatalf("%q, %v", got, err)
	}
	if c, err := net.Dial("unix", name); err == nil {
		c.Close()
		t.Error("the entrance is open for a second connection")
	}
	near.Close()
	if <-first {
		t.Error("the near side ended first")
	}
}

func TestIdentityIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "key.pem")
	var all sync.WaitGroup
	ids := make([]*Identity, 4)
	for i := range ids { // at once
		all.Go(func() {
			var err error
			if ids[i], err = OpenIdentity(file); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if id == nil || id.Fingerprint != ids[0].Fingerprint || id.Fingerprint == (Fingerprint{}) {
			t.Fatalf("%v and %v", id, ids[0])
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIdentity(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIdentity(file); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a damaged key: %v", err)
	}
}

func TestParseFingerprint(t *testing.T) {
	want := Fingerprint{0xab, 0xcd}
	colons := "AB:CD" + strings.Repeat(":00", 30)
	for _, text := range []string{want.String(), strings.ToUpper(want.String()), colons, " " + want.String() + "\n"} {
		if got, err := ParseFingerprint(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "abcd", want.String() + "00", strings.Repeat("x", 64)} {
		if _, err := ParseFingerprint(text); err == nil {
			t.Errorf("%q passed", text)
		}
	}
}
