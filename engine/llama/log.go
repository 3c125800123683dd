package llama

// #include "shim.h"
import "C"

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// Levels of enum ggml_log_level.
const (
	logDebug    = 1
	logInfo     = 2
	logWarn     = 3
	logError    = 4
	logContinue = 5 // goes on with the line of the call before
)

// LevelTrace is below slog's debug level and carries what llama.cpp calls debug.
const LevelTrace = slog.LevelDebug - 4

// slogLevel maps llama.cpp's levels. What it calls information is dozens of lines for each model
// and context, about itself: that is a debug matter for who runs this program.
func slogLevel(level int) slog.Level {
	switch level {
	case logError:
		return slog.LevelError
	case logWarn:
		return slog.LevelWarn
	case logInfo:
		return slog.LevelDebug
	}
	return LevelTrace
}

// lines joins the pieces that llama.cpp logs into lines and drops repetitions. It may be used
// concurrently; pieces of one line that two threads log at the same time may mix.
type lines struct {
	logger atomic.Pointer[slog.Logger]

	mu        sync.Mutex
	level     int // of the line being collected
	partial   strings.Builder
	last      string
	lastLevel int
	repeats   int // how often last came again
}

var logLines lines

// SetLogger sends llama.cpp's log to l from now on; nil discards it. Its errors and warnings keep
// their level, its information becomes debug, its debugging LevelTrace. The handler of l must not
// call this package.
func SetLogger(l *slog.Logger) {
	logLines.mu.Lock()
	defer logLines.mu.Unlock()
	logLines.flush()
	logLines.logger.Store(l)
}

// add takes what llama.cpp gave to its log callback.
func (g *lines) add(level int, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if level != logContinue {
		g.endLine()
		g.level = level
	}
	for {
		line, rest, ended := strings.Cut(text, "\n")
		g.partial.WriteString(line)
		if !ended {
			return
		}
		g.endLine()
		text = rest
	}
}

// endLine logs the line that has been collected, unless it is empty or repeats the one before.
func (g *lines) endLine() {
	line := strings.TrimRight(g.partial.String(), " \t\r\n")
	g.partial.Reset()
	if line == "" {
		return
	}
	if line == g.last && g.level == g.lastLevel {
		g.repeats++
		// An endless repetition shows at each power of ten.
		if powerOfTen(g.repeats) {
			g.logLast(slog.Int("repeated", g.repeats))
		}
		return
	}
	g.endRepeats()
	g.last, g.lastLevel = line, g.level
	g.logLast()
}

// endRepeats tells how often the last line was repeated, if that was not said yet.
func (g *lines) endRepeats() {
	if g.repeats > 0 && !powerOfTen(g.repeats) {
		g.logLast(slog.Int("repeated", g.repeats))
	}
	g.repeats = 0
}

// flush logs what is still held back.
func (g *lines) flush() {
	g.endLine()
	g.endRepeats()
	g.last = ""
}

func (g *lines) logLast(attrs ...slog.Attr) {
	if l := g.logger.Load(); l != nil {
		l.LogAttrs(context.Background(), slogLevel(g.lastLevel), g.last, append(attrs, slog.String("from", "llama.cpp"))...)
	}
}

func powerOfTen(n int) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// aigwGoLog is llama.cpp's log callback. A panic in a handler must not unwind through C++.
//
//export aigwGoLog
func aigwGoLog(level C.int, text *C.char) {
	defer func() { _ = recover() }()
	if l := logLines.logger.Load(); l == nil {
		return
	}
	logLines.add(int(level), C.GoString(text))
}
