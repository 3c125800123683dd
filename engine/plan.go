package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"aigw/engine/llama"
)

// Plan is what a loaded model costs and how it runs.
type Plan struct {
	Model          string // architecture, size and number format
	Device         string // what computes
	Threads        int
	Context        int // cells shared by all requests
	Limit          int // tokens of one request
	Parallel       int
	Queue          int
	FlashAttention string
	CacheTypeK     string
	CacheTypeV     string
	Reuse          bool   // prompts start from what is in the cache
	NoReuse        string // why not
	KVSharing      Sharing
	ParkBytes      uint64       // main memory for prefixes that nobody uses at the moment
	Calibration    *Calibration // how the settings were found that were left open; nil: not measured
	// Bytes by use, over all devices: as llama.cpp counts them, without output rows and vocabulary.
	WeightBytes, CacheBytes, ComputeBytes uint64
}

// Plan describes the loaded model.
func (e *Engine) Plan() Plan { return e.plan }

// describe fills in the plan. It runs on the loop's thread, before the loop.
func (e *Engine) describe(c *llama.Context) error {
	o := e.set.context
	e.plan = Plan{
		Calibration: e.plan.Calibration,
		Model:       e.model.Description(), Threads: c.Threads(), Context: c.ContextSize(), Limit: e.set.limit,
		Parallel: e.set.sched.Rows, Queue: e.set.sched.Queue, Reuse: e.set.sched.Reuse, NoReuse: e.set.noReuse, KVSharing: e.set.sharing,
		FlashAttention: o.FlashAttention.String(), CacheTypeK: o.TypeK.String(), CacheTypeV: o.TypeV.String(),
	}
	uses, err := c.MemoryBytes()
	if err != nil {
		return fmt.Errorf("count memory: %w", err)
	}
	gpu := map[string]string{} // device -> what people call it
	for _, d := range llama.Info().Devices {
		if d.Type == llama.DeviceGPU || d.Type == llama.DeviceIntegratedGPU {
			gpu[d.Name] = d.Name + " (" + d.Description + ")"
		}
	}
	var devices []string
	for _, u := range uses {
		e.plan.WeightBytes += u.Model
		e.plan.CacheBytes += u.Context
		e.plan.ComputeBytes += u.Compute
		if name := gpu[u.Device]; name != "" && !u.Host && u.Model > 0 {
			devices = append(devices, name)
		}
	}
	slices.Sort(devices)
	e.plan.Device = cmp.Or(strings.Join(slices.Compact(devices), ", "), "CPU")
	return nil
}
