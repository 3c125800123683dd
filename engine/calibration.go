package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aigw/engine/llama"
)

// Calibration says which settings were chosen by measuring, and against which.
type Calibration struct {
	Chosen  setting   `json:"chosen"`
	Results []result  `json:"results"`
	Machine string    `json:"machine"`
	Build   string    `json:"build"`
	When    time.Time `json:"when"`

	file string
}

// Measured reports whether the machine had time to measure anything; otherwise the defaults are taken.
func (c *Calibration) Measured() bool {
	return len(c.Results) > 0 && c.Results[0].Failed != errSlow.Error()
}

// String is one line for people.
func (c *Calibration) String() string {
	if c == nil {
		return "not measured"
	}
	var parts []string
	for _, r := range c.Results {
		said := fmt.Sprintf("%s: %s a suggestion", r.setting, r.Suggestion.Round(time.Millisecond))
		if r.Failed != "" {
			said = fmt.Sprintf("%s: %s", r.setting, r.Failed)
		}
		parts = append(parts, said)
	}
	return strings.Join(parts, "; ")
}

// calibrateOnce returns what is known of this model, machine, build and choice of settings, or
// measures it and keeps it in folder. Nothing is measured where nothing is left open.
func (o Options) calibrateOnce(ctx context.Context, m *llama.Model, base llama.ContextOptions, log *slog.Logger) (*Calibration, error) {
	open := o.open(base)
	if o.CalibrationDir == "" || len(open) < 2 || m.IsRecurrent() || m.IsHybrid() {
		return nil, nil
	}
	c := &Calibration{Machine: machineName(), Build: llama.Info().LlamaVersion}
	c.file = filepath.Join(o.CalibrationDir, "calibration-"+calibrationKey(o.Model, m, base, open, c)+".json")
	if known := readCalibration(c.file, open); known != nil {
		return known, nil
	}
	log.Info("measuring which settings are fastest on this machine, once", "settings", len(open), "file", c.file)
	began := time.Now()
	var err error
	if c.Chosen, c.Results, err = calibrate(ctx, m, base, open, cmp.Or(o.calibrationTime, calibrationTime)); err != nil {
		return nil, err
	}
	c.When = time.Now().UTC().Truncate(time.Second)
	if !c.Measured() {
		log.Info("this machine was too slow or too busy to measure anything; defaults are taken, and the next start tries again", "seconds", time.Since(began).Round(time.Second).Seconds())
		return c, nil
	}
	if err := c.write(); err != nil {
		log.Warn("what was measured is not kept, and will be measured again at the next start; see that the folder can be written", "error", err)
	}
	return c, nil
}

// machineName names the processors.
func machineName() string {
	var names []string
	for _, d := range llama.Info().Devices {
		names = append(names, d.Description)
	}
	return strings.Join(names, ", ")
}

// calibrationKey stands for everything that the result depends on.
func calibrationKey(path string, m *llama.Model, base llama.ContextOptions, open []setting, c *Calibration) string {
	h := sha256.New()
	fmt.Fprintln(h, 1, filepath.Base(path), m.Description(), m.SizeBytes(), m.Parameters(), c.Machine, c.Build, llama.Info().CPUFeatures,
		base.Context, base.MaxSeqs, base.TypeV, base.OffloadKV, open)
	if s, err := os.Stat(path); err == nil {
		fmt.Fprintln(h, s.Size(), s.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// readCalibration returns what a file says, or nil if it does not say anything that is possible.
func readCalibration(file string, open []setting) *Calibration {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	c := &Calibration{file: file}
	if json.Unmarshal(data, c) != nil {
		return nil
	}
	for _, s := range open {
		if s == c.Chosen {
			return c
		}
	}
	return nil
}

// write keeps c. The file is whole or not there.
func (c *Calibration) write() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(c.file), ".calibration-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), c.file)
}
