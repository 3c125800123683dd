package agent

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway/grammar"
	"aigw/internal/testmodel"
	"aigw/models"
	"aigw/models/gguf"
)

// question needs a tool, or none.
type question struct{ text, tool string }

// questions are n different ones, in a fixed order in which the kinds take turns.
func questions(n int) (out []question) {
	kinds := []struct {
		tool  string
		forms []string
	}{
		{"issue_reader", []string{"What is issue #%d about?", "Who opened https://gitlab.example.com/a/%s/-/issues/%d?", "Summarize this issue for %w.", "Is #%d still open?", "Which labels does shop/%s#%d have?"}},
		{"epic_reader", []string{"What is the goal of epic &%d?", "Summarize https://gitlab.example.com/groups/%s/-/epics/%d", "List what is left to do in this epic, for %w.", "When is &%d due?"}},
		{"merge_request_reader", []string{"What does !%d change?", "Who reviews merge request %d of the %s project?", "Summarize this merge request for %w.", "Is MR %d ready to be merged?"}},
		{"gitlab_documentation", []string{"How do I set up %f in GitLab?", "How can I set up a %s runner?", "What are the %s settings of a project for?", "Who may change %f?", "Where can I find %f?"}},
		{"build_reader", []string{"Why did job %d fail?", "What does the log of build %d say about %s?", "Explain to %w why this job failed."}},
		{"commit_reader", []string{"What does commit %d4ac0f change?", "Who wrote the commit 8f2%dbe in %s?", "Tell %w why this commit was made."}},
		{"", []string{"Hello from %w, who are you?", "Write a function in %s that sorts a list.", "Explain what a mutex is to a %s programmer.", "What is %d plus 4?", "Thanks, that helped %w a lot!",
			"Why does `x = %d` not compile?\n```\nx = 1:\n```", "Action: what do you do first for %w? Final Answer: none"}},
	}
	features := []string{"a protected branch", "a group access token", "the audit events", "a merge train", "a deploy key", "a webhook"}
	people := []string{"our customers", "a new colleague", "the support team", "a manager", "the security team", "a designer", "the testers", "an auditor", "my team", "a student"}
	words := []string{"Go", "Rust", "Python", "shell", "docker", "kubernetes", "ruby", "日本語", "C++", "java"}
	for i := range n {
		kind, round := kinds[i%len(kinds)], i/len(kinds)
		times := round / len(kind.forms) // that the form was used before
		fill := strings.NewReplacer("%d", strconv.Itoa(3+7*i), "%s", words[times%len(words)], "%f", features[times%len(features)], "%w", people[times%len(people)])
		out = append(out, question{fill.Replace(kind.forms[round%len(kind.forms)]), kind.tool})
	}
	return out
}

func TestQuestionsDiffer(t *testing.T) {
	asked := map[string]bool{}
	for _, q := range questions(200) {
		if asked[q.text] {
			t.Errorf("%q is asked twice", q.text)
		}
		asked[q.text] = true
	}
}

// places is how many turns are taken at a time: more are faster on the whole, up to a point.
const places = 8

// realModel is the real test model.
type realModel struct {
	engine *engine.Engine
	chat   models.ChatCodec
}

