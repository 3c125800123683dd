package models

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// chunks is a tokenizer for tests of layout: words of up to four letters, runs of up to eight
// spaces, other characters one by one. Like a real one it merges across what is typed.
type chunks struct {
	mu    sync.Mutex
	ids   map[string]Token
	texts []string
	calls int // texts tokenized
	bytes int // bytes tokenized

	bos    Token
	hasBOS bool
	end    []Token
}

func newChunks() *chunks { return &chunks{ids: map[string]Token{}} }

func (c *chunks) id(text string) Token {
	if t, ok := c.ids[text]; ok {
		return t
	}
	c.ids[text] = Token(len(c.texts))
	c.texts = append(c.texts, text)
	return c.ids[text]
}

func (c *chunks) Tokenize(text string) ([]Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.bytes += len(text)
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%q is not UTF-8", text)
	}
	kind := func(b byte) (kind, most int) {
		switch {
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z':
			return 1, 4
		case b == ' ':
			return 2, 8
		}
		return 0, 1
	}
	var out []Token
	for len(text) > 0 {
		_, n := utf8.DecodeRuneInString(text)
		if k, most := kind(text[0]); k != 0 {
			for n = 1; n < most && n < len(text); n++ {
				if other, _ := kind(text[n]); other != k {
					break
				}
			}
		}
		out = append(out, c.id(text[:n]))
		text = text[n:]
	}
	return out, nil
}

func (c *chunks) Piece(t Token) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts[t]
}

func (c *chunks) BOS() (Token, bool) { return c.bos, c.hasBOS }
func (c *chunks) EndTokens() []Token { return c.end }

func (c *chunks) join(ids []Token) string {
	var b strings.Builder
	for _, t := range ids {
		b.WriteString(c.Piece(t))
	}
	return b.String()
}

// source makes a text of lines of different lengths, some empty, some in other scripts.
func source(r *rand.Rand, lines, longest int) string {
	var b strings.Builder
	for range lines {
		b.WriteString(strings.Repeat("  ", r.IntN(4)))
		for range r.IntN(longest + 1) {
			b.WriteString([]string{"value", "x", " ", "(", "é", "世界", "0"}[r.IntN(7)])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTailProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := newChunks()
		text := source(r, r.IntN(300), 1+r.IntN(60))
		if r.IntN(3) == 0 {
			text += strings.Repeat("enormous", r.IntN(400)) // a line without end
		}
		room := r.IntN(800)
		kept, ids, err := tail(text, room, c, c.Tokenize)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(text, kept) || !utf8.ValidString(kept) {
			t.Fatalf("kept %q is no end of the text", Clip(kept))
		}
		if len(ids) > room || c.join(ids) != kept {
			t.Fatalf("%d tokens in a room of %d: %q for %q", len(ids), room, Clip(c.join(ids)), Clip(kept))
		}
		whole, _ := c.Tokenize(text)
		if len(whole) <= room {
			if kept != text && room > 0 {
				t.Fatalf("%d tokens were cut for a room of %d", len(whole), room)
			}
			continue
		}
		// The surroundings of the cursor stay; the tokens at the cut differ a little.
		if room > 8 && len(ids) < room/4-2 {
			t.Fatalf("only %d tokens kept in a room of %d", len(ids), room)
		}
	}
}

// TestTailIsStable types a file to its end and counts how often the cut moves.
func TestTailIsStable(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	text := source(r, 900, 12)
	c := newChunks()
	const room = 1000
	cut, moves, last := -1, 0, 0
	for end := len(text) / 3; end <= len(text); end += 1 + r.IntN(3) {
		if !utf8.ValidString(text[:end]) {
			continue
		}
		kept, _, err := tail(text[:end], room, c, c.Tokenize)
		if err != nil {
			t.Fatal(err)
		}
		at := end - len(kept)
		if at == cut {
			continue
		}
		line := strings.Count(text[:at], "\n")
		if cut >= 0 {
			moves++
			typed := strings.Count(text[last:end], "\n")
			if at < cut {
				t.Errorf("at byte %d the cut moved back from %d to %d", end, cut, at)
			}
			if moves > 1 && typed < stride/2 { // the first cut was made before the test began
				t.Errorf("at byte %d the cut moved after only %d lines", end, typed)
			}
		}
		if line%stride != 0 || text[at-1] != '\n' {
			t.Errorf("at byte %d the cut is at line %d", end, line)
		}
		cut, last = at, end
	}
	if lines := strings.Count(text, "\n") * 2 / 3; moves == 0 || moves > lines/stride+1 {
		t.Errorf("the cut moved %d times in %d lines", moves, lines)
	}
}

// TestTailOfRailsCut types into a text of which GitLab sends the last 100,000 characters: its
// beginning moves with each character.
func TestTailOfRailsCut(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&b, "%svalue%d = compute(%d)\n", strings.Repeat(" ", r.IntN(8)), r.IntN(1000), i)
	}
	text := b.String()
	c := newChunks()
	cut, moves, typed := "", 0, 0
	for end := len(text) - 8000; end <= len(text); end += 7 {
		kept, ids, err := tail(text[end-railsCut:end], 3000, c, c.Tokenize)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) < 750 {
			t.Fatalf("only %d tokens kept", len(ids))
		}
		if first, _, _ := strings.Cut(kept, "\n"); first != cut {
			cut = first
			moves++
		}
		typed++
	}
	if lines := 8000 / 28; moves > lines/16 {
		t.Errorf("the cut moved %d times in about %d lines and %d keystrokes", moves, lines, typed)
	}
}

