package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows how far a long operation is: a bar that redraws itself on a terminal, and
// a log line every ten percent elsewhere. It may be updated from any goroutine.
type progress struct {
	out   io.Writer
	log   *slog.Logger
	what  string
	began time.Time
	tty   bool

	mu   sync.Mutex
	last int // percent shown last
}

func newProgress(out io.Writer, log *slog.Logger, what string) *progress {
	return &progress{out: out, log: log, what: what, began: time.Now(), tty: isTerminal(out), last: -1}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// set reports a fraction from 0 to 1.
func (p *progress) set(done float32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	percent := int(min(max(done, 0), 1) * 100)
	if percent == p.last {
		return
	}
	if p.tty {
		const width = 30
		full := percent * width / 100
		fmt.Fprintf(p.out, "\r%s [%s%s] %3d%%", p.what, strings.Repeat("#", full), strings.Repeat(".", width-full), percent)
		if percent == 100 {
			fmt.Fprintf(p.out, " in %s\n", time.Since(p.began).Round(10*time.Millisecond))
		}
	} else if percent/10 > p.last/10 || p.last < 0 {
		p.log.Info(p.what, "percent", percent, "seconds", time.Since(p.began).Seconds())
	}
	p.last = percent
}

// seconds since the operation began.
func (p *progress) seconds() float64 { return time.Since(p.began).Seconds() }
