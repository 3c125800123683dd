package postprocess_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"aigw/gateway/codesuggestions/postprocess"
)

// ~ stands for a backtick, ¦ in a file for the cursor.
func TestCompletion(t *testing.T) {
	for _, test := range []struct{ name, file, text, want string }{
		{"nothing to do", "x = ¦\n", "1 + 2", "1 + 2"},
		{"white space only", "x = ¦\n", " \n\t", ""},
		{"white space around is kept", "if a:¦\n", "\n    b\n", "\n    b\n"},

		{"closing bracket behind the cursor", "print(¦)\n", `"hi")`, `"hi"`},
		{"closing bracket of its own", "print(¦)\n", "f(1)", "f(1)"},
		{"both brackets", "print(¦)\n", "f(1))", "f(1)"},
		{"quote behind the cursor", `say("¦")` + "\n", `hello")`, "hello"},
		{"quote alone", `x = "¦"` + "\n", `hello"`, "hello"},
		{"quotes in a pair", `x = ¦"` + "\n", `"a" + `, `"a" + `},
		{"the first of two closers", "f([¦])\n", "1, 2]", "1, 2"},
		{"semicolon", "x = f(¦);\n", "1);", "1"},
		{"a word behind the cursor", "x = ¦ if y\n", "a if y", "a "},
		{"the end of another word", "x = ¦x\n", "max", "max"},
		{"no rest of the line", "x = ¦\n}\n", "1", "1"},

		{"end of a block", "def x\n  ¦\nend\n", "puts 1\nend", "puts 1"},
		{"end of a block and a new line", "def x\n  ¦\nend\n", "puts 1\nend\n", "puts 1"},
		{"an inner end", "def x\n  ¦\nend\n", "if a\n    puts 1\n  end", "if a\n    puts 1\n  end"},
		{"brace", "func a() {\n\t¦\n}\n", "b()\n}", "b()"},
		{"brace of its own", "func a() {\n¦\n}\n", "if b {\n}", "if b {\n}"},
		{"the next function", "func a() {\n\t¦\n}\n\nfunc next() {\n}\n", "b()\n}\n\nfunc next() {\n\tmore()\n}", "b()"},
		{"a long line", "a\n¦\nresult = compute_everything(x)\n", "b\nresult = compute_everything(x)\nc\nd", "b"},
		{"a short line in the middle", "if a:\n    ¦\n    x = 1\n", "y\n    x = 1\n    z", "y\n    x = 1\n    z"},
		{"CRLF", "def x\r\n  ¦\r\nend\r\n", "puts 1\r\nend\r\n", "puts 1"},
		{"no text below", "def x\n  ¦", "puts 1\nend", "puts 1\nend"},

		{"fence", "x = ¦\n", "~~~python\n1 + 2\n~~~\nThis adds.", "1 + 2"},
		{"fence without a label", "x = ¦\n", "\n~~~\n1 + 2\n~~~", "1 + 2"},
		{"fence at the end", "x = ¦\n", "1 + 2\n~~~\nThis adds.", "1 + 2"},
		{"only an end", "x = ¦\n", "~~~", ""},
		{"a file with fences", "~~~go\nx := ¦\n~~~\n", "1\n~~~\n\nText", "1\n~~~\n\nText"},
		{"indentation behind a fence", "if a:\n¦\n", "~~~\n    b\n~~~", "    b"},

		{"special token", "x = ¦\n", "1<|fim_middle|>2", "1"},
		{"the first of two", "x = ¦\n", "1<EOT>2[INST]", "1"},
		{"a file about them", "PAD = '<|fim_pad|>'\nx = ¦\n", "'<|fim_pad|>'", "'<|fim_pad|>'"},
		{"no special token", "x = ¦\n", "a[b] < c", "a[b] < c"},

		{"a loop", "¦\n", "print(a)\n\nprint(a)\n\nprint(a)\n\nprint(a)", "print(a)"},
		{"a loop of four lines", "¦\n", strings.Repeat("first = 1\nif first:\n    second()\n\n", 3), "first = 1\nif first:\n    second()"},
		{"after a beginning", "¦\n", "start\n" + strings.Repeat("again = 1\n", 9), "start\nagain = 1"},
		{"data", "x = [¦\n", "\n" + strings.Repeat("  0,\n", 9), "\n" + strings.Repeat("  0,\n", 9)},
		{"braces", "¦\n", "a\n}\n}\n}\n}", "a\n}\n}\n}\n}"},
		{"twice is no loop", "¦\n", "print(a)\nprint(a)\n", "print(a)\nprint(a)\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			backticks := func(s string) string { return strings.ReplaceAll(s, "~", "`") }
			prefix, suffix, _ := strings.Cut(backticks(test.file), "¦")
			if got := (postprocess.Chains{}).Completion(backticks(test.text), prefix, suffix); got != backticks(test.want) {
				t.Errorf("%q, want %q", got, backticks(test.want))
			}
		})
	}
}

// texts draws what looks like code that repeats itself, with everything that rules look for.
func texts() *rapid.Generator[string] {
	part := rapid.SampledFrom([]string{
		"\n", "\n", "\r\n", " ", "    ", "\t", "a", "x = 1", "return value", "end", "}", ")", "])", "(", "[", "{", `"`, "'", "`", "```", "```go", ";",
		"# comment", "// é", "/* c */", "<|fim_middle|>", "[INST]", "result = compute_everything(x)", "日本", "\u00a0", "\x00",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(part, 0, 25).Draw(t, "parts"), "")
	})
}

