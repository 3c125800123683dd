package markdown_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"aigw/search/markdown"
)

func TestFrontMatter(t *testing.T) {
	for name, tt := range map[string]struct{ text, file, title, description string }{
		"given":         {"---\ntitle: SSH keys\ndescription: Use them.\n---\n\ntext", "a.md", "SSH keys", "Use them."},
		"markup":        {"---\ntitle: Jobs with `rules`\n---\ntext", "a.md", "Jobs with rules", ""},
		"no YAML":       {"---\ntitle: a: b\nx: [\n---\ntext", "a.md", "a: b", ""},
		"heading":       {"# The title\n\ntext", "a.md", "The title", ""},
		"from the path": {"text", "user/ssh_keys.md", "ssh keys", ""},
		"index":         {"text", "user/ssh-keys/_index.md", "ssh keys", ""},
		"not closed":    {"---\ntitle: x", "a.md", "a", ""},
		"Windows":       {"\xEF\xBB\xBF---\r\ntitle: x\r\n---\r\ntext", "a.md", "x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := markdown.Parse(tt.file, []byte(tt.text))
			if p.Title != tt.title || p.Description != tt.description {
				t.Errorf("title %q, description %q", p.Title, p.Description)
			}
			for _, passage := range p.Passages {
				if strings.Contains(passage.Text, "title:") && name != "not closed" {
					t.Errorf("front matter is text: %q", passage.Text)
				}
			}
		})
	}
}

// What is for the site generator does not reach readers; code stays as it is.
func TestShortcodes(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"details":        {"{{< details >}}\n\n- Tier: Free\n\n{{< /details >}}\n\ntext", "text"},
		"history":        {"a\n\n{{< history >}}\n\n- Introduced in 13.\n\n{{< /history >}}\n\nb", "a\n\nb"},
		"never closed":   {"{{< history >}}\n\ntext", "text"},
		"alert":          {"{{< alert type=\"note\" >}}\n\ntext\n\n{{< /alert >}}", "**note**\n\ntext"},
		"tabs":           {"{{< tabs >}}\n\n{{< tab title=\"Docker\" >}}\n\ntext\n\n{{< /tab >}}\n\n{{< /tabs >}}", "**Docker**\n\ntext"},
		"icon":           {"press {{< icon name=\"x\" >}} now", "press  now"},
		"yes and no":     {"|a|b|\n|-|-|\n|{{< yes >}}|{{< no >}}|", "|a|b|\n|-|-|\n|Yes|No|"},
		"alert block":    {"> [!warning]\n> Take care.", "> **warning**\n> Take care."},
		"badge":          {"## Title **(PREMIUM SELF)**\n\ntext", "## Title\n\ntext"},
		"introduced":     {"> - Introduced in GitLab 13.1.\n\ntext", "text"},
		"comment":        {"a\n\n<!-- hidden -->\n\nb", "a\n\nb"},
		"code":           {"```plaintext\n{{< details >}} <!-- x -->\n```", "```plaintext\n{{< details >}} <!-- x -->\n```"},
		"longer fence":   {"````markdown\n```\n{{< tab >}}\n```\n````", "````markdown\n```\n{{< tab >}}\n```\n````"},
		"old tier lines": {"Tier: Premium\n\ntext", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			p := markdown.Parse("a.md", []byte(tt.text))
			if len(p.Passages) != 1 || p.Passages[0].Text != tt.want {
				t.Errorf("got %+q, want %q", p.Passages, tt.want)
			}
		})
	}
}

func TestAnchors(t *testing.T) {
	text := "---\ntitle: T\n---\n"
	headings := []string{"Use `rules:changes`", "What's new?", "What's new?", "Über Straße", "2024", "A  b_c-d", "Named {#own-name}"}
	for _, h := range headings {
		text += "## " + h + "\n\n" + strings.Repeat("word ", 400) + "\n\n"
	}
	var got []string
	for _, p := range markdown.Parse("a.md", []byte(text)).Passages {
		got = append(got, p.Anchor)
	}
	want := []string{"use-ruleschanges", "whats-new", "whats-new-1", "über-straße", "anchor-2024", "a--b_c-d", "own-name"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}
}

