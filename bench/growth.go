package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
)

// growth shows what more people and longer prompts cost, on both sides: tokens a second, time to the first text, memory.

// grown is one point of one side.
type grown struct {
	speed, first, mib float64 // output tokens/s of all together; seconds, median; Private_Dirty
	failed            error   // that a side could not do it
}

const (
	growthPrompt = 64 // tokens, of each of many people
	growthAnswer = 32
	growthLong   = 8 // tokens of an answer to a long prompt
)

// point is a number of people, or a length of a prompt.
type point struct {
	label                  string
	people, prompt, answer int
}

func (b *benchmark) compareGrowth(ctx context.Context, r *rivals) error {
	var points []point
	for _, n := range b.growthPeople {
		points = append(points, point{fmt.Sprintf("%d people", n), n, growthPrompt, growthAnswer})
	}
	for _, n := range b.growthPrompts {
		points = append(points, point{fmt.Sprintf("1 prompt of %d", n), 1, n, growthLong})
	}
	peers := r.peers()
	var ours, theirs []grown
	var notes strings.Builder
	for i, at := range points {
		b.say("growth: " + at.label)
		one := grow(ctx, r, peers.theirs, at, growthPrompts+i*1000)
		two := grow(ctx, r, peers.ours, at, growthPrompts+i*1000)
		for _, g := range []grown{one, two} {
			if g.failed == nil {
				continue
			}
			if ctx.Err() != nil {
				return fmt.Errorf("growth: %s: %w", at.label, g.failed)
			}
			fmt.Fprintf(&notes, "NOT MEASURED: %s: %s\n", at.label, excerpt([]byte(g.failed.Error())))
			b.unmeasured = append(b.unmeasured, "growth, "+at.label)
		}
		theirs, ours = append(theirs, one), append(ours, two)
	}
	text := growthText(points, ours, theirs)
	if b.design != "" {
		if err := replaceGrowth(b.design, text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(b.out, "\ngrowth: aigw (ours) and llama-server (theirs), once each; people with %d + %d tokens each, long prompts with %d\n\n%s%s",
		growthPrompt, growthAnswer, growthLong, text, notes.String())
	return err
}

func grow(ctx context.Context, r *rivals, p *peer, at point, number int) grown {
	var prompts []string
	for i := range at.people {
		prompt, err := r.prompt(ctx, number+i, at.prompt)
		if err != nil {
			return grown{failed: err}
		}
		prompts = append(prompts, prompt)
	}
	answers, whole, err := p.all(ctx, prompts, at.answer)
	if err != nil {
		return grown{failed: err}
	}
	bytes, err := privateDirty(p.process.cmd.Process.Pid)
	return grown{float64(at.people*at.answer) / whole.Seconds(), firsts(answers).median(), float64(bytes) / (1 << 20), err}
}

// text is a number, or that there is none.
func (g grown) text(format string, v float64) string {
	if g.failed != nil {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// growthText is a table, and a plot of the times to the first text, on a logarithmic scale.
func growthText(points []point, ours, theirs []grown) string {
	var b strings.Builder
	b.WriteString("| | tokens/s: ours / theirs | first text, s: ours / theirs | Private_Dirty, MiB: ours / theirs |\n|---|---|---|---|\n")
	least, most := math.Inf(1), 0.0
	for i, at := range points {
		o, t := ours[i], theirs[i]
		fmt.Fprintf(&b, "| %s | %s / %s | %s / %s | %s / %s |\n", at.label, o.text("%.1f", o.speed), t.text("%.1f", t.speed),
			o.text("%.2f", o.first), t.text("%.2f", t.first), o.text("%.0f", o.mib), t.text("%.0f", t.mib))
		for _, g := range []grown{o, t} {
			if g.failed == nil {
				least, most = min(least, g.first), max(most, g.first)
			}
		}
	}
	b.WriteString("\n```\ntime to the first text, logarithmic: o ours, x theirs\n")
	const width = 60
	column := func(v float64) int {
		if most <= least {
			return 0
		}
		return int(math.Round(math.Log(v/least) / math.Log(most/least) * (width - 1)))
	}
	for i, at := range points {
		row := []rune(strings.Repeat(" ", width))
		if theirs[i].failed == nil {
			row[column(theirs[i].first)] = 'x'
		}
		if ours[i].failed == nil {
			row[column(ours[i].first)] = 'o'
		}
		fmt.Fprintf(&b, "%18s |%s\n", at.label, strings.TrimRight(string(row), " "))
	}
	fmt.Fprintf(&b, "%18s  %-*.2f%8.2f s\n```\n", "", width-8, least, most)
	return b.String()
}

// Between these lines of a page the table and the plot stand.
const growthBegin, growthEnd = "<!-- growth: go run ./bench -only growth -design FILE -->\n", "<!-- end of growth -->\n"

func replaceGrowth(path, text string) error {
	before, after, err := placeOfGrowth(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+growthBegin+text+growthEnd+after), 0o644)
}

// placeOfGrowth is what stands before and after it.
func placeOfGrowth(path string) (before, after string, err error) {
	page, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	before, rest, ok := strings.Cut(string(page), growthBegin)
	_, after, closed := strings.Cut(rest, growthEnd)
	if !ok || !closed {
		return "", "", fmt.Errorf("%s has no place for the growth: the lines %q and %q", path, strings.TrimSpace(growthBegin), strings.TrimSpace(growthEnd))
	}
	return before, after, nil
}
