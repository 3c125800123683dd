package chat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"aigw/gateway/gatewaytest"
)

// excerpts is a prompt as GitLab makes it from what a search found (section 11.4 of the wire contract).
func excerpts(n, size int) string {
	var b strings.Builder
	b.WriteString("Answer from the parts, and end with ATTRS: and ids such as CNT-IDX-0.\n")
	for i := range n {
		fmt.Fprintf(&b, "<quote>\nCONTENT: %s\nATTRS: CNT-IDX-a%d\n</quote>\n", strings.Repeat(string(rune('A'+i%26)), size), i+1)
	}
	return b.String() + "QUESTION: How do I fork?"
}

// A model with a small context answers from the best excerpts; those that do not fit are left out, the
// last ones first, and cannot be cited. What is asked stays.
func TestExcerptsThatDoNotFit(t *testing.T) {
	for _, test := range []struct {
		context, given, size, kept int
	}{
		{100_000, 4, 1000, 4},
		{4000, 4, 1000, 2}, // a quarter is the answer's
		{2000, 4, 1000, 1},
		{4000, 5000, 100, 20},
	} {
		g := &gatewaytest.Generator{Pieces: []string{" Fork it. ATTRS: CNT-IDX-a1 CNT-IDX-a", fmt.Sprint(test.kept + 1)}}
		s := gatewaytest.Start(t, open)
		m := gatewaytest.Model(g)
		m.Chat, m.ContextSize = &gatewaytest.Chat{}, test.context
		s.Ready(m)
		content, _ := json.Marshal([]map[string]string{{"role": "user", "content": excerpts(test.given, test.size)}, {"role": "assistant", "content": "FINAL ANSWER:"}})
		got := s.Do("POST", "/v1/chat/agent", body(string(content), litellm, `,"stream":true`))
		// The second id that the model cites belongs to an excerpt that it was not given.
		if got.StatusCode != http.StatusOK || got.Text != " Fork it. ATTRS: CNT-IDX-a1" {
			t.Fatalf("%+v: %d %q", test, got.StatusCode, got.Text)
		}
		prompt := gatewaytest.PromptText(g.Requests()[0].Prompt)
		if !strings.HasPrefix(prompt, "<user>Answer from the parts, and end with ATTRS: and ids such as CNT-IDX-0.\n<quote>") || !strings.HasSuffix(prompt, "</quote>\nQUESTION: How do I fork?</><assistant>FINAL ANSWER:") {
			t.Errorf("%+v: the prompt is %q", test, prompt)
		}
		if n := strings.Count(prompt, "<quote>"); n != strings.Count(prompt, "</quote>") || n < test.kept*9/10 || n > test.kept {
			t.Errorf("%+v: %d excerpts are left", test, n)
		}
		if len(prompt) > test.context {
			t.Errorf("%+v: the prompt has %d tokens", test, len(prompt))
		}
		if left := fmt.Sprintf(`"excerpts_left_out":%d`, test.given-strings.Count(prompt, "<quote>")); test.kept < test.given && !strings.Contains(s.Log(), left) {
			t.Errorf("%+v: the log does not have %s", test, left)
		}
	}
}

// One excerpt that does not fit is no answer from nothing.
func TestOneExcerptThatDoesNotFit(t *testing.T) {
	s := gatewaytest.Start(t, open)
	m := gatewaytest.Model(&gatewaytest.Generator{})
	m.Chat, m.ContextSize = &gatewaytest.Chat{}, 1000
	s.Ready(m)
	content, _ := json.Marshal(excerpts(3, 2000))
	if got := s.Do("POST", "/v1/chat/agent", body(string(content), litellm, "")); got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.Text, "shorten the prompt") {
		t.Errorf("%d %s", got.StatusCode, got.Text)
	}
}
