package postprocess_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"aigw/gateway/codesuggestions/postprocess"
)

// A stream's pieces, wherever they are cut, make the text that the chain makes of the whole; and
// where the filter says that nothing more can come, nothing more does.
func TestCompletionFilterEqualsTheChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, prefix, suffix := texts().Draw(t, "text"), texts().Draw(t, "prefix"), texts().Draw(t, "suffix")
		switch rapid.IntRange(0, 3).Draw(t, "shape") {
		case 0:
			text += suffix + rapid.SampledFrom([]string{"", "\n", "x", "\nx"}).Draw(t, "more")
		case 1:
			text = strings.Repeat(text, rapid.IntRange(2, 4).Draw(t, "times"))
		case 2:
			text = "```go\n" + text + "\n```\nThis is why."
		}
		var excluded []string
		if rapid.IntRange(0, 4).Draw(t, "exclude") == 0 {
			excluded = rapid.SliceOf(rapid.SampledFrom([]string{"strip_special_tokens", "strip_code_block_markdown", "trim_repetition", "fix_end_block_errors", "strip_whitespaces"})).Draw(t, "excluded")
		}
		c, err := postprocess.New(excluded)
		if err != nil {
			t.Fatal(err)
		}
		want := c.Completion(text, prefix, suffix)
		f := c.NewCompletionFilter(prefix, suffix)
		got, ended := "", false
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			for n < len(rest) && !utf8.RuneStart(rest[n]) {
				n++ // an engine's pieces are whole characters
			}
			got += f.Write(rest[:n])
			if rest = rest[n:]; f.Ended() && !ended {
				ended = true
				short := text[:len(text)-len(rest)]
				if early := c.Completion(short, prefix, suffix); early != want {
					t.Fatalf("ended after %q, which makes %q; the whole makes %q", short, early, want)
				}
			}
		}
		if got += f.End(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// What no rule could take is passed on at once.
func TestCompletionFilterHoldsBackOnlyWhatItMust(t *testing.T) {
	for _, test := range []struct {
		name, file string // ¦ is the cursor
		pieces     []string
		want       []string // of each Write, then of End
	}{
		{"plain code", "x = ¦\n", []string{"foo", "(1,", " 2)\n", "y"}, []string{"foo", "(1,", " 2)", "\ny", ""}},
		{"indexing", "x = ¦\n", []string{"a[", "0] <", " b"}, []string{"a", "[0] ", "< b", ""}},
		{"special token", "x = ¦\n", []string{"1 <|fim", "_pad|> 2"}, []string{"1 ", "", ""}},
		{"closing bracket", "f(¦)\n", []string{"a", "(b)", ")", " "}, []string{"a", "(b", "", "", ")"}},
		{"line below", "if a {\n\t¦\n}\n", []string{"b()\n", "}", "\n"}, []string{"b()", "", "", ""}},
		{"not the line below", "if a {\n\t¦\n}\n", []string{"b()\n", "} else {"}, []string{"b()", "\n} else {", ""}},
		{"fence", "x = ¦\n", []string{"```", "py\n", "1", "\n``", "`\nThis"}, []string{"", "", "1", "", "", ""}},
		{"loop", "¦\n", []string{"print()\n", "print()\n", "print", "()\n"}, []string{"print()", "", "", "", ""}},
		{"twice", "¦\n", []string{"print()\n", "print()\n", "stop"}, []string{"print()", "", "\nprint()\nstop", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			prefix, suffix, _ := strings.Cut(test.file, "¦")
			f := postprocess.Chains{}.NewCompletionFilter(prefix, suffix)
			var got []string
			for _, piece := range test.pieces {
				got = append(got, f.Write(piece))
			}
			if got = append(got, f.End()); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func BenchmarkCompletionFilter(b *testing.B) {
	prefix, suffix := strings.Repeat("func a() {\n\treturn f(1, 2)\n}\n", 150)+"\tx := g(", strings.Repeat(")\n}\nfunc b() {}\n", 150)
	for b.Loop() {
		f := postprocess.Chains{}.NewCompletionFilter(prefix, suffix)
		for range 128 { // tokens of the longest completion
			f.Write("abc")
			f.Write(" (x)\n")
			f.Ended()
		}
		f.End()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/piece")
}