// Passages have their size, keep code whole, and lose no line.
func TestPassages(t *testing.T) {
	var text strings.Builder
	text.WriteString("---\ntitle: T\n---\n\nintroduction\n")
	lines := 0
	line := func() { lines++; fmt.Fprintf(&text, "sentence number%d of a paragraph that goes on.\n", lines) }
	for i := range 40 {
		fmt.Fprintf(&text, "\n%s Section %d\n\n", strings.Repeat("#", 2+i%3), i)
		for range i * 4 {
			line()
			if lines%5 == 0 {
				text.WriteString("\n")
			}
		}
		fmt.Fprintf(&text, "\n```yaml\nbegin%d:\n%send%d:\n```\n", i, strings.Repeat("  key: value\n", i*3), i)
	}
	page := markdown.Parse("a.md", []byte(text.String()))
	all := ""
	for i, p := range page.Passages {
		all += p.Text + "\n"
		n := len(p.Text)
		if n > markdown.MaxPassage+200 || n < 300 && i > 0 {
			t.Errorf("passage %d has %d characters", i, n)
		}
		if strings.Count(p.Text, "begin") != strings.Count(p.Text, "end") {
			t.Errorf("passage %d cuts a code block", i)
		}
	}
	for i := range lines {
		if !strings.Contains(all, fmt.Sprintf("number%d ", i+1)) {
			t.Fatalf("line %d is lost", i+1)
		}
	}
}

// A table and a code block that are longer than a passage are cut between lines, and can be read alone.
func TestLongBlocks(t *testing.T) {
	table := "| Name | Meaning |\n|---|---|\n" + strings.Repeat("| `CI_SOMETHING` | it means something |\n", 300)
	code := "```yaml\n" + strings.Repeat("key: value of something\n", 600) + "```\n"
	for name, text := range map[string]string{"table": table, "code": code, "no line end": strings.Repeat("ä", 30_000)} {
		t.Run(name, func(t *testing.T) {
			page := markdown.Parse("a.md", []byte(text))
			if len(page.Passages) < 2 {
				t.Fatalf("%d passages", len(page.Passages))
			}
			first, _, _ := strings.Cut(text, "\n")
			for i, p := range page.Passages {
				if n := len([]rune(p.Text)); n > markdown.MaxPassage+200 {
					t.Errorf("passage %d has %d characters", i, n)
				}
				if name != "no line end" && !strings.HasPrefix(p.Text, first+"\n") {
					t.Errorf("passage %d begins with %q", i, p.Text[:20])
				}
				if name == "code" && !strings.HasSuffix(p.Text, "\n```") {
					t.Errorf("passage %d ends with %q", i, p.Text[len(p.Text)-20:])
				}
			}
		})
	}
}

func TestLinks(t *testing.T) {
	page := markdown.Parse("user/project/a.md", []byte("[b](../b.md#part), [here](#part), [`c`](c.md), [out](https://example.com/x.md), [image](x.png)"))
	want := []markdown.Link{{"user/b.md", "part", "b"}, {"", "part", "here"}, {"user/project/c.md", "", "c"}}
	if !reflect.DeepEqual(page.Links, want) {
		t.Errorf("links %+v", page.Links)
	}
}

// Any bytes make a page, whose passages are bounded and valid text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "---\n---\n", "# a\n\n{{< tab >}}\n```", "|a|\n|-|\n", "> [!note]\n\n- a\n  - b\n", "\xff{{<", "[a]: b\n\n[a]\n", "a\n===\n<!--"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		for _, p := range markdown.Parse("a.md", source).Passages {
			if len([]rune(p.Text)) > 3*markdown.MaxPassage || strings.ToValidUTF8(p.Text, "") != p.Text || p.Text == "" {
				t.Errorf("passage of %d bytes: %.100q", len(p.Text), p.Text)
			}
		}
	})
}