// TestTailOfEnormousLine types at the end of a line of 100 kB.
func TestTailOfEnormousLine(t *testing.T) {
	text := strings.Repeat("függvény();", 10_000)
	c := newChunks()
	moves, cut := 0, -1
	for end := len(text) - 3000; end <= len(text); end++ {
		if !utf8.RuneStart(append([]byte(text), 0)[end]) {
			continue
		}
		kept, ids, err := tail(text[:end], 1000, c, c.Tokenize)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) < 250 || !utf8.ValidString(kept) {
			t.Fatalf("%d tokens kept", len(ids))
		}
		if at := end - len(kept); at != cut {
			cut = at
			moves++
		}
	}
	if moves > 3000/stepBytes+2 {
		t.Errorf("the cut moved %d times in 3,000 bytes", moves)
	}
}

func TestHeadProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		c := newChunks()
		text := source(r, r.IntN(100), 1+r.IntN(60))
		if r.IntN(3) == 0 {
			text = strings.Repeat("énormous", r.IntN(400)) + text
		}
		room := r.IntN(400)
		kept, ids, err := head(text, room, c, c.Tokenize)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, kept) || len(ids) > room || c.join(ids) != kept {
			t.Fatalf("kept %q with %d tokens in a room of %d", Clip(kept), len(ids), room)
		}
		whole, _ := c.Tokenize(text)
		switch {
		case room > 0 && len(whole) <= room && kept != text:
			t.Fatalf("%d tokens were cut for a room of %d", len(whole), room)
		case len(whole) > room && room > 8 && len(ids) < room/4:
			t.Fatalf("only %d tokens kept in a room of %d", len(ids), room)
		}
	}
}

// TestWindowsLookAtLittle measures how much of a long file is tokenized.
func TestWindowsLookAtLittle(t *testing.T) {
	c := newChunks()
	text := strings.Repeat("\tif err := s.check(value); err != nil {\n", 50_000) // 2 MB
	if _, _, err := tail(text, 1000, c, c.Tokenize); err != nil {
		t.Fatal(err)
	}
	if _, _, err := head(text, 1000, c, c.Tokenize); err != nil {
		t.Fatal(err)
	}
	if c.bytes > 40_000 || c.calls > 8 {
		t.Errorf("%d bytes were tokenized in %d calls to fill 2,000 tokens", c.bytes, c.calls)
	}
}
