package main

import (
	"github.com/urfave/cli/v2"
)

// calibrateFlag lets the engine measure what the operator left open.
func calibrateFlag() cli.Flag {
	return &cli.StringFlag{Name: "calibrate", Value: "on", Usage: "at the first start with a model on this machine, measure for some seconds which settings are fastest of those left open (--flash-attn auto, --cache-type-k auto, --threads 0), and keep that in the state folder: on or off", EnvVars: []string{"AIGW_CALIBRATE"}}
}

func checkCalibrate(c *cli.Context) error {
	if v := c.String("calibrate"); v != "on" && v != "off" {
		return usagef("--calibrate %q: on or off", v)
	}
	return nil
}

// calibrationDir is where results are kept; empty: nothing is measured.
func calibrationDir(c *cli.Context) string {
	if c.String("calibrate") == "off" {
		return ""
	}
	return stateDir(c)
}

// cacheRAMFlag bounds the main memory for prefixes that leave the KV cache. The name is llama-server's.
func cacheRAMFlag() cli.Flag {
	return &cli.IntFlag{Name: "cache-ram", Usage: "keep up to that many `MIB` of prompts that nobody uses at the moment in main memory instead of the KV cache (-1: a quarter of what is free once the model is loaded, at most 8192; 0: none)", Value: -1, EnvVars: []string{"AIGW_CACHE_RAM"}}
}

// cacheRAM is what cacheRAMFlag says, in the engine's terms.
func cacheRAM(c *cli.Context) int {
	switch n := c.Int("cache-ram"); {
	case n < 0:
		return 0
	case n == 0:
		return -1
	default:
		return n << 20
	}
}

// keepPrefixesFlag lets popular prefixes outlive the process.
func keepPrefixesFlag() cli.Flag {
	return &cli.IntFlag{Name: "keep-prefixes", Usage: "keep up to that many `MIB` of what several prompts begin with in the state folder over a restart; the file holds people's code (0: keep nothing)", EnvVars: []string{"AIGW_KEEP_PREFIXES"}}
}
