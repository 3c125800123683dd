package grammar_test

import (
	"fmt"
	"os"
	"regexp"
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

var tools = []string{"build_reader", "commit_reader", "epic_reader", "gitlab_documentation", "issue_reader", "merge_request_reader"}

// turn is what GitLab's own regular expressions find in a model's text (section 9.5 of the contract).
type turn struct {
	kind          string // final, action or unknown
	thought, tool string
	text          string
}

var (
	thoughtForm = regexp.MustCompile(`<message>Thought:\s*([\s\S]*?)\s*(?:Action|Final Answer):`)
	actionForm  = regexp.MustCompile(`Action:\s*([\s\S]*?)\s*Action`)
	inputForm   = regexp.MustCompile(`Action Input:\s*([\s\S]*?)\s*</message>`)
	finalForm   = regexp.MustCompile(`Final Answer:\s*([\s\S]*?)\s*</message>`)
)

func parse(text string) turn {
	wrapped := "<message>Thought: " + strings.TrimSpace(text) + "</message>"
	group := func(form *regexp.Regexp) string {
		if m := form.FindStringSubmatch(wrapped); m != nil {
			return m[1]
		}
		return ""
	}
	switch {
	case group(finalForm) != "":
		return turn{"final", group(thoughtForm), "", group(finalForm)}
	case group(actionForm) != "" && group(inputForm) != "":
		return turn{"action", group(thoughtForm), group(actionForm), group(inputForm)}
	}
	return turn{kind: "unknown", text: text}
}

// question needs a tool, or none.
type question struct{ text, tool string }

// questions are n varied ones, in a fixed order in which the kinds take turns.
func questions(n int) (out []question) {
	forms := map[string][]string{
		"":                     {"Hello, who are you?", "Write a function in %s that sorts a list.", "Explain what a mutex is to a %s programmer.", "What is %d plus 4?", "Thanks, that helped a lot!", "Why does `x = %d` not compile?\n```\nx = 1:\n```", "Action: what do you do first? Final Answer: none"},
		"issue_reader":         {"What is issue #%d about?", "Who opened https://gitlab.example.com/a/%s/-/issues/%d?", "Summarize this issue.", "Is #%d still open?"},
		"epic_reader":          {"What is the goal of epic &%d?", "Summarize https://gitlab.example.com/groups/%s/-/epics/%d", "List what is left to do in this epic."},
		"merge_request_reader": {"What does !%d change?", "Who reviews merge request %d of the %s project?", "Summarize this merge request."},
		"gitlab_documentation": {"How do I protect a branch in GitLab?", "How can I set up a %s runner?", "What are the %s settings of a project for?", "How do I create a group access token?"},
		"build_reader":         {"Why did job %d fail?", "What does the log of build %d say about %s?"},
		"commit_reader":        {"What does commit %d4ac change?", "Who wrote the commit 8f2%d in %s?"},
	}
	kinds := append([]string{""}, tools...)
	words := []string{"Go", "Rust", "Python", "shell", "docker", "kubernetes", "ruby", "日本語", "C++", "merge"}
	for i := range n {
		kind := kinds[i%len(kinds)]
		round := i / len(kinds)
		text := forms[kind][round%len(forms[kind])]
		text = strings.ReplaceAll(text, "%d", strconv.Itoa(3+7*i))
		text = strings.ReplaceAll(text, "%s", words[(i+round)%len(words)])
		out = append(out, question{text, kind})
	}
	return out
}

const system = `You are a helpful assistant for people who develop software. Answer in one of two ways.

Without a tool:
Thought: why you can answer
Action: DirectAnswer
Final Answer: the answer

With a tool:
Thought: what you need to know
Action: the name of a tool
Action Input: the question for the tool

Tools:
build_reader: reads a CI job. Example: "Why did job 5 fail?"
commit_reader: reads a commit. Example: "What does commit 1f2e3d change?"
epic_reader: reads an epic. Example: "What is &7 about?"
gitlab_documentation: finds out how GitLab is used. Example: "How do I add a runner?"
issue_reader: reads an issue. Example: "Who opened issue #4?"
merge_request_reader: reads a merge request. Example: "What does !9 change?"`

// agent asks the real model for turns.
type agent struct {
	e    *engine.Engine
	chat models.ChatCodec
}

func newAgent(t *testing.T) agent {
	t.Helper()
	path := testmodel.Path(t)
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	what, err := models.Recognise(file)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Load(t.Context(), engine.Options{Model: path, Overrides: what.Overrides, Context: 8192, Threads: 1})
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
	return agent{e, chat}
}

// ask returns the model's text; an answer is cut when it has begun.
func (a agent) ask(t *testing.T, messages []models.Message, g *engine.Grammar, tokens int) (string, engine.Result) {
	p, err := a.chat.Chat(messages, models.ChatOptions{Room: a.e.Limit()})
	if err != nil {
		t.Error(err)
		return "", engine.Result{}
	}
	stops := p.Stops
	stops.Texts = append(slices.Clone(stops.Texts), "Observation:")
	seed := uint32(1)
	var text strings.Builder
	res, err := a.e.Generate(t.Context(), engine.Request{
		Prompt: p.Tokens, MaxTokens: tokens, Sampling: models.Sampling{Temperature: 0.1, Seed: &seed}, Stops: stops, Grammar: g,
	}, func(piece string) error {
		text.WriteString(piece)
		if _, answer, ok := strings.Cut(text.String(), "Final Answer:"); ok && len(answer) > 30 {
			return engine.ErrEnough
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return text.String(), res
}

// Every turn can be parsed, and names no tool that is not on offer, although the model has 135 million
// parameters. AIGW_TEST_TURNS=200 asks more questions, and compares with the model on its own.
func TestEveryTurnParses(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("AIGW_TEST_TURNS"))
	compare := n > 0
	if n == 0 {
		n = 5
	}
	a := newAgent(t)
	g := mustParse(t, grammar.React(tools))
	var (
		mu                    sync.Mutex
		wg                    sync.WaitGroup
		chosen                = map[string]int{}
		parsed, needed, taken int
		freeParsed, agreed    int
		constrained, free     time.Duration
		constrainedN, freeN   int
	)
	places := make(chan struct{}, 4)
	if compare {
		places = make(chan struct{}, 1) // times are compared
	}
	for _, q := range questions(n) {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			messages := []models.Message{{Role: models.System, Content: system}, {Role: models.User, Content: q.text}, {Role: models.Assistant, Content: "Thought:"}}
			text, res := a.ask(t, messages, g, 900)
			got := parse(text)
			var alone turn
			if compare {
				var text string
				var r engine.Result
				text, r = a.ask(t, messages, nil, 300)
				alone = parse(text)
				mu.Lock()
				free, freeN = free+r.Decode, freeN+r.OutputTokens
				mu.Unlock()
			}
			mu.Lock()
			defer mu.Unlock()
			constrained, constrainedN = constrained+res.Decode, constrainedN+res.OutputTokens
			chosen[got.tool]++
			if got.kind == "unknown" || got.kind == "action" && !slices.Contains(tools, got.tool) {
				t.Errorf("%q got a turn that cannot be parsed: %q", q.text, text)
			} else {
				parsed++
			}
			if q.tool != "" {
				needed++
				if got.kind == "action" {
					taken++
				}
			}
			if alone.kind == "final" || alone.kind == "action" && slices.Contains(tools, alone.tool) {
				freeParsed++
				if alone.kind == got.kind && alone.tool == got.tool {
					agreed++
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d turns parse; %d of %d questions that need a tool got one; chosen: %v", parsed, n, taken, needed, chosen)
	if compare {
		t.Logf("on its own %d of %d parse, of these %d choose alike; %.1f tokens/s with the grammar, %.1f without",
			freeParsed, n, agreed, float64(constrainedN)/constrained.Seconds(), float64(freeN)/free.Seconds())
	}
}

func mustParse(t *testing.T, text string) *engine.Grammar {
	t.Helper()
	g, err := engine.ParseGrammar(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return g
}

// The readers' answers are what Rails looks for: JSON in a fence, with a type that exists.
func TestEveryIdentifierParses(t *testing.T) {
	a := newAgent(t)
	for i, reader := range []string{"build_reader", "commit_reader", "issue_reader"} {
		g := mustParse(t, grammar.Identifier(grammar.Readers[reader]))
		asked := []string{"Summarize number 17 for me.", "What is https://gitlab.example.com/group/project/-/thing/33 about?", "Is this one done?"}[i%3]
		text, _ := a.ask(t, []models.Message{{Role: models.User, Content: fmt.Sprintf(
			"What does the question identify? Answer with JSON like this:\n```json\n{\"ResourceIdentifierType\": \"url\", \"ResourceIdentifier\": \"https://x.org/%d\"}\n```\nQuestion: %s", i, asked)}}, g, 500)
		if _, err := identifierOf(text); err != nil {
			t.Errorf("%s, %q: %q: %v", reader, asked, text, err)
		}
	}
}
