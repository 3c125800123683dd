package agent

import (
	"regexp"
	"strings"
	"testing"
)

// The original's regular expressions (section 9.5 of the wire contract).
var (
	thoughtForm = regexp.MustCompile(`<message>Thought:\s*([\s\S]*?)\s*(?:Action|Final Answer):`)
	actionForm  = regexp.MustCompile(`Action:\s*([\s\S]*?)\s*Action`)
	inputForm   = regexp.MustCompile(`Action Input:\s*([\s\S]*?)\s*</message>`)
	finalForm   = regexp.MustCompile(`Final Answer:\s*([\s\S]*?)\s*</message>`)
)

// original is what the original makes of a whole turn: kind, text or tool, input, thought.
func original(text string) [4]string {
	whole := "<message>Thought: " + strings.TrimSpace(text) + "</message>"
	group := func(form *regexp.Regexp) (string, bool) {
		if m := form.FindStringSubmatch(whole); m != nil {
			return m[1], true
		}
		return "", false
	}
	if answer, ok := group(finalForm); ok {
		return [4]string{"final", answer}
	}
	tool, isAction := group(actionForm)
	input, hasInput := group(inputForm)
	if isAction && hasInput {
		thought, _ := group(thoughtForm)
		return [4]string{"action", toolName(tool), input, unescape(thought)}
	}
	return [4]string{"unknown", strings.TrimSpace(text)}
}

// firstExample is a turn up to where the model goes on with another example, which ours ends at.
var firstExample = regexp.MustCompile(`^([\s\S]*?Action Input:[\s\S]*?)\n\nQuestion:`)

func withoutExamples(text string) string {
	if m := firstExample.FindStringSubmatch(text); m != nil && !strings.Contains(m[1], finalMark) {
		return m[1]
	}
	return text
}

// parsed is what the parser makes of the same text, given in pieces of n bytes.
func parsed(text string, n int) [4]string {
	var p parser
	answer := ""
	for at := 0; at < len(text); at += n {
		delta, _ := p.write(text[at:min(len(text), at+n)])
		answer += delta
	}
	answer += p.rest()
	if p.inFinal {
		return [4]string{"final", answer}
	}
	if a, ok := p.toolUse(); ok {
		return [4]string{"action", a.tool, a.input, a.thought}
	}
	return [4]string{"unknown", p.unknown()}
}

// turns are what models write, well and badly.
var turns = []string{
	" I know it.\nFinal Answer: It is 4.",
	" Greeting.\nAction: DirectAnswer\nFinal Answer: Hello!\n\nHow can I help? \n",
	" I need the issue.\nAction: issue_reader\nAction Input: Who opened #17?\n",
	" I need it.\nAction: issue\\_reader\nAction Input: a\\_b\n",
	"x\nAction: MergeRequestReader\nAction Input: !1",
	"x\nAction: issue_reader",
	"x\nAction: issue_reader\nInput: 7",
	"x\nAction:\nAction Input:\n",
	"Just prose, no marks.",
	"", " \n ",
	"Final Answer:", "Final Answer:   \n", "Final Answer: a </message> b", "Final Answer: a </mess b </messag",
	"a </message> Final Answer: b", "Action: x\nAction Input: y</message> z",
	"Final Answer: Final Answer: Action: b",
	"Action: a Action Input: b\nObservation: c\nThought: d\nAction: e\nAction Input: f",
	"Thought: twice\nAction: a\nAction Input: b", "Action Input: b Action: c Action",
	"x\nAction: issue_reader\nAction Input: #7\n\nQuestion: y\nThought: z\nAction: DirectAnswer\nFinal Answer: a",
	"Action Input: none\nFinal Answer: b\n\nQuestion: c", "\n\nQuestion: Action: a\nAction Input: b\n\nQuestion", "Action: a\nAction Input:\n\nQuestion:Final Answer: c",
	"Final Answer: größe 😀 \u2028 end",
}

func TestTurnsReadAsTheOriginalDoes(t *testing.T) {
	for _, text := range turns {
		want := original(withoutExamples(text))
		for _, n := range []int{1, 2, 3, 7, 1000} {
			if got := parsed(text, n); got != want {
				t.Errorf("%q by %d bytes: %q, want %q", text, n, got, want)
			}
		}
	}
}

func FuzzParser(f *testing.F) {
	for _, text := range turns {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		text = strings.Map(func(r rune) rune {
			if r > 0x7f || r < ' ' && r != '\n' && r != '\t' { // the languages differ in what white space is
				return 'x'
			}
			return r
		}, text)
		n = max(1, n&63)
		if got, want := parsed(text, n), original(withoutExamples(text)); got != want {
			t.Errorf("%q by %d bytes: %q, want %q", text, n, got, want)
		}
	})
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"17.5.0-pre": true, "17.5.0": true, "17.5.0-ee": false, "17.5.1-pre": true, "17.8.2": true, "18.0": true, "v17.6": true,
		"17.4.9": false, "16.11.0": false, "": false, "x": false, "17.5.0a1": false, "17.5.0.dev1": false, "17": false,
	} {
		if got := since175(version); got != want {
			t.Errorf("%q: %t", version, got)
		}
	}
}
