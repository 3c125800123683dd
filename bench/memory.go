package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"aigw/engine"
)

// besideTarget is the most that aigw may have in memory beside what it computes with, in MiB (issue 5).
const besideTarget = 60

// computesWith is how much private memory, in MiB, a server with these settings has for what it computes with: KV cache, repacked weights and
// compute buffers, by llama.cpp's own count, and the prompts that it may park.
func computesWith(set settings, wants needs) (float64, error) {
	plan, err := engine.PlanMemory(engine.Options{
		Model: set.Model, Context: max(set.Context, wants.context), Parallel: set.Parallel, Threads: set.Threads, Batch: set.Batch,
		Draft: -1, GPULayers: set.GPULayers, FlashAttention: set.FlashAttention, CacheTypeK: set.CacheTypeK, CacheTypeV: set.CacheTypeV,
	})
	if err != nil {
		return 0, fmt.Errorf("plan the memory: %w", err)
	}
	return float64(plan.Repacked+plan.Cache+plan.Compute)/(1<<20) + float64(wants.parked), nil
}

// privateDirty is what a process and those that it started hold of memory that nobody else has and no file does, in bytes:
// Private_Dirty of /proc/PID/smaps_rollup (proc_pid_smaps(5)). aigw is two processes, of which the second has the model.
func privateDirty(pid int) (uint64, error) {
	total, err := dirtyOf(pid)
	if err != nil {
		return 0, err
	}
	for _, child := range childrenOf(pid) {
		n, err := privateDirty(child)
		if err != nil {
			continue // it has ended
		}
		total += n
	}
	return total, nil
}

func dirtyOf(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Private_Dirty:"); ok {
			kb, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: there is no Private_Dirty in smaps_rollup", pid)
}

func childrenOf(pid int) (found []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // an error of the pattern, which has none
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // that thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// slope is how much values grow in a unit of time, by least squares.
func slope(at, values samples) float64 {
	n := float64(len(at))
	var x, y, xx, xy float64
	for i := range at {
		x, y, xx, xy = x+at[i], y+values[i], xx+at[i]*at[i], xy+at[i]*values[i]
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}
