package engine

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTextStream(t *testing.T) {
	tests := []struct {
		name    string
		stops   []string
		pieces  []string
		shown   []string // what each push shows
		stopped bool
		flush   string
	}{
		{"plain", nil, []string{"a", "b"}, []string{"a", "b"}, false, ""},
		{"character over three tokens", nil, []string{"\xe2", "\x82", "\xac!"}, []string{"", "", "€!"}, false, ""},
		{"character never finished", nil, []string{"a\xe2\x82"}, []string{"a"}, false, ""},
		{"no UTF-8 at all", nil, []string{"a\xff", "b"}, []string{"a\uFFFD", "b"}, false, ""},
		{"stop in one token", []string{"\n\n"}, []string{"a\n\nb"}, []string{"a"}, true, ""},
		{"stop over tokens", []string{"</new_code>"}, []string{"x </new", "_co", "de> y"}, []string{"x ", "", ""}, true, ""},
		{"beginning of a stop that comes to nothing", []string{"END"}, []string{"E", "N", "O"}, []string{"", "", "ENO"}, false, ""},
		{"beginning of a stop at the end", []string{"END"}, []string{"x EN"}, []string{"x "}, false, "EN"},
		{"the earliest of two stops", []string{"b", "ab"}, []string{"xab"}, []string{"x"}, true, ""},
		{"self-overlapping stop", []string{"aab"}, []string{"a", "a", "a", "b"}, []string{"", "", "a", ""}, true, ""},
		{"stop beginning before an unfinished character", []string{"é"}, []string{"x\xc3", "\xa9y"}, []string{"x", ""}, true, ""},
		{"empty pieces", []string{"x"}, []string{"", ""}, []string{"", ""}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := TextStream{stops: tt.stops}
			for i, piece := range tt.pieces {
				show, stopped := s.Push(piece)
				if show != tt.shown[i] {
					t.Errorf("push %d shows %q, want %q", i, show, tt.shown[i])
				}
				if last := i == len(tt.pieces)-1; stopped != (last && tt.stopped) {
					t.Errorf("push %d: stopped %v", i, stopped)
				}
			}
			if got := s.Flush(); got != tt.flush {
				t.Errorf("flush %q, want %q", got, tt.flush)
			}
		})
	}
}

// However a text is cut into tokens, the same characters are shown, up to the stop text that is complete first.
func TestTextStreamDoesNotDependOnTheCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab€\n")), 0, 40, -1).Draw(t, "text")
		stops := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab€\n")), 1, 4, -1), 0, 3).Draw(t, "stops")
		want, stop := text, false
		for end := 1; end <= len(text) && !stop; end++ { // the stop text that is complete first
			for _, s := range stops {
				if begin, ok := strings.CutSuffix(text[:end], s); ok && (!stop || len(begin) < len(want)) {
					want, stop = begin, true
				}
			}
		}
		s := TextStream{stops: stops}
		var got strings.Builder
		stopped := false
		for rest := text; rest != "" && !stopped; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			var show string
			show, stopped = s.Push(rest[:n])
			if !utf8.ValidString(show) {
				t.Fatalf("shows half a character: %q", show)
			}
			got.WriteString(show)
			rest = rest[n:]
		}
		if !stopped {
			got.WriteString(s.Flush())
		}
		if got.String() != want || stopped != stop {
			t.Fatalf("got %q (stopped %v), want %q (%v)", got.String(), stopped, want, stop)
		}
	})
}
