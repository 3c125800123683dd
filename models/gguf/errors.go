package gguf

import (
	"fmt"
	"strings"
)

// Kind says what is wrong with a file, for callers that treat some cases apart.
type Kind int

// The kinds of refusal.
const (
	Missing     Kind = iota // no such file
	Unreadable              // exists, but cannot be opened or read: permission, directory, device
	Empty                   // has no bytes
	NotGGUF                 // something else
	Truncated               // ends before its header or its weights do
	BigEndian               // written for another byte order
	Version                 // a version that is not read here
	MissingPart             // a part of a split set is not there
	Damaged                 // says things that cannot be true, or that exceed the limits
)

// Error refuses a file. Its text is one line that names the file, the reason and what to do.
type Error struct {
	Path   string
	Kind   Kind
	Offset int64  // of the refused bytes in the file; -1 where there is no such place
	Reason string // what is wrong
	Hint   string // what to do
	Err    error  // cause, if the operating system reported one
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Reason)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " (at byte %d)", e.Offset)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

const (
	hintDownload = "download it again"
	hintDamaged  = "the file is damaged or was not made by a GGUF converter: download it again"
)
