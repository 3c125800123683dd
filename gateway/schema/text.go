package schema

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// bodyText decodes a body into UTF-8 as json.loads of Python 3.11 does with bytes: it guesses
// UTF-8, UTF-16 or UTF-32 from the first four bytes (json.detect_encoding) and decodes with the
// error handler "surrogatepass". The result may therefore hold surrogates in three-byte form,
// which Go does not call valid UTF-8. It reports false for bytes that are not text.
func bodyText(b []byte) (string, bool) {
	switch {
	case bytes.HasPrefix(b, []byte{0, 0, 0xFE, 0xFF}):
		return decodeUTF32(b[4:], binary.BigEndian)
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE, 0, 0}):
		return decodeUTF32(b[4:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return decodeUTF16(b[2:], binary.BigEndian)
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return decodeUTF16(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		return decodeUTF8(b[3:])
	}
	if len(b) >= 4 {
		switch {
		case b[0] == 0 && b[1] == 0:
			return decodeUTF32(b, binary.BigEndian)
		case b[0] == 0:
			return decodeUTF16(b, binary.BigEndian)
		case b[1] == 0 && (b[2] != 0 || b[3] != 0):
			return decodeUTF16(b, binary.LittleEndian)
		case b[1] == 0:
			return decodeUTF32(b, binary.LittleEndian)
		}
	} else if len(b) == 2 {
		switch {
		case b[0] == 0:
			return decodeUTF16(b, binary.BigEndian)
		case b[1] == 0:
			return decodeUTF16(b, binary.LittleEndian)
		}
	}
	return decodeUTF8(b)
}

// decodeUTF8 accepts UTF-8 and surrogates written as three bytes.
func decodeUTF8(b []byte) (string, bool) {
	for rest := b; ; {
		r, size := utf8.DecodeRune(rest)
		for r != utf8.RuneError || size > 1 {
			rest = rest[size:]
			r, size = utf8.DecodeRune(rest)
		}
		if size == 0 {
			return string(b), true
		}
		if !startsWithSurrogate(rest) {
			return "", false
		}
		rest = rest[3:]
	}
}

// startsWithSurrogate reports whether b begins with U+D800 to U+DFFF in three-byte form.
func startsWithSurrogate[T []byte | string](b T) bool {
	return len(b) >= 3 && b[0] == 0xED && b[1] >= 0xA0 && b[1] <= 0xBF && b[2]&0xC0 == 0x80
}

// appendCodePoint appends r; a surrogate takes its three-byte form.
func appendCodePoint(b []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(b, r)
}

func decodeUTF16(b []byte, order binary.ByteOrder) (string, bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	out := make([]byte, 0, len(b))
	for ; len(b) > 0; b = b[2:] {
		r := rune(order.Uint16(b))
		if len(b) >= 4 {
			if joined := utf16.DecodeRune(r, rune(order.Uint16(b[2:]))); joined != utf8.RuneError {
				r, b = joined, b[2:]
			}
		}
		out = appendCodePoint(out, r)
	}
	return string(out), true
}

func decodeUTF32(b []byte, order binary.ByteOrder) (string, bool) {
	if len(b)%4 != 0 {
		return "", false
	}
	out := make([]byte, 0, len(b))
	for ; len(b) > 0; b = b[4:] {
		r := order.Uint32(b)
		if r > utf8.MaxRune {
			return "", false
		}
		out = appendCodePoint(out, rune(r))
	}
	return string(out), true
}

// codePoints counts the code points of text, surrogates included.
func codePoints(text string) int {
	n := 0
	for i := range len(text) {
		if text[i]&0xC0 != 0x80 {
			n++
		}
	}
	return n
}
