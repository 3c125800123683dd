package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSourceFile bounds what is read of a source file: 100 times what GitLab sends.
const maxSourceFile = 10 << 20

// place is a position in a source file.
type place struct {
	file   string
	line   int // from 1
	column int // in characters, from 1; 0 is the end of the line
}

// parsePlace reads FILE:LINE[:COLUMN]. The name may contain colons.
func parsePlace(arg string) (place, error) {
	parts := strings.Split(arg, ":")
	number := func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil
	}
	if n := len(parts); n >= 2 {
		last, ok := number(parts[n-1])
		if ok && n >= 3 {
			if line, ok := number(parts[n-2]); ok {
				return newPlace(strings.Join(parts[:n-2], ":"), line, last)
			}
		}
		if ok {
			return newPlace(strings.Join(parts[:n-1], ":"), last, 0)
		}
	}
	return place{}, usagef("%q is not FILE:LINE or FILE:LINE:COLUMN, such as main.go:12 or main.go:12:5", arg)
}

func newPlace(file string, line, column int) (place, error) {
	if file == "" || line < 1 || column < 0 {
		return place{}, usagef("lines and columns count from 1; got file %q, line %d, column %d", file, line, column)
	}
	return place{file, line, column}, nil
}

// read returns the text before and after the place.
func (p place) read() (prefix, suffix string, err error) {
	info, err := os.Stat(p.file)
	if err != nil {
		return "", "", plainPathError(err)
	}
	if info.Size() > maxSourceFile {
		return "", "", fmt.Errorf("%s has %d bytes; a source file of at most %d is expected", p.file, info.Size(), maxSourceFile)
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return "", "", plainPathError(err)
	}
	at, err := p.offset(string(data))
	if err != nil {
		return "", "", err
	}
	return string(data[:at]), string(data[at:]), nil
}

// offset is the byte at which text is cut.
func (p place) offset(text string) (int, error) {
	at := 0
	for line := 1; line < p.line; line++ {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			return 0, fmt.Errorf("%s has %d lines, line %d was asked for", p.file, line, p.line)
		}
		at += next + 1
	}
	line, _, _ := strings.Cut(text[at:], "\n")
	line = strings.TrimSuffix(line, "\r")
	if p.column == 0 {
		return at + len(line), nil
	}
	if n := utf8.RuneCountInString(line); p.column > n+1 {
		return 0, fmt.Errorf("line %d of %s has %d characters, column %d was asked for", p.line, p.file, n, p.column)
	}
	for range p.column - 1 {
		_, size := utf8.DecodeRuneInString(line)
		at += size
		line = line[size:]
	}
	return at, nil
}
