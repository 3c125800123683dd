package models

import (
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// A prompt that does not fit is cut far from the cursor. A cut that moved with every keystroke
// would change the prompt's beginning each time, and all of it would be computed again; so cuts
// lie on a fixed grid: line starts whose number, counted from the start of the file, is a
// multiple of stride. While a person types, a cut stays until the text has outgrown it, then
// moves by stride lines at once.
//
// Where that would leave less than a quarter of the room in use, because the lines are long or
// the room is small, the grid is made finer (16, 4, 1 lines) rather than losing the surroundings
// of the cursor; where even one line is too long, it is cut at a multiple of stepBytes bytes from
// its start.
const (
	stride    = 64  // lines; a cut stays for as many
	stepBytes = 256 // bytes; the grid inside an enormous line
)

var strides = [...]int{stride, 16, 4, 1}

// railsCut is where GitLab itself cuts the text above the cursor: it sends the last so many
// characters. The first line of such a text is not the first line of the file.
const railsCut = 100_000

// bytesPerToken guesses how much text fills a room, so that a long file is not tokenized whole:
// source code has three to four bytes a token, prose up to five. A wrong guess costs time only.
const bytesPerToken = 5

// encode turns text into tokens.
type encode func(text string) ([]Token, error)

// piecer says how many bytes of text a token stands for.
type piecer interface{ Piece(Token) string }

// tail returns the longest end of text, on the grid, that needs at most room tokens, and those
// tokens.
func tail(text string, room int, p piecer, enc encode) (kept string, ids []Token, err error) {
	if room <= 0 || text == "" {
		return "", nil, nil
	}
	var from int
	for look := room * bytesPerToken; ; look *= 2 {
		from = 0
		if look < len(text) {
			from = runeStart(text, len(text)-look)
		}
		if ids, err = enc(text[from:]); err != nil {
			return "", nil, err
		}
		if from == 0 || len(ids) > room {
			break
		}
	}
	if len(ids) <= room {
		return text, ids, nil
	}
	fits := len(text) // text[fits:] has about room tokens
	last := len(text) // text[last:] has about a quarter of them
	for i := range room {
		n := len(p.Piece(ids[len(ids)-1-i]))
		fits -= n
		if i < room/4 {
			last -= n
		}
	}
	grid := newGrid(text, room)
	for at := max(fits, from); at < len(text); at++ {
		at = grid.cut(at, last)
		if ids, err = enc(text[at:]); err != nil {
			return "", nil, err
		}
		if len(ids) <= room { // tokens differ a little at the new beginning
			return text[at:], ids, nil
		}
	}
	return "", nil, nil
}

// grid finds places to cut a text.
type grid struct {
	text string
	// moving says that the text's own beginning moves with each keystroke, so that its lines
	// cannot be counted: then the grid is made of lines whose content hashes to a multiple.
	moving bool
	step   int // grid inside a line, in bytes
}

func newGrid(text string, room int) grid {
	step := stepBytes
	for step > max(1, room/2) {
		step /= 2
	}
	return grid{text: text, step: step,
		moving: len(text) >= railsCut && utf8.RuneCountInString(text) >= railsCut}
}

// cut returns the first place of the coarsest grid at or after from that is not after last.
func (g grid) cut(from, last int) int {
	line := strings.LastIndexByte(g.text[:from], '\n') + 1 // start of the line that from is in
	first := line
	if line < from {
		if next := strings.IndexByte(g.text[from:], '\n'); next >= 0 {
			first = from + next + 1 // the first line start at or after from
		} else {
			first = len(g.text)
		}
	}
	number := strings.Count(g.text[:first], "\n")
	for _, every := range strides {
		if at, ok := g.lineStart(first, number, every, last); ok {
			return at
		}
	}
	at := min(line+(from-line+g.step-1)/g.step*g.step, len(g.text))
	for at < len(g.text) && !utf8.RuneStart(g.text[at]) {
		at++
	}
	return at
}

// lineStart returns the first line start from at on, whose line has the given number, that lies
// on the grid of every lines and not after last.
func (g grid) lineStart(at, number, every, last int) (int, bool) {
	for at <= last && at < len(g.text) {
		end := strings.IndexByte(g.text[at:], '\n')
		if g.moving && end >= 0 && landmark(g.text[at:at+end], every) || !g.moving && number%every == 0 {
			return at, true
		}
		if end < 0 {
			break
		}
		at += end + 1
		number++
	}
	return 0, false
}

// landmark reports whether a line is one of about every so many that can be found again without
// counting. Short lines, such as closing braces, repeat too often.
func landmark(line string, every int) bool {
	if every == 1 {
		return true
	}
	line = strings.TrimSpace(line)
	if len(line) < 8 {
		return false
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(line)) // cannot fail
	return h.Sum32()%uint32(every) == 0
}

// head returns the longest beginning of text that needs at most room tokens and ends with a
// line, and those tokens. The text after the cursor does not change while a person types before
// it, so that its cut needs no grid.
func head(text string, room int, p piecer, enc encode) (kept string, ids []Token, err error) {
	if room <= 0 || text == "" {
		return "", nil, nil
	}
	look := min(len(text), room*bytesPerToken)
	for {
		if ids, err = enc(text[:runeStart(text, look)]); err != nil {
			return "", nil, err
		}
		if look == len(text) || len(ids) > room {
			break
		}
		look = min(len(text), 2*look)
	}
	if len(ids) <= room {
		return text, ids, nil
	}
	fits := 0 // text[:fits] has about room tokens
	for _, t := range ids[:room] {
		fits += len(p.Piece(t))
	}
	for at := min(fits, len(text)); at > 0; {
		at = runeStart(text, at)
		if line := strings.LastIndexByte(text[:at], '\n') + 1; line > fits/2 {
			at = line
		}
		if ids, err = enc(text[:at]); err != nil {
			return "", nil, err
		}
		if len(ids) <= room {
			return text[:at], ids, nil
		}
		at--
	}
	return "", nil, nil
}

// runeStart returns the last start of a character at or before at.
func runeStart(text string, at int) int {
	for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}
