package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"aigw/cmd/aigw/logs"
)

// logLevel is that of the server's log; a reload may change it.
var logLevel slog.LevelVar

// logger is the server's log, and the file that it is written to, too.
type logger struct {
	*slog.Logger
	file *logs.File // nil: none
}

// openLog logs to w, and to the file of AIGW_LOGGING__TO_FILE.
func openLog(w io.Writer, verbose bool) (*logger, error) {
	l := &logger{}
	person := isTerminal(w)
	if path := textEnv("AIGW_LOGGING__TO_FILE", ""); path != "" {
		var err error
		if l.file, err = logs.Open(path, w); err != nil {
			return nil, err
		}
		w = l.file
	}
	var err error
	l.Logger, err = formatLog(w, verbose, !person)
	return l, err
}

// newLogger logs to w: JSON lines, or plain text where a person watches. GitLab's variables
// AIGW_LOGGING__LEVEL and AIGW_LOGGING__FORMAT_JSON count.
func newLogger(w io.Writer, verbose bool) (*slog.Logger, error) {
	return formatLog(w, verbose, !isTerminal(w))
}

func formatLog(w io.Writer, verbose, json bool) (*slog.Logger, error) {
	if err := setLogLevel(verbose); err != nil {
		return nil, err
	}
	if _, ok := lookupEnv("AIGW_LOGGING__FORMAT_JSON"); ok {
		var err error
		if json, err = boolEnv("AIGW_LOGGING__FORMAT_JSON"); err != nil {
			return nil, err
		}
	}
	if json {
		return slog.New(logs.NewJSON(w, &logLevel)), nil
	}
	return slog.New(logs.NewText(w, &logLevel)), nil
}

func setLogLevel(verbose bool) error {
	level, err := parseLevel(textEnv("AIGW_LOGGING__LEVEL", "INFO"))
	if err != nil {
		return err
	}
	if verbose {
		level = min(level, slog.LevelDebug)
	}
	logLevel.Set(level)
	return nil
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
		return logs.LevelCritical, nil
	}
	return 0, fmt.Errorf("AIGW_LOGGING__LEVEL=%q: DEBUG, INFO, WARNING, ERROR or CRITICAL is expected", name)
}
