package agent

import (
	"slices"
	"strings"
	"testing"
)

// What questions refer to, and what they only seem to.
func TestEvidence(t *testing.T) {
	for _, test := range []struct{ question, want string }{
		{"What is issue #24 about?", "issue_reader"},
		{"Is #171 still open?", "issue_reader"},
		{"summarize issue 7", "issue_reader"},
		{"Who opened shop/cart#34?", "issue_reader"},
		{"Who opened https://gitlab.example.com/a/b/-/issues/7?", "issue_reader"},
		{"Summarise https://gitlab.example.com/a/b/-/work_items/7", "issue_reader"},
		{"Summarise https://gitlab.example.com/groups/a/-/work_items/7", "epic_reader"},
		{"Summarize https://gitlab.example.com/groups/a/-/epics/66", "epic_reader"},
		{"What is left to do in &21?", "epic_reader"},
		{"List what is left to do in this epic.", "epic_reader"},
		{"Who reviews merge request 80 of the Python project?", "merge_request_reader"},
		{"What does !31 change?", "merge_request_reader"},
		{"Is MR !9 ready?", "merge_request_reader"},
		{"What does commit 1f3ac4be change?", "commit_reader"},
		{"Who wrote 日本/語@1f3ac4be0?", "commit_reader"},
		{"Why did job 10 fail?", "build_reader"},
		{"Why did this job fail?", "build_reader"},
		{"What does the log of build 59 say?", "build_reader"},
		{"Does !5 close #6?", "issue_reader merge_request_reader"},
		{"How do I protect a branch?", "gitlab_documentation"},
		{"How can I set up a shell runner?", "gitlab_documentation"},
		{"What are merge trains?", "gitlab_documentation"},
		{"Does GitLab support LDAP?", "gitlab_documentation"},
		{"Where can I find the audit events of my group?", "gitlab_documentation"},
		{"Hello, who are you?", ""},
		{"What is 150 plus 4?", ""},
		{"Write a function that parses a branch name.", ""},
		{"Explain what a mutex is.", ""},
		{"What does `a && b` do? And &x?", ""},
		{"color: #fff", ""},
		{"That is great!1", ""},
		{"Why is it called C#8?", ""},
		{"What was committed and added?", ""},
		{"", ""},
	} {
		var got []string
		for _, e := range evident(message{Content: test.question}, nil, tools) {
			got = append(got, e.tool)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q needs %v, want %s", test.question, got, test.want)
		}
	}
}

// A note proposes a whole turn, whose input is the question or, for a search, its words.
func TestNotes(t *testing.T) {
	for _, test := range []struct{ question, want string }{
		{"What does\n!31  change?", "\n\nIf a tool is needed, this may fit:\nThought: The question is about the merge request !31, which merge_request_reader reads.\nAction: merge_request_reader\nAction Input: What does !31 change?"},
		{"How do I protect a branch in GitLab?", "\n\nIf a tool is needed, this may fit:\nThought: The question is about a feature of GitLab, which gitlab_documentation explains.\nAction: gitlab_documentation\nAction Input: protect branch"},
		{strings.Repeat("Is #7 done? ", 40), "\n\nIf a tool is needed, this may fit:\nThought: The question is about the issue #7, which issue_reader reads.\nAction: issue_reader"},
		{"Who owns this epic?", "\n\nIf a tool is needed, this may fit:\nThought: The question is about this epic, which epic_reader reads.\nAction: epic_reader\nAction Input: Who owns this epic?"},
		{"Hello!", ""},
		{"the branch", ""}, // weak evidence is not told
	} {
		if got := note(test.question, evident(message{Content: test.question}, nil, tools)); got != test.want {
			t.Errorf("%q: %q", test.question, got)
		}
	}
}

// weights of a choice, by the text.
func weights(history []message, steps []step, offered []tool) map[string]float32 {
	out := map[string]float32{}
	for _, w := range choice(history, steps, evident(history[len(history)-1], steps, offered), offered) {
		out[w.Text] = w.Weight
	}
	return out
}

// A head start goes to what the question is about, to an answer where it is about nothing, and never to a tool that is not on
// offer or that was used.
func TestHeadStarts(t *testing.T) {
	asked := []message{{Role: "user", Content: "What is #7 about?"}}
	w := weights(asked, nil, tools)
	if w["Action: issue_reader\n"] != strong || w["Action: epic_reader\n"] != 0 || w["Final Answer:"] != 0 {
		t.Errorf("%v", w)
	}
	if len(w) != len(tools)+2 {
		t.Errorf("%d choices", len(w))
	}
	if w = weights(asked, []step{{Tool: "issue_reader"}}, tools); w["Action: issue_reader\n"] != 0 || w["Final Answer:"] != strong {
		t.Errorf("after the tool: %v", w)
	}
	if w = weights(asked, nil, tools[:1]); w["Action: DirectAnswer\n"] != strong || len(w) != 3 {
		t.Errorf("without the tool: %v", w)
	}
	for text, want := range map[string]float32{"What is a mutex?": weak, "Thanks, that helped!": 0, "How do I write a function that sorts?": 0} {
		if w = weights([]message{{Role: "user", Content: text}}, nil, tools); w["Action: "+documentation+"\n"] != want || w["Final Answer:"] != strong {
			t.Errorf("%s: %v", text, w)
		}
	}
	on := slices.Concat(asked, []message{{Role: "assistant", Content: "A crash."}, {Role: "user", Content: "Who closed it?"}})
	if w = weights(on, nil, tools); w["Action: issue_reader\n"] != w["Final Answer:"] || w["Action: commit_reader\n"] != 0 {
		t.Errorf("the conversation goes on: %v", w)
	}
	page := []message{{Role: "user", Content: "Who closed it?", Context: &resource{Type: "epic"}}}
	if w = weights(page, nil, tools); w["Action: epic_reader\n"] != w["Final Answer:"] || w["Action: issue_reader\n"] != 0 {
		t.Errorf("on an epic's page: %v", w)
	}
}

// Reading a long question takes time in proportion to its length.
func FuzzEvidence(f *testing.F) {
	f.Add("What does !31 change in a/b#7 and https://x/-/issues/9?")
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range evident(message{Content: text}, nil, tools) {
			if !offers(tools, e.tool) || e.weight <= 0 || strings.Count(note(text, []evidence{e}), "\n") > 5 {
				t.Errorf("%q: %+v", text, e)
			}
		}
	})
}
