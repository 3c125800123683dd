package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"aigw/engine"

	"github.com/urfave/cli/v2"
)

// planFlags are the settings of run that decide about memory.
func planFlags() []cli.Flag {
	keep := map[string]bool{"ctx": true, "gpu-layers": true, "flash-attn": true, "cache-type-k": true, "cache-type-v": true, "backend-dir": true, "family": true}
	var out []cli.Flag
	for _, f := range modelFlags() {
		if keep[f.Names()[0]] {
			out = append(out, f)
		}
	}
	return append(out, &cli.IntFlag{Name: "parallel", Value: engine.DefaultParallel, Usage: "most requests that the model works on at once", EnvVars: []string{"AIGW_PARALLEL"}})
}

// planned is what the child says.
type planned struct {
	Plan   *engine.MemoryPlan
	Advice string // what would fit; empty: it fits
}

// planTime bounds the planning of one file: reading its vocabulary, a few times.
const planTime = time.Minute

// planInChild plans the memory of a file that nobody has loaded yet, in a process of its own: what
// is wrong with it can make llama.cpp end the process.
func planInChild(c *cli.Context, m *modelFile) (*planned, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	args := []string{"models", "plan"}
	for _, f := range planFlags() {
		name := f.Names()[0]
		if name != "family" {
			args = append(args, fmt.Sprintf("--%s=%v", name, c.Value(name)))
		}
	}
	ctx, cancel := context.WithTimeout(c.Context, planTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, "--family", familyText(m.said), m.path)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: its memory cannot be planned: %s", m.path, lastWords(said.String()))
	}
	p := &planned{}
	if err := json.Unmarshal(out.Bytes(), p); err != nil {
		return nil, fmt.Errorf("%s: read its memory plan: %w", m.path, err)
	}
	return p, nil
}

// planCommand is the child of inspect. It is not for people.
func planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Hidden: true, ArgsUsage: "FILE",
		Usage:        "print the memory plan of a file as one JSON object",
		Description:  "Examples:\n  aigw models plan codestral.gguf",
		Flags:        planFlags(),
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("one FILE is expected")
			}
			if err := checkModelFlags(c); err != nil {
				return err
			}
			said, err := familyOf(c, c.Args().First())
			if err != nil {
				return err
			}
			m, err := recognise(c.Args().First(), said)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelError}))
			if _, err := engine.About(); err != nil { // finds the GPUs
				return err
			}
			o := m.options(c, log)
			o.Parallel = c.Int("parallel")
			p, err := placeModel(log, &o, map[string]uint64{})
			if err != nil {
				return err
			}
			out := planned{Plan: p}
			available, err := engine.Available()
			if err != nil {
				return err
			}
			if p.Needed() > available.Bytes {
				fit, err := engine.FindFit(o, available.Bytes)
				if err != nil {
					return err
				}
				out.Advice = adviceFor(fit, p)
			}
			return json.NewEncoder(c.App.Writer).Encode(out)
		},
	}
}

// memoryJSON is the plan in `aigw models inspect --json`, in bytes.
type memoryJSON struct {
	Settings   string    `json:"settings"`
	Weights    uint64    `json:"weights"`
	Repacked   uint64    `json:"repacked"`
	Cache      uint64    `json:"kv_cache"`
	Compute    uint64    `json:"compute"`
	Outputs    uint64    `json:"outputs"`
	Vocabulary uint64    `json:"vocabulary"`
	Total      uint64    `json:"total"`
	Needed     uint64    `json:"needed"` // without pages of the file that may go
	Available  uint64    `json:"available"`
	Advice     string    `json:"advice,omitempty"` // what would fit, if this does not
	GPULayers  int       `json:"gpu_layers"`
	Layers     int       `json:"layers"`
	GPUs       []gpuJSON `json:"gpus,omitempty"`
}

type gpuJSON struct {
	Name    string `json:"name"`
	Weights uint64 `json:"weights"`
	Cache   uint64 `json:"kv_cache"`
	Compute uint64 `json:"compute"`
	Total   uint64 `json:"total"`
	Free    uint64 `json:"free"`
}

func newMemoryJSON(said *planned) *memoryJSON {
	p := said.Plan
	m := &memoryJSON{
		Advice:   said.Advice,
		Settings: p.Settings, Weights: p.Weights, Repacked: p.Repacked, Cache: p.Cache, Compute: p.Compute, Outputs: p.Outputs,
		Vocabulary: p.Vocabulary, Total: p.Total(), Needed: p.Needed(), GPULayers: p.GPULayers, Layers: p.Layers,
	}
	if available, err := engine.Available(); err == nil {
		m.Available = available.Bytes
	}
	for _, g := range p.GPUs {
		m.GPUs = append(m.GPUs, gpuJSON{g.Name, g.Weights, g.Cache, g.Compute, g.Total(), g.Free})
	}
	return m
}

// printPlan prints the plan below an inspection, and what to do if it does not fit.
func printPlan(c *cli.Context, m *modelFile, said *planned) error {
	p := said.Plan
	if _, err := fmt.Fprintf(c.App.Writer, "\nwith %s\n", p.Settings); err != nil {
		return err
	}
	err := printMemory(c.App.Writer, []string{m.name}, []*engine.MemoryPlan{p})
	if err != nil || said.Advice == "" {
		return err
	}
	return printLine(c.App.Writer, "it does not fit: %s", said.Advice)
}
