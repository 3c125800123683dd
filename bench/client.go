package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// requestLimit bounds one request. The slowest measured case, 8 prompts read and answered by a 22B
// model on a few cores, stays below it.
const requestLimit = 10 * time.Minute

// client speaks HTTP to one peer. Every request has a connection of its own on both sides, as
// GitLab's Rails makes them; connecting on the loopback interface takes some 50 microseconds.
// It may be used concurrently.
type client struct {
	peer string // for errors
	base string // URL without a path
	http *http.Client
}

func newClient(peer, base string) *client {
	return &client{peer: peer, base: base, http: &http.Client{
		Timeout: requestLimit,
		Transport: &http.Transport{
			Proxy:              nil, // HTTP_PROXY is not for the loopback interface
			DisableKeepAlives:  true,
			DisableCompression: true,
		},
	}}
}

// exchange is what happened to one request.
type exchange struct {
	began, ended time.Time
	pieces       []piece
}

// post sends a JSON body and reads the answer, whose status has to be 200.
func (c *client) post(ctx context.Context, path string, body any) (exchange, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return exchange{}, fmt.Errorf("encode a request for %s: %w", c.peer, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(encoded))
	if err != nil {
		return exchange{}, fmt.Errorf("prepare a request for %s: %w", c.peer, err)
	}
	request.Header.Set("Content-Type", "application/json")
	e := exchange{began: time.Now()}
	response, err := c.http.Do(request)
	if err != nil {
		return e, fmt.Errorf("ask %s: %w", c.peer, err)
	}
	defer response.Body.Close()
	e.pieces, err = readPieces(response.Body, time.Now)
	e.ended = time.Now()
	switch {
	case response.StatusCode != http.StatusOK:
		return e, fmt.Errorf("%s answered %s: %s", c.peer, response.Status, excerpt(joined(e.pieces)))
	case err != nil:
		return e, fmt.Errorf("read from %s: %w", c.peer, err)
	}
	return e, nil
}

// postJSON sends a JSON body and decodes a JSON answer into target.
func (c *client) postJSON(ctx context.Context, path string, body, target any) (exchange, error) {
	e, err := c.post(ctx, path, body)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(joined(e.pieces), target); err != nil {
		return e, fmt.Errorf("%s sent something that is not the JSON expected: %w: %s", c.peer, err, excerpt(joined(e.pieces)))
	}
	return e, nil
}

// status asks for a path and returns the HTTP status.
func (c *client) status(ctx context.Context, path string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, err
}

const (
	// startLimit bounds the loading of a model; 13 GB from a slow disk take 2 minutes.
	startLimit = 5 * time.Minute
	// askAgain is the time between two questions whether a peer is ready.
	askAgain = 50 * time.Millisecond
)

// waitReady waits until path answers 200, and fails as soon as the peer's process has ended.
func (c *client) waitReady(ctx context.Context, p *process, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("%s was not ready after %s", c.peer, startLimit))
	defer cancel()
	for {
		if status, err := c.status(ctx, path); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-p.done:
			return p.explain(errors.New("it ended before it was ready"))
		case <-ctx.Done():
			return p.explain(context.Cause(ctx))
		case <-time.After(askAgain):
		}
	}
}

// excerpt is the beginning of a body, fit for an error message.
func excerpt(body []byte) string {
	const limit = 300 // bytes
	text := strings.Join(strings.Fields(string(bytes.ToValidUTF8(body, []byte("?")))), " ")
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}
