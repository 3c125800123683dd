package markdown_test

import (
	"strings"
	"testing"

	"aigw/search/markdown"
)

// Pages are put where others include them, from within the tree only, and never without end.
func TestInclude(t *testing.T) {
	tree := map[string]string{
		"_shared/note.md":  "---\ntitle: Note\n---\n\nShared note.\n",
		"ci/part.md":       "A part.\n\n{{< include \"/_shared/note.md\" >}}\n",
		"ci/self.md":       "again {{< include \"self.md\" >}}",
		"ci/ping.md":       "ping {{< include \"pong.md\" >}}",
		"ci/pong.md":       "pong {{< include \"ping.md\" >}}",
		"ci/large.md":      strings.Repeat("large ", markdown.MaxPageBytes/12),
		"ci/many.md":       strings.Repeat("{{< include \"part.md\" >}} ", 3),
		"ci/more/other.md": "Other.\n",
	}
	var asked []string
	read := func(path string) ([]byte, bool) {
		asked = append(asked, path)
		text, ok := tree[path]
		return []byte(text), ok
	}
	for name, tt := range map[string]struct{ text, want string }{
		"beside":        {"a\n\n{{< include \"more/other.md\" >}}\n\nb\n", "a\n\nOther.\n\nb\n"},
		"attribute":     {`{{< include file="more/other.md" type="page" >}}`, "Other."},
		"percent":       {`{{% include 'more/other.md' %}}`, "Other."},
		"GitLab's":      {"::include{file=more/other.md}\nb", "Other.\nb"},
		"in a line":     {"text ::include{file=more/other.md}", "text ::include{file=more/other.md}"},
		"from the root": {`{{< include "ci/more/other.md" >}}`, "Other."},
		"nested":        {`{{< include "part.md" >}}`, "A part.\n\nShared note."},
		"upwards":       {`{{< include "../_shared/note.md" >}}`, "Shared note."},
		"out of it":     {`a {{< include "../../etc/passwd" >}} b`, "a  b"},
		"absolute":      {`a {{< include "/etc/passwd" >}} b`, "a  b"},
		"absent":        {`a {{< include "nothing.md" >}} b`, "a  b"},
		"itself":        {`{{< include "self.md" >}}`, "again"},
		"a circle":      {`{{< include "ping.md" >}}`, "ping pong ping pong"},
		"code":          {"```markdown\n{{< include \"part.md\" >}}\n```\n", "```markdown\n{{< include \"part.md\" >}}\n```\n"},
		"another word":  {`{{< included "part.md" >}}`, `{{< included "part.md" >}}`},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			if !markdown.Includes([]byte(tt.text)) && tt.text != tt.want {
				t.Error("it is not seen that this includes something")
			}
			if got := string(markdown.Include("ci/page.md", []byte(tt.text), read)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, path := range asked {
				if strings.HasPrefix(path, "/") || strings.Contains(path, "..") {
					t.Errorf("%q is asked for", path)
				}
			}
		})
	}
	for name, text := range map[string]string{
		"large": strings.Repeat("{{< include \"large.md\" >}}\n", 50),
		"bomb":  strings.Repeat("{{< include \"many.md\" >}}\n", 5000),
	} {
		if got := markdown.Include("ci/page.md", []byte(text), read); len(got) > markdown.MaxPageBytes {
			t.Errorf("%s: a page of %d bytes", name, len(got))
		}
		if len(asked) > 1000 {
			t.Errorf("%s: %d texts are asked for", name, len(asked))
		}
		asked = nil
	}
}
