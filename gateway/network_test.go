package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"aigw/gateway/gatewaytest"
)

// rightBody is a small body that is in order.
const rightBody = `{"prompt_version":1,"current_file":{"file_name":"a.py","content_above_cursor":"x = ","content_below_cursor":""}}`

// dial opens a connection that ends with the test.
func dial(t *testing.T, s *gatewaytest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// send writes to a connection and reads one answer.
func send(t *testing.T, conn net.Conn, text string) (status int, header http.Header, body string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(b)
}

func post(length, rest string) string {
	return "POST " + completions + " HTTP/1.1\r\nHost: localhost\r\n" + length + "\r\n\r\n" + rest
}

func TestBodies(t *testing.T) {
	o := open
	o.MaxBodyBytes, o.MaxHeaderBytes, o.ReadTimeout = 1000, 2000, time.Second
	s := gatewaytest.Start(t, o)
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"1"}}))
	right := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(rightBody), rightBody)
	for _, test := range []struct {
		name, request string
		status        int
		text          string // part of the body
	}{
		{"right", post(fmt.Sprintf("Content-Length: %d", len(rightBody)), rightBody), 200, `"text":"1"`},
		{"chunked", post("Transfer-Encoding: chunked", right), 200, `"text":"1"`},
		{"chunked, in pieces", post("Transfer-Encoding: chunked", "1\r\n{\r\n"+fmt.Sprintf("%x;ext=1\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n", len(rightBody)-1, rightBody[1:])), 200, `"text":"1"`},
		{"chunked, malformed", post("Transfer-Encoding: chunked", "xyz\r\n"), 400, `{"detail":"There was an error parsing the body"}`},
		{"none", post("Content-Length: 0", ""), 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`},
		{"at the limit", post("Content-Length: 1000", strings.Repeat(" ", 1000)), 422, `["body",1000]`},
		{"declared over the limit", post("Content-Length: 1001", ""), 413, `{"detail":"Request body is larger than 1000 bytes"}`},
		{"declared far over the limit", post("Content-Length: 9223372036854775807", strings.Repeat("x", 5000)), 413, `{"detail":"Request body is larger than 1000 bytes"}`},
		{"chunked over the limit", post("Transfer-Encoding: chunked", "3e9\r\n"+strings.Repeat(" ", 1001)+"\r\n0\r\n\r\n"), 413, `{"detail":"Request body is larger than 1000 bytes"}`},
		{"slow", post("Content-Length: 500", rightBody), 408, `{"detail":"Request body did not arrive in time"}`},
		{"slow, chunked", post("Transfer-Encoding: chunked", "5\r\n{"), 408, `{"detail":"Request body did not arrive in time"}`},
		{"headers over the limit", post("X-Long: "+strings.Repeat("x", 2000)+"\r\nContent-Length: 0", ""), 431, `{"detail":"Request headers are larger than 2000 bytes"}`},
		{"many headers", post(strings.Repeat("X: y\r\n", 400)+"Content-Length: 0", ""), 431, `{"detail":"Request headers are larger than 2000 bytes"}`},
		{"long path", "GET /" + strings.Repeat("x", 2000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431, `"detail"`},
		{"HTTP/1.0", "GET /monitoring/healthz HTTP/1.0\r\n\r\n", 200, "{}"},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, `{"detail":"Not Found"}`},
		{"CONNECT", "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n", 404, `{"detail":"Not Found"}`},
		{"absolute URL", "GET http://localhost/monitoring/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "{}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, header, body := send(t, dial(t, s), test.request)
			if status != test.status || !strings.Contains(body, test.text) {
				t.Errorf("%d %s, want %d %s", status, body, test.status, test.text)
			}
			if header.Get("X-Request-ID") == "" || header.Get("X-Process-Time") == "" || header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", header)
			}
			if status >= 400 {
				isErrorBody(t, body)
			}
		})
	}
}

func TestHeadersFarOverTheLimit(t *testing.T) {
	o := open
	o.MaxHeaderBytes = 2000
	s := gatewaytest.Start(t, o)
	conn := dial(t, s)
	go func() { _, _ = io.WriteString(conn, post("X-Long: "+strings.Repeat("x", 1<<20), "")) }() // the server stops reading
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", response.StatusCode)
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	o := open
	o.ReadHeaderTimeout = 100 * time.Millisecond
	s := gatewaytest.Start(t, o)
	conn := dial(t, s)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost:"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil {
		t.Errorf("the connection is not closed: %v (%q)", err, b)
	}
}

// The time for the request to arrive must not end a generation that takes longer.
func TestReadTimeoutDoesNotEndAGeneration(t *testing.T) {
	o := open
	o.ReadTimeout = 500 * time.Millisecond
	s := gatewaytest.Start(t, o)
	slow := &gatewaytest.Generator{Pieces: []string{"late"}, Wait: wait(800 * time.Millisecond)}
	s.Ready(gatewaytest.Model(slow))
	for range 2 { // on one connection
		if got := s.Do("POST", completions, rightBody); got.StatusCode != 200 || !strings.Contains(got.Text, `"text":"late"`) {
			t.Errorf("%d %s", got.StatusCode, got.Text)
		}
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	o := open
	o.MaxConnections = 1
	s := gatewaytest.Start(t, o)
	first := dial(t, s)
	if status, _, _ := send(t, first, "GET /monitoring/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 200 {
		t.Fatalf("status %d", status)
	}
	second := dial(t, s) // waits in the backlog
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.WriteString(second, "GET /monitoring/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, _ = bufio.NewReader(second).ReadByte()
	}()
	select {
	case <-answered:
		t.Error("a second connection was served")
	case <-time.After(100 * time.Millisecond):
	}
	_ = first.Close()
	select {
	case <-answered:
	case <-time.After(time.Minute):
		t.Error("the second connection is not served when the first has ended")
	}
}
