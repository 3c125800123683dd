package main

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// What a terminal is told at start fits into one of 80 columns, whatever models and devices are called.
const summaryColumns = 80

// summary says how a model runs.
func (l *loaded) summary() string {
	p := l.engine.Plan()
	var b strings.Builder
	say := func(head, format string, args ...any) {
		b.WriteString(folded(head, fmt.Sprintf(format, args...)))
	}
	b.WriteString("\n")
	say("", "%s", l.file.describe())
	say("  ", "%s on %s, %d threads, flash attention %s, KV cache %s/%s", p.Model, p.Device, p.Threads, p.FlashAttention, p.CacheTypeK, p.CacheTypeV)
	say("  ", "context %d tokens for everybody, %d for one", p.Context, p.Limit)
	say("  parked  ", "prompts that nobody uses, in up to %d MiB of main memory", p.ParkBytes>>20)
	say("  chosen  ", "%s", p.Calibration)
	say("  people  ", "%d at once, %d waiting, then 429", p.Parallel, p.Queue)
	return b.String()
}

// folded writes a text behind a head, and the lines that it is too long for below its beginning.
func folded(head, text string) string {
	indent := strings.Repeat(" ", max(2, len(head)))
	lines := strings.Split(ansi.Wrap(text, summaryColumns-len(indent), ""), "\n")
	return head + strings.Join(lines, "\n"+indent) + "\n"
}

// clipped shortens a name so that a table with it fits.
func clipped(name string, columns int) string { return ansi.Truncate(name, columns, "…") }
