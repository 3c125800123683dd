package main

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

// stateFlag names the folder for what the program keeps for its next start: its own signing key,
// GitLab's keys. Losing it costs time, never work.
func stateFlag() cli.Flag {
	return &cli.StringFlag{Name: "state-dir", Usage: "`FOLDER` for keys and what else is kept for the next start", DefaultText: "aigw in your state folder", EnvVars: []string{"AIGW_STATE_DIR"}, TakesFile: true}
}

// stateDir returns the folder, which need not exist. It is empty where nobody knows one, as in a
// container without a home: nothing is kept then.
func stateDir(c *cli.Context) string {
	if dir := cmp.Or(c.String("state-dir"), os.Getenv("AIGW_STATE_DIR")); dir != "" { // not every command has the flag
		return dir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "aigw")
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(home, ".local", "state", "aigw")
}
