package logs

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// File is a log file that can be moved away and opened anew. It may be used concurrently.
type File struct {
	path string
	also io.Writer

	mu   sync.Mutex
	file *os.File
}

// Open opens a file to append to; other processes may append, too. What is written goes to also as
// well.
func Open(path string, also io.Writer) (*File, error) {
	f := &File{path: path, also: also}
	return f, f.Reopen()
}

// Reopen opens the path again, after somebody has moved the file away. If that fails, the old one
// stays.
func (f *File) Reopen() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("AIGW_LOGGING__TO_FILE: %w; make the folder, or let this user write there", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.file.Close()
	}
	f.file = file
	return nil
}

// Write writes a line. A full disk does not stop the other writer.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	_, failure := f.file.Write(line)
	f.mu.Unlock()
	if n, err := f.also.Write(line); err != nil {
		return n, err
	}
	return len(line), failure
}
