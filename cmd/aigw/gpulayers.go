package main

import (
	"fmt"
	"log/slog"
	"strconv"

	"aigw/engine"

	"github.com/urfave/cli/v2"
)

// autoLayers stands for --gpu-layers auto until the plan is made.
const autoLayers = -2

// parseGPULayers reads --gpu-layers.
func parseGPULayers(text string) (int, error) {
	switch text {
	case "auto", "":
		return autoLayers, nil
	case "all":
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 {
		return 0, usagef("--gpu-layers %q: auto, all, or a number of layers; 0 uses no GPU", text)
	}
	return n, nil
}

// gpuLayers returns the layers that were asked for. The text was checked by checkModelFlags.
func gpuLayers(c *cli.Context) int {
	n, err := parseGPULayers(c.String("gpu-layers"))
	if err != nil {
		return 0
	}
	return n
}

// checkGPU says which device computes and, where a GPU could and does not, why; with --require-gpu
// that is an error.
func checkGPU(c *cli.Context, log *slog.Logger) error {
	if _, err := engine.About(); err != nil {
		return err
	}
	required := c.Bool("require-gpu")
	switch {
	case engine.HasGPU() && gpuLayers(c) == 0 && required:
		return usagef("--require-gpu and --gpu-layers 0 contradict each other; leave one out")
	case engine.HasGPU():
		return nil
	case required:
		return fmt.Errorf("no GPU can be used, and --require-gpu asks for one: %s", engine.WhyNoGPU())
	case engine.BuiltForGPU():
		log.Warn("no GPU can be used; the CPU computes", "reason", engine.WhyNoGPU())
	}
	return nil
}
