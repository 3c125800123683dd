package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// newLogger logs to w: JSON lines, or plain text where a person watches. GitLab's variables
// AIGW_LOGGING__LEVEL and AIGW_LOGGING__FORMAT_JSON count.
func newLogger(w io.Writer, verbose bool) (*slog.Logger, error) {
	level, err := parseLevel(textEnv("AIGW_LOGGING__LEVEL", "INFO"))
	if err != nil {
		return nil, err
	}
	if verbose {
		level = min(level, slog.LevelDebug)
	}
	json := !isTerminal(w)
	if _, ok := lookupEnv("AIGW_LOGGING__FORMAT_JSON"); ok {
		if json, err = boolEnv("AIGW_LOGGING__FORMAT_JSON"); err != nil {
			return nil, err
		}
	}
	o := &slog.HandlerOptions{Level: level}
	if json {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}

// parseLevel knows Python's names, which GitLab's variable uses.
func parseLevel(name string) (slog.Level, error) {
	switch strings.ToUpper(name) {
	case "DEBUG":
		return slog.LevelDebug, nil
	case "INFO":
		return slog.LevelInfo, nil
	case "WARN", "WARNING":
		return slog.LevelWarn, nil
	case "ERROR":
		return slog.LevelError, nil
	case "CRITICAL", "FATAL":
		return slog.LevelError + 4, nil
	}
	return 0, fmt.Errorf("AIGW_LOGGING__LEVEL=%q: DEBUG, INFO, WARNING, ERROR or CRITICAL is expected", name)
}
