package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestProgressTellsRateAndTimeLeft(t *testing.T) {
	for _, test := range []struct {
		bytes   int64
		done    float64
		elapsed time.Duration
		want    string
	}{
		{0, 0, 0, "reading [..............................]   0%"},
		{1e9, 0.5, 500 * time.Millisecond, "reading [###############...............]  50%"},
		{1e9, 0.001, time.Minute, "reading [..............................]   0%"},
		{1e9, 0.25, 10 * time.Second, "reading [#######.......................]  25% 25.0 MB/s, 30s left"},
		{0, 0.25, 100 * time.Second, "reading [#######.......................]  25% 5m0s left"},
		{1e9, 1, 4 * time.Second, "reading [##############################] 100% in 4s, 250.0 MB/s"},
		{0, 1, 1234 * time.Millisecond, "reading [##############################] 100% in 1.23s"},
	} {
		got := newProgress(io.Discard, nil, "reading").of(test.bytes).line(test.done, test.elapsed)
		if got != test.want || len(got) > 80 {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// A shorter line leaves nothing of a longer one, and what is no terminal gets eleven lines at most.
func TestProgressIsDrawnAndLogged(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, nil, "reading")
	p.tty = true
	p.draw(0.25, 100*time.Second)
	p.draw(0.26, time.Millisecond)
	p.draw(1, time.Second)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\r")[1:]
	if len(lines) != 3 || len(lines[1]) != len(lines[0]) || !strings.HasSuffix(strings.TrimRight(lines[1], " "), "26%") || !strings.HasSuffix(lines[2], "in 1s") {
		t.Errorf("%q", lines)
	}
	out.Reset()
	p = newProgress(io.Discard, slog.New(slog.NewTextHandler(&out, nil)), "reading")
	for i := range 1001 {
		p.set(float32(i) / 1000)
	}
	if n := strings.Count(out.String(), "msg=reading"); n != 11 || !strings.Contains(out.String(), "percent=100") {
		t.Errorf("%d lines: %s", n, out.String())
	}
}
