package grammar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway/grammar"
	"aigw/internal/testmodel"
	"aigw/models"
	"aigw/models/gguf"
)

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
