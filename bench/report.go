package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// A report is printed while it grows: the head before anything is measured, each section as soon
// as it is complete. What is printed is what is kept in results/.

// head is what a reader needs to take the figures again.
type head struct {
	Date     string    `json:"date"` // RFC 3339
	Machine  machine   `json:"machine"`
	Settings settings  `json:"settings"`
	Versions []string  `json:"versions"`
	Commands []command `json:"commands"`
}

// command is how a peer is run, or what it is asked.
type command struct {
	Peer string `json:"peer"`
	Line string `json:"line"`
}

// section is a set of figures of the same two peers.
type section struct {
	title        string
	repetitions  int
	comparisons  []comparison
	notes        []string
	ours, theirs string // names of the peers
}

func printHead(w io.Writer, h head) error {
	m := h.Machine
	s := h.Settings
	lines := []string{
		"date      " + h.Date,
		fmt.Sprintf("machine   %s, %d cores, memory %s, %s", m.CPU, m.Cores, m.Memory, m.OS),
		fmt.Sprintf("load      %s; others used %.0f %% of the cores' time in the second before the start", m.Load, 100*m.Busy),
		fmt.Sprintf("settings  %d threads, polling %d, flash attention %s, K %s, V %s, batch %d, %d GPU layers; servers: %d cells, %d in parallel",
			s.Threads, s.Poll, s.FlashAttention, s.CacheTypeK, s.CacheTypeV, s.Batch, s.GPULayers, s.Context, s.Parallel),
		"sampling  greedy on all sides; no prompt is sent twice to the same peer",
	}
	for _, version := range h.Versions {
		lines = append(lines, "version   "+version)
	}
	for _, c := range h.Commands {
		lines = append(lines, fmt.Sprintf("%s\n    %s", c.Peer, c.Line))
	}
	if warning := m.warning(); warning != "" {
		lines = append(lines, "WARNING   "+warning)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func printSection(w io.Writer, s section) error {
	fmt.Fprintf(w, "\n%s: %s (ours) against %s (theirs), %s, medians [quartiles]\n",
		s.title, s.ours, s.theirs, plural(s.repetitions, "repetition"))
	if len(s.comparisons) == 0 {
		return printNotes(w, s.notes)
	}
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tunit\tours\ttheirs\tours/theirs\ttarget\tA against A\tverdict")
	for _, c := range s.comparisons {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.3f\t%s\t%s\t%s\n",
			c.name, c.unit, spread(c.ours), spread(c.theirs), c.ratio(), c.wanted(), c.noiseText(), c.verdict())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	return printNotes(w, s.notes)
}

func printNotes(w io.Writer, notes []string) error {
	for _, note := range notes {
		if _, err := fmt.Fprintln(w, "note: "+note); err != nil {
			return err
		}
	}
	return nil
}

// wanted is the target as one reads it.
func (c comparison) wanted() string {
	switch {
	case c.target == 0 && c.better == less:
		return "less is better"
	case c.target == 0:
		return "more is better"
	case c.better == less:
		return fmt.Sprintf("<= %.2f", c.target)
	}
	return fmt.Sprintf(">= %.2f", c.target)
}

func (c comparison) noiseText() string {
	noise, known := c.noise()
	if !known {
		return "unknown"
	}
	return fmt.Sprintf("%.1f %%", 100*noise)
}

// spread is median and quartiles.
func spread(s samples) string {
	return fmt.Sprintf("%s [%s, %s]", number(s.median()), number(s.quantile(0.25)), number(s.quantile(0.75)))
}

// number prints four digits, which is more than any figure here is good for.
func number(v float64) string {
	if math.Abs(v) >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSuffix(fmt.Sprintf("%#.4g", v), ".")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