// What comes out is the model's own text with something taken away, and a second time nothing
// more happens. (What a person typed is not among the results: it cannot be changed.)
func TestChainsAreIdempotentAndOnlyTakeAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, prefix, suffix := texts().Draw(t, "text"), texts().Draw(t, "prefix"), texts().Draw(t, "suffix")
		if rapid.Bool().Draw(t, "runs into the suffix") {
			text += suffix
		}
		var c postprocess.Chains
		completed := c.Completion(text, prefix, suffix)
		if again := c.Completion(completed, prefix, suffix); again != completed {
			t.Errorf("completion: %q becomes %q", completed, again)
		}
		if !strings.Contains(text, completed) {
			t.Errorf("completion: %q is no part of %q", completed, text)
		}
		generated := c.Generation(text, prefix)
		if again := c.Generation(generated, prefix); again != generated {
			t.Errorf("generation: %q becomes %q", generated, again)
		}
		if !isSubsequence(strings.TrimPrefix(generated, "\n"), text) {
			t.Errorf("generation: %q is not taken from %q", generated, text)
		}
	})
}

func isSubsequence(short, long string) bool {
	for i := range len(short) {
		at := strings.IndexByte(long, short[i])
		if at < 0 {
			return false
		}
		long = long[at+1:]
	}
	return true
}

// A stream's pieces, wherever they are cut, make the text that the whole would make.
func TestFenceFilterEqualsTheRuleForWholeTexts(t *testing.T) {
	c, err := postprocess.New([]string{"prepend_new_line", "clean_model_reflection", "strip_whitespaces"})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		var f postprocess.FenceFilter
		got, rest := "", text
		for rest != "" {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			got += f.Write(rest[:n])
			if !strings.HasPrefix(text, got) && len(got) > len(text) {
				t.Fatalf("%q is longer than %q", got, text)
			}
			rest = rest[n:]
		}
		got += f.End()
		if want := c.Generation(text, ""); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// What can be no fence is passed on at once.
func TestFenceFilterHoldsBackOnlyWhatItMust(t *testing.T) {
	for _, test := range []struct {
		pieces []string
		want   []string // of each Write, then of End
	}{
		{[]string{"def", " f", "\n  x"}, []string{"def", " f", "\n  x", ""}},
		{[]string{"`", "`", "`py", "thon\nx", "\n``", "`"}, []string{"", "", "", "x", "\n", "", ""}},
		{[]string{"a `", "b", "` c"}, []string{"a ", "`b", "` c", ""}},
		{[]string{"```go ", "title\n"}, []string{"```go ", "title\n", ""}},
		{[]string{"``x"}, []string{"``x", ""}},
		{[]string{"```x"}, []string{"", "```x"}},
	} {
		var f postprocess.FenceFilter
		for i, piece := range test.pieces {
			if got := f.Write(piece); got != test.want[i] {
				t.Errorf("%q, piece %d: %q, want %q", test.pieces, i, got, test.want[i])
			}
		}
		if got := f.End(); got != test.want[len(test.pieces)] {
			t.Errorf("%q, end: %q", test.pieces, got)
		}
	}
}

func FuzzChains(f *testing.F) {
	f.Add("```go\nx()\n```", "f(", ")\n}\n")
	f.Add("a\nb\na\nb\na\nb\n", "", "\nb\n")
	f.Fuzz(func(t *testing.T, text, prefix, suffix string) {
		var c postprocess.Chains
		completed := c.Completion(text, prefix, suffix)
		if !strings.Contains(text, completed) || c.Completion(completed, prefix, suffix) != completed {
			t.Errorf("completion %q", completed)
		}
		generated := c.Generation(text, prefix)
		if c.Generation(generated, prefix) != generated {
			t.Errorf("generation %q", generated)
		}
	})
}