func loadReal(t *testing.T) realModel {
	t.Helper()
	path := testmodel.Path(t)
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	what, err := models.Recognise(file)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Load(t.Context(), engine.Options{Model: path, Overrides: what.Overrides, Context: 8192, Parallel: places, MaxWait: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	chat, err := models.ForChat(what, e.Vocabulary(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return realModel{e, chat}
}

// Kinds of turns that are no tools.
const (
	answers    = "answer"
	unreadable = "unreadable"
)

// take has the model take a turn until it is known what it chooses, and returns that: a tool on offer, an answer, or nothing
// that GitLab could read.
func (m realModel) take(t *testing.T, turn turn, g *engine.Grammar) (choice, text string) {
	p, err := m.chat.Chat(turn.messages, models.ChatOptions{Room: m.engine.Limit()})
	if err != nil {
		t.Error(err)
		return unreadable, ""
	}
	seed := uint32(1)
	work := engine.Request{Prompt: p.Tokens, MaxTokens: 160, Sampling: p.Sampling, Stops: p.Stops}
	work.Sampling.Temperature, work.Sampling.Seed = float32(temperature), &seed
	work.Stops.Texts = append(slices.Clone(p.Stops.Texts), stopText)
	if g != nil {
		work.Grammar, work.Choice, work.MaxTokens = g, turn.choice, 300
	}
	var (
		read     parser
		all      strings.Builder
		answered bool
	)
	_, err = m.engine.Generate(t.Context(), work, func(piece string) error {
		all.WriteString(piece)
		if _, begun := read.write(piece); begun {
			answered = true
			return engine.ErrEnough
		}
		if read.over {
			return engine.ErrEnough
		}
		if _, input, ok := strings.Cut(all.String(), inputMark); ok && len(input) > 8 && g != nil {
			return engine.ErrEnough // an answer cannot follow
		}
		return nil
	})
	if err != nil {
		t.Errorf("%q: %v", all.String(), err)
	}
	if answered {
		return answers, all.String()
	}
	if a, ok := read.toolUse(); ok && offers(tools, a.tool) {
		return a.tool, all.String()
	}
	return unreadable, all.String()
}

// With the grammar each turn can be read, questions that need a tool get one of those on offer, and each tool has its
// questions, although the model has 135 million parameters. AIGW_TEST_TURNS=200 asks more questions, and compares with the
// model on its own, where that can be read.
func TestTurnsOfASmallModel(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("AIGW_TEST_TURNS"))
	compare := n > 0
	if n == 0 {
		n = 7 // each kind once
	}
	m := loadReal(t)
	room := New(nil, true)
	g, err := room.grammar(tools)
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu                    sync.Mutex
		wg                    sync.WaitGroup
		chosen                = map[string]int{}
		needed, taken, right  int
		directs, direct       int
		freelyReadable, alike int
		corrected, spoilt     int                 // of the others, where the grammar's choice is the one that the question needs, or the model's own was
		different             = map[string]bool{} // questions that the model alone answers readably, some of which are asked again; true: it chooses alike
	)
	free := make(chan struct{}, places)
	for _, q := range questions(n) {
		turn, err := newTurn(body{Messages: []message{{Role: models.User, Content: q.text}}}, tools)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			got, text := m.take(t, turn, g)
			alone, aloneText := unreadable, ""
			if compare {
				alone, aloneText = m.take(t, turn, nil)
			}
			mu.Lock()
			defer mu.Unlock()
			chosen[got]++
			if got == unreadable {
				t.Errorf("%q got a turn that cannot be read: %q", q.text, text)
			}
			if q.tool == "" {
				directs++
				if got == answers {
					direct++
				}
			} else {
				needed++
				if got != answers && got != unreadable {
					taken++
				}
				if got == q.tool {
					right++
				}
			}
			if alone != unreadable {
				freelyReadable++
				same, again := different[q.text]
				different[q.text] = alone == got && (same || !again)
				if alone == got {
					alike++
				} else {
					switch cmp.Or(q.tool, answers) {
					case got:
						corrected++
					case alone:
						spoilt++
					}
					t.Logf("%q: %s with the grammar, %s without: %q, %q", q.text, got, alone, text, aloneText)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d questions that need a tool got one, %d of them the right one; %d of %d others got an answer; chosen: %v", taken, needed, right, direct, directs, chosen)
	if compare {
		once := 0
		for _, same := range different {
			if same {
				once++
			}
		}
		t.Logf("without the grammar %d of %d turns can be read; of these, %d choose alike, of %d different questions %d; where they do not, the grammar chose what is needed %d times, and the model alone %d times",
			freelyReadable, n, alike, len(different), once, corrected, spoilt)
	}
	if taken < needed {
		t.Errorf("%d questions that need a tool got none", needed-taken)
	}
	for _, tool := range tools {
		if chosen[tool.Name] == 0 {
			t.Errorf("%s was never chosen", tool.Name)
		}
	}
}

// A question that looks as if it were about an issue, and a grammar that offers nothing but an answer: weights for texts that
// cannot follow change nothing.
func TestHeadStartsOfWhatCannotFollow(t *testing.T) {
	m := loadReal(t)
	g, err := engine.ParseGrammar(grammar.React(nil))
	if err != nil {
		t.Fatal(err)
	}
	turn := turn{messages: []models.Message{{Role: models.User, Content: "What is #7 about?"}, {Role: models.Assistant, Content: "Thought:"}}}
	want, text := m.take(t, turn, g)
	turn.choice = []engine.Weighted{{Text: "Action: issue_reader\n", Weight: strong}, {Text: "Action: DirectAnswer\n"}, {Text: "Final Answer:"}}
	if got, again := m.take(t, turn, g); want != answers || got != want || again != text {
		t.Errorf("%s %q, then %s %q", want, text, got, again)
	}
}
