package top

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Source gives a sample of now.
type Source func(context.Context) (Sample, error)

// Show redraws the screen until somebody types q or ctx ends. environment says what the terminal can do;
// NO_COLOR is honoured.
func Show(ctx context.Context, from Source, every time.Duration, url string, in io.Reader, out io.Writer, environment []string, more ...tea.ProgramOption) error {
	options := append([]tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(environment), tea.WithoutSignalHandler()}, more...)
	if _, err := tea.NewProgram(newScreen(ctx, from, every, url), options...).Run(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil // also where ctx ended: whoever ended it knows
}

// screen is what bubbletea draws.
type screen struct {
	ctx   context.Context
	from  Source
	every time.Duration
	url   string

	width   int
	last    Sample
	seen    bool // last is one
	rates   Rates
	ready   bool      // rates is one
	output  []float64 // tokens a second, of all models, the latest last
	failure error
}

func newScreen(ctx context.Context, from Source, every time.Duration, url string) screen {
	return screen{ctx: ctx, from: from, every: every, url: url, width: 80}
}

type sampled struct {
	sample Sample
	err    error
}

type due struct{}

// Init implements tea.Model.
func (s screen) Init() tea.Cmd { return s.ask }

func (s screen) ask() tea.Msg {
	sample, err := s.from(s.ctx)
	return sampled{sample, err}
}

// Update implements tea.Model.
func (s screen) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch m := message.(type) {
	case tea.WindowSizeMsg:
		s.width = m.Width
	case tea.KeyPressMsg:
		if k := m.String(); k == "q" || k == "esc" || k == "ctrl+c" {
			return s, tea.Quit
		}
	case due:
		return s, s.ask
	case sampled:
		s = s.take(m)
		return s, tea.Tick(s.every, func(time.Time) tea.Msg { return due{} })
	}
	return s, nil
}

// chart is how many columns of the past are shown.
const chart = 60

func (s screen) take(m sampled) screen {
	if s.failure = m.err; m.err != nil {
		s.seen, s.ready = false, false // what is old is not shown as if it were now
		return s
	}
	if s.seen {
		s.rates, s.ready = Between(s.last, m.sample), true
		all := 0.0
		for _, one := range s.rates.Models {
			all += one.Output
		}
		s.output = append(s.output, all)
		s.output = append([]float64(nil), s.output[max(0, len(s.output)-chart):]...)
	}
	s.last, s.seen = m.sample, true
	return s
}

// View implements tea.Model.
func (s screen) View() tea.View {
	v := tea.NewView(s.text())
	v.AltScreen = true
	return v
}

func (s screen) text() string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(ansi.Truncate(fmt.Sprintf(format, args...), max(1, s.width), "…") + "\n")
	}
	line("aigw %s   every %s, q ends", s.url, s.every)
	switch {
	case s.failure != nil:
		line("")
		line("%v", s.failure)
		return b.String()
	case !s.ready:
		line("")
		line("waiting for the second look")
		return b.String()
	}
	r := s.rates
	line("requests %.1f/s   refused %.1f/s   memory %s", r.Requests, r.Refused, size(r.Memory))
	if r.Bypassed {
		line("%s", "\x1b[31mauthentication is bypassed\x1b[m")
	}
	line("")
	line("\x1b[1m%-24s %7s %7s %9s %9s %6s %6s %7s %8s\x1b[m", "model", "running", "waiting", "tokens/s", "prompt/s", "reused", "busy", "cells", "first")
	for _, m := range r.Models {
		first := "-"
		if m.FirstToken > 0 {
			first = fmt.Sprintf("%.2f s", m.FirstToken)
		}
		line("%-24s %7.0f %7.0f %9.1f %9.1f %5.0f%% %5.0f%% %6.0f%% %8s", ansi.Truncate(m.Name, 24, "…"), m.Running, m.Waiting, m.Output, m.Prompt,
			100*m.Reused, 100*m.Busy, 100*share(m.Used, m.Cells), first)
	}
	if len(r.Models) == 0 {
		line("no model is loaded")
	}
	line("")
	line("tokens/s %s", bars(s.output))
	return b.String()
}

// bars draws numbers as blocks, the largest as a full one.
func bars(numbers []float64) string {
	most := 0.0
	for _, n := range numbers {
		most = max(most, n)
	}
	steps := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, n := range numbers {
		b.WriteRune(steps[min(len(steps)-1, int(share(n, most)*float64(len(steps))))])
	}
	if most > 0 {
		fmt.Fprintf(&b, " at most %.1f", most)
	}
	return b.String()
}
