package models

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzWindows cuts arbitrary texts to arbitrary rooms: what is kept is an end, or a beginning, of
// the text, whole in its characters, and fits.
func FuzzWindows(f *testing.F) {
	f.Add("", 0)
	f.Add("a\nb\nc", 2)
	f.Add(strings.Repeat("line of text\n", 200), 100)
	f.Add(strings.Repeat("é", 5000), 64)
	f.Add("\r\n\r\n世界", 3)
	f.Fuzz(func(t *testing.T, text string, room int) {
		text = valid(text)
		room %= 1 << 12
		c := newChunks()
		kept, ids, err := tail(text, room, c, c.Tokenize)
		if err != nil || !strings.HasSuffix(text, kept) || !utf8.ValidString(kept) || len(ids) > max(0, room) || c.join(ids) != kept {
			t.Fatalf("tail of %q in %d: %q, %d tokens, %v", text, room, kept, len(ids), err)
		}
		kept, ids, err = head(text, room, c, c.Tokenize)
		if err != nil || !strings.HasPrefix(text, kept) || !utf8.ValidString(kept) || len(ids) > max(0, room) || c.join(ids) != kept {
			t.Fatalf("head of %q in %d: %q, %d tokens, %v", text, room, kept, len(ids), err)
		}
	})
}
