package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"aigw/gateway"
	"aigw/gateway/gatewaytest"
)

// A client that reads only when it has sent everything learns why it was refused.
func TestBodiesThatNobodyReads(t *testing.T) {
	for name, test := range map[string]struct {
		options gateway.Options
		length  string
		chunked bool
		status  int
	}{
		"declared too large":    {open, "Content-Length: 33554432", false, http.StatusRequestEntityTooLarge},
		"too large":             {open, "Transfer-Encoding: chunked", true, http.StatusRequestEntityTooLarge},
		"of a stranger":         {gateway.Options{}, "Content-Length: 33554432", false, http.StatusUnauthorized},
		"of a stranger, chunks": {gateway.Options{}, "Transfer-Encoding: chunked", true, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, gatewaytest.Start(t, test.options))
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, post(test.length, "")); err != nil {
				t.Fatal(err)
			}
			piece := bytes.Repeat([]byte{' '}, 1<<20) // 32 of them are more than the network holds
			for i := range 32 {
				if test.chunked {
					_, _ = fmt.Fprintf(conn, "%x\r\n", len(piece))
				}
				if _, err := conn.Write(piece); err != nil {
					t.Fatalf("after %d MiB: %v", i, err)
				}
				if test.chunked {
					_, _ = io.WriteString(conn, "\r\n")
				}
			}
			if test.chunked {
				_, _ = io.WriteString(conn, "0\r\n\r\n")
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.status {
				t.Errorf("%d %s (%v), want %d", response.StatusCode, text, err, test.status)
			}
		})
	}
}
