package postprocess_test

import (
	"strings"
	"testing"

	"aigw/gateway/codesuggestions/postprocess"
)

// The vectors of appendix A.1 of the wire contract; ~ stands for a backtick.
func TestGenerationVectors(t *testing.T) {
	six := strings.Repeat("total_value_number = previous_value_number\n", 6)
	for _, test := range []struct{ name, above, text, want string }{
		{"1", "# add two numbers\n", "~~~python\ndef add(a, b):\n    return a + b\n~~~", "def add(a, b):\n    return a + b\n"},
		{"2", "# add two numbers", "def add(a, b):\n    return a + b\n", "\ndef add(a, b):\n    return a + b\n"},
		{"3", "# add two numbers", "\ndef add(a, b):\n    return a + b\n", "\ndef add(a, b):\n    return a + b\n"},
		{"4", "x = 1\n", "   \n\t\n", ""},
		{"5", "x = 1\n", "~~~\n~~~", ""},
		{"6", "", "def f():\n    pass\n", "\ndef f():\n    pass\n"},
		{"7", "a = 1", "b = 2~~", "\nb = 2"},
		{"8", "# helper\nx = 1\n", "# helper\ny = 2\n", "\ny = 2\n"},
		{"9", "# helper\n# more\nx = 1\n", "# helper\n# more\ny = 2\n", "# helper\n# more\ny = 2\n"},
		{"10", six, six + "done = 1\n", "\ndone = 1\n"},
		{"11", "import os\nimport re\n\n", "import os\nimport re\nprint(1)\n", "import os\nimport re\nprint(1)\n"},
		{"12", "foo(", "bar)\n# helper\n", "\nbar)\n# helper\n"},

		{"text around a fence stays", "x\n", "Here:\n~~~go\ny\n~~~\nBye", "Here:\ny\nBye"},
		{"a fence with a title is none", "x\n", "~~~go title\ny\n", "~~~go title\ny\n"},
		{"a fence in a line is none", "x\n", "a ~~~go\nb", "a ~~~go\nb"},
		{"no-break space ends a label", "x\n", "~~~go\u00a0x\ny\n", "~~~go\u00a0x\ny\n"},
		{"CRLF", "x\r\n", "~~~py\ny\r\n~~~\r\nz\r\n", "y\r\n~~~\r\nz\r\n"},
		{"indentation of the cursor", "x:\n    ", "return 1\n", "\nreturn 1\n"},
		{"nothing", "a", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, want := strings.ReplaceAll(test.text, "~", "`"), strings.ReplaceAll(test.want, "~", "`")
			if got := (postprocess.Chains{}).Generation(text, test.above); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestReflection(t *testing.T) {
	// Six lines of prose: few different characters, few special ones.
	prose := ""
	for _, w := range []string{"the first value is read here", "the other value is read there", "there is one other value here", "here the first is the other", "the value is there or is here", "either is there or here"} {
		prose += "  " + w + "\n"
	}
	code := "if (a[0] == b) {\n  c[1] = d;\n  e(f, g);\n} else {\n  h(i);\n  j[2] = k;\n}\n"
	only := func(text, above string) string {
		c, err := postprocess.New([]string{"strip_code_block_markdown", "prepend_new_line", "strip_whitespaces"})
		if err != nil {
			t.Fatal(err)
		}
		return c.Generation(text, above)
	}
	for _, test := range []struct{ name, above, text, want string }{
		{"large block", prose, prose + "x\n", "\nx\n"},
		{"large block, other indentation", prose, strings.ReplaceAll(prose, "  ", "\t") + "x\n", "\nx\n"},
		{"four lines are not large", prose, strings.Join(strings.SplitAfter(prose, "\n")[:4], "") + "x\n", strings.Join(strings.SplitAfter(prose, "\n")[:4], "") + "x\n"},
		{"code is not poor in characters", code, code + "x\n", code + "x\n"},
		{"the cursor's own line stays", "# c\nfoo(", "a)\n# c\n# d\n", "a)\n\n# d\n"},
		{"no other line", "# c\nfoo(", "a)", "a)"},
		{"a comment in C", "/* c */\nx\n", "y\n/* c */\nz", "y\nz"},
		{"a line that is no comment", "foo()\nx\n", "y\nfoo()\nz", "y\nfoo()\nz"},
		{"an empty file", "", "# c\nx\n", "# c\nx\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := only(test.text, test.above); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestExcludedOperations(t *testing.T) {
	if _, err := postprocess.New([]string{"strip_white_space"}); err == nil || !strings.Contains(err.Error(), "strip_whitespaces") {
		t.Errorf("a name that does not exist: %v", err)
	}
	c, err := postprocess.New([]string{"strip_asterisks", "remove_comment_only_completion", "trim_by_min_allowed_context", "fix_end_block_errors_with_comparison", "strip_whitespaces"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Generation(" \n", "x\n"); got != " \n" {
		t.Errorf("white space %q", got)
	}
	if got := c.Completion("1)", "f(", ")"); got != "1)" {
		t.Errorf("completion %q", got)
	}
}
