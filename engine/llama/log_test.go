package llama

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder keeps what was logged as "LEVEL message repeated=n".
type recorder struct {
	mu    sync.Mutex
	lines []string
	panic bool
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }
func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	if r.panic {
		panic("handler")
	}
	line := rec.Level.String() + " " + rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "repeated" {
			line += " repeated=" + a.Value.String()
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

// record sends llama.cpp's log to a recorder for the time of a test.
func record(t *testing.T) *recorder {
	r := new(recorder)
	SetLogger(slog.New(r))
	t.Cleanup(func() { SetLogger(slog.New(slog.DiscardHandler)) })
	return r
}

func (r *recorder) all() []string {
	SetLogger(slog.New(slog.DiscardHandler)) // flushes
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines
}

func TestLogLines(t *testing.T) {
	type piece struct {
		level int
		text  string
	}
	repeat := func(n int, p piece) []piece { return slices.Repeat([]piece{p}, n) }
	for _, test := range []struct {
		name   string
		pieces []piece
		want   []string
	}{
		{"levels", []piece{{logError, "e\n"}, {logWarn, "w\n"}, {logInfo, "i\n"}, {logDebug, "d\n"}},
			[]string{"ERROR e", "WARN w", "DEBUG i", "DEBUG-4 d"}},
		{"continued", []piece{{logInfo, "loading "}, {logContinue, ".."}, {logContinue, ". done\n"}},
			[]string{"DEBUG loading ... done"}},
		{"continued at the level of the start", []piece{{logError, "a "}, {logContinue, "b\n"}}, []string{"ERROR a b"}},
		{"another line ends an open one", []piece{{logInfo, "open"}, {logWarn, "next\n"}}, []string{"DEBUG open", "WARN next"}},
		{"several lines at once", []piece{{logWarn, "one\ntwo\n"}}, []string{"WARN one", "WARN two"}},
		{"empty lines are dropped", []piece{{logWarn, "\n"}, {logWarn, "  \n\n"}, {logWarn, "x\n"}}, []string{"WARN x"}},
		{"white space at the end is cut", []piece{{logWarn, "x \t\r\n"}}, []string{"WARN x"}},
		{"an open line comes out at the end", []piece{{logWarn, "open"}}, []string{"WARN open"}},
		{"repetitions are counted", append(repeat(5, piece{logWarn, "same\n"}), piece{logInfo, "other\n"}),
			[]string{"WARN same", "WARN same repeated=1", "WARN same repeated=4", "DEBUG other"}},
		{"many repetitions show at powers of ten", repeat(151, piece{logWarn, "same\n"}),
			[]string{"WARN same", "WARN same repeated=1", "WARN same repeated=10", "WARN same repeated=100", "WARN same repeated=150"}},
		{"equal text at another level is another line", []piece{{logWarn, "x\n"}, {logError, "x\n"}}, []string{"WARN x", "ERROR x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record(t)
			for _, p := range test.pieces {
				logThrough(p.level, p.text)
			}
			if got := r.all(); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestLogOfALoadHasNoLineTwiceInARow(t *testing.T) {
	r := record(t)
	m, err := LoadModel(copyHead(t, 0), ModelOptions{VocabOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	lines := r.all()
	if len(lines) < 20 {
		t.Fatalf("only %d lines came from llama.cpp", len(lines))
	}
	for i, line := range lines {
		if strings.ContainsAny(line, "\r\n") || i > 0 && line == lines[i-1] {
			t.Errorf("line %d: %q", i, line)
		}
	}
}

func TestLogHandlerThatPanicsIsNotFatal(t *testing.T) {
	r := record(t)
	r.panic = true
	logThrough(logWarn, "first\n")
	r.panic = false
	logThrough(logWarn, "second\n")
	if got, want := r.all(), []string{"WARN second"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLogFromManyGoroutines(t *testing.T) {
	r := record(t)
	var wg sync.WaitGroup
	const each = 50
	for g := range 4 {
		wg.Go(func() {
			for i := range each {
				logThrough(logWarn, fmt.Sprintf("%d-%d\n", g, i))
			}
		})
	}
	wg.Wait()
	if got := len(r.all()); got != 4*each {
		t.Errorf("%d lines of %d arrived", got, 4*each)
	}
}

// The process that aborts is this test binary, started again.
func TestLastWords(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "AIGW_TEST_ABORT=tensor went missing", "GOTRACEBACK=none")
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil {
		t.Fatal("the process survived an abort")
	}
	first, _, _ := strings.Cut(stderr.String(), "\n")
	if !strings.HasPrefix(first, "aigw: llama.cpp aborted: ") || !strings.HasSuffix(first, ": tensor went missing") {
		t.Errorf("last words: %q", first)
	}
}
