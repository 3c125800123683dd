package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// scanner reads a header front to back through one buffer. Its first failure sticks: later
// reads return zero values, so that parsing code checks err once per entry, not once per field.
type scanner struct {
	src   io.ReaderAt
	size  int64 // bytes in the file
	pos   int64 // place of the next byte to be read
	start int64 // where the header that MaxHeader bounds begins
	buf   []byte
	lo    int // buf[lo:hi] are the bytes from pos on
	hi    int
	kept  int64 // bytes of text kept so far, at most MaxText

	// what and entry name the place for messages: "metadata entry" 17.
	what  string
	entry int

	err *Error
}

// scanBuffer is the size of the read buffer, in bytes: large enough that a vocabulary is read
// in a few hundred calls, small enough to cost nothing.
const scanBuffer = 1 << 16

func newScanner(src io.ReaderAt, size, from int64) *scanner {
	return &scanner{src: src, size: size, pos: from, start: from, buf: make([]byte, min(scanBuffer, max(size-from, 16)))}
}

func (s *scanner) fail(kind Kind, at int64, hint, format string, args ...any) {
	if s.err != nil {
		return
	}
	s.err = &Error{Kind: kind, Offset: at, Hint: hint, Reason: fmt.Sprintf(format, args...)}
}

// damaged refuses the entry that is being read.
func (s *scanner) damaged(at int64, format string, args ...any) {
	s.fail(Damaged, at, hintDamaged, "%s %d %s", s.what, s.entry, fmt.Sprintf(format, args...))
}

// require checks that n more bytes exist and are within the limit of a header.
func (s *scanner) require(n int64) bool {
	if s.err != nil {
		return false
	}
	if n > s.size-s.pos {
		s.fail(Truncated, -1, hintDownload, "truncated: the file has %d bytes and ends inside its header (%s %d)", s.size, s.what, s.entry)
		return false
	}
	if s.pos+n-s.start > MaxHeader {
		s.fail(Damaged, s.pos, hintDamaged, "%s %d reaches past the limit of %d bytes for a header", s.what, s.entry, int64(MaxHeader))
		return false
	}
	return true
}

// next returns the next n bytes, at most scanBuffer; they stay valid until the next call.
func (s *scanner) next(n int) []byte {
	if !s.require(int64(n)) {
		return nil
	}
	if s.hi-s.lo < n {
		copy(s.buf, s.buf[s.lo:s.hi])
		s.hi -= s.lo
		s.lo = 0
		if len(s.buf) < n {
			s.buf = append(s.buf, make([]byte, n-len(s.buf))...)
		}
		got, err := s.src.ReadAt(s.buf[s.hi:], s.pos+int64(s.hi))
		s.hi += got
		if s.hi < n {
			switch {
			case err == nil || errors.Is(err, io.EOF):
				s.fail(Truncated, -1, hintDownload, "truncated: the file became shorter than %d bytes while it was read", s.size)
			default:
				s.fail(Unreadable, s.pos, "check the disk or the network share", "cannot be read")
				s.err.Err = err
			}
			return nil
		}
	}
	b := s.buf[s.lo : s.lo+n]
	s.lo += n
	s.pos += int64(n)
	return b
}

// skip passes over n bytes without reading them where it can.
func (s *scanner) skip(n int64) {
	if !s.require(n) {
		return
	}
	s.pos += n
	if n <= int64(s.hi-s.lo) {
		s.lo += int(n)
		return
	}
	s.lo, s.hi = 0, 0
}

func (s *scanner) uint32() uint32 {
	if b := s.next(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (s *scanner) uint64() uint64 {
	if b := s.next(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// scalar reads a number of the given size as its bits.
func (s *scanner) scalar(size int64) uint64 {
	var wide [8]byte
	copy(wide[:], s.next(int(size)))
	return binary.LittleEndian.Uint64(wide[:])
}

// length reads the length of a string and checks it against limit and file.
func (s *scanner) length(limit int64, what string) int64 {
	at := s.pos
	n := s.uint64()
	if s.err == nil && n > uint64(limit) {
		s.damaged(at, "has %s of %d bytes, the limit is %d", what, n, limit)
		return 0
	}
	if !s.require(int64(n)) {
		return 0
	}
	return int64(n)
}

// text reads a string that will be kept.
func (s *scanner) text(limit int64, what string) string {
	at := s.pos
	n := s.length(limit, what)
	if s.err != nil {
		return ""
	}
	if s.kept += n; s.kept > MaxText {
		s.damaged(at, "brings the text of the header to more than %d bytes", MaxText)
		return ""
	}
	var b strings.Builder
	b.Grow(int(n))
	s.copyTo(&b, n)
	return b.String()
}

// copyTo appends the next n bytes to b.
func (s *scanner) copyTo(b *strings.Builder, n int64) {
	for n > 0 && s.err == nil {
		chunk := s.next(int(min(n, scanBuffer)))
		b.Write(chunk)
		n -= int64(len(chunk))
	}
}
