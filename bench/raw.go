package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// rawReport is the file that -json writes: every sample, in the order of the repetitions, so that
// other statistics can be taken of the same run.
type rawReport struct {
	head
	Stolen  float64     `json:"stolen"` // share of the cores' time that the hypervisor gave to others during the run
	Figures []rawFigure `json:"figures"`
}

// rawFigure is a comparison with what was computed from it.
type rawFigure struct {
	Section string    `json:"section"`
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Better  string    `json:"better"`           // more or less
	Target  *float64  `json:"target,omitempty"` // of the ratio
	Ours    rawSeries `json:"ours"`
	Theirs  rawSeries `json:"theirs"`
	Ratio   float64   `json:"ratio"`           // ours/theirs, of medians
	Noise   *float64  `json:"noise,omitempty"` // A against A, absent with too few repetitions
	Verdict string    `json:"verdict,omitempty"`
	Notes   []string  `json:"notes,omitempty"` // of the whole section
}

type rawSeries struct {
	Peer    string  `json:"peer"`
	Samples samples `json:"samples"`
	Lower   float64 `json:"lower_quartile"`
	Median  float64 `json:"median"`
	Upper   float64 `json:"upper_quartile"`
}

func newRawSeries(peer string, s samples) rawSeries {
	return rawSeries{peer, s, s.quantile(0.25), s.median(), s.quantile(0.75)}
}

func rawFigures(s section) []rawFigure {
	var found []rawFigure
	for _, c := range s.comparisons {
		f := rawFigure{
			Section: s.title, Name: c.name, Unit: c.unit, Better: "more",
			Ours: newRawSeries(s.ours, c.ours), Theirs: newRawSeries(s.theirs, c.theirs),
			Ratio: c.ratio(), Verdict: c.verdict(), Notes: s.notes,
		}
		if c.better == less {
			f.Better = "less"
		}
		if c.target != 0 {
			f.Target = &c.target
		}
		if noise, known := c.noise(); known {
			f.Noise = &noise
		}
		found = append(found, f)
	}
	return found
}

func writeRaw(path string, r rawReport) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the raw numbers: %w", err)
	}
	return nil
}
