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

// progress shows how far a long operation is, how fast it goes and for how long still: a bar that redraws itself on a
// terminal, and a log line every ten percent elsewhere. It may be updated from any goroutine.
type progress struct {
	out   io.Writer
	log   *slog.Logger
	what  string
	began time.Time
	tty   bool

	mu    sync.Mutex
	bytes float64 // of all; 0: it is not measured in bytes
	last  int     // percent shown last
	drawn time.Time
	width int // of the line that is drawn
}

func newProgress(out io.Writer, log *slog.Logger, what string) *progress {
	return &progress{out: out, log: log, what: what, began: time.Now(), tty: isTerminal(out), last: -1}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// of says how many bytes the whole has.
func (p *progress) of(bytes int64) *progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes = float64(bytes)
	return p
}

// redrawn is how often a line is drawn at least, as the time that is left changes, too.
const redrawn = 500 * time.Millisecond

// set reports a fraction from 0 to 1.
func (p *progress) set(done float32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done = min(max(done, 0), 1)
	percent := int(done * 100)
	now := time.Now()
	if percent == p.last && (!p.tty || percent == 100 || now.Sub(p.drawn) < redrawn) {
		return
	}
	if p.tty {
		p.drawn = now
		p.draw(float64(done), now.Sub(p.began))
	} else if percent/10 > p.last/10 || p.last < 0 {
		p.log.Info(p.what, "percent", percent, "seconds", now.Sub(p.began).Seconds())
	}
	p.last = percent
}

// draw writes the line again, over what was there.
func (p *progress) draw(done float64, elapsed time.Duration) {
	line := p.line(done, elapsed)
	fmt.Fprintf(p.out, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-len(line))))
	if p.width = len(line); done == 1 {
		fmt.Fprintln(p.out)
	}
}

// line is the bar, and behind it rate and time left once they can be told, or how long the whole took.
func (p *progress) line(done float64, elapsed time.Duration) string {
	const width = 30
	full := int(done * width)
	text := fmt.Sprintf("%s [%s%s] %3d%%", p.what, strings.Repeat("#", full), strings.Repeat(".", width-full), int(done*100))
	rate := ""
	if p.bytes > 0 && elapsed > 0 {
		rate = humanBytes(int64(p.bytes*done/elapsed.Seconds())) + "/s"
	}
	switch {
	case done == 1 && rate != "":
		return fmt.Sprintf("%s in %s, %s", text, elapsed.Round(10*time.Millisecond), rate)
	case done == 1:
		return fmt.Sprintf("%s in %s", text, elapsed.Round(10*time.Millisecond))
	case done < 0.01 || elapsed < time.Second:
		return text
	}
	left := time.Duration(float64(elapsed) * (1 - done) / done).Round(time.Second)
	if rate != "" {
		rate += ", "
	}
	return fmt.Sprintf("%s %s%s left", text, rate, left)
}

// seconds since the operation began.
func (p *progress) seconds() float64 { return time.Since(p.began).Seconds() }
