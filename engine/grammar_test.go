package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"aigw/models"
)

const personGrammar = `root ::= "{\"name\": \"" [A-Za-z ]{1,20} "\", \"age\": " [1-9] [0-9]? ", \"city\": \"" [A-Za-z ]{1,20} "\"}"
`

func mustParse(t *testing.T, text string) *Grammar {
	t.Helper()
	g, err := ParseGrammar(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The text keeps to the grammar whatever the sampling, and ends by itself where it is complete.
func TestAGrammarConfinesTheText(t *testing.T) {
	e := loadReal(t, Options{Context: 2048})
	g := mustParse(t, personGrammar)
	seed := uint32(7)
	for _, sampling := range []models.Sampling{
		{}, {RepeatPenalty: 1.5}, {Temperature: 1, Seed: &seed}, {Temperature: 5, TopK: 40, TopP: 0.9, MinP: 0.01, Seed: &seed},
	} {
		for _, ends := range [][]models.Token{nil, e.Vocabulary().EndTokens()} {
			var got strings.Builder
			res, err := e.Generate(t.Context(), Request{
				Prompt: tokenize(t, e, "This is a poem about the sea and its waves:\n"), MaxTokens: 80,
				Sampling: sampling, Stops: models.Stops{Tokens: ends}, Grammar: g,
			}, collect(&got))
			var person struct {
				Name, City string
				Age        int
			}
			if err != nil || res.Finish != FinishStop || json.Unmarshal([]byte(got.String()), &person) != nil || person.Age == 0 {
				t.Errorf("%+v: %q, %+v, %v", sampling, got.String(), res, err)
			}
		}
	}
}

// Guesses that are decoded along are held against the grammar as everything is: the text is the same.
func TestGuessesKeepToTheGrammar(t *testing.T) {
	text := func(o Options) (string, Totals) {
		e := loadReal(t, o)
		var got strings.Builder
		// The prompt says twice what the grammar forbids: guesses that follow it are wrong.
		_, err := e.Generate(t.Context(), Request{
			Prompt:    tokenize(t, e, strings.Repeat("id: 17, name: Anna, role: admin!\nid: 17, name: Bert, role: guest!\n", 3)),
			MaxTokens: 120, Stops: models.Stops{Tokens: e.Vocabulary().EndTokens()},
			Grammar: mustParse(t, "root ::= ( \"id: \" [0-9]{1,4} \", name: \" [A-Z] [a-z]+ \", role: \" ( \"admin\" | \"guest\" ) \".\\n\" ){6}"),
		}, collect(&got))
		if err != nil {
			t.Fatal(err)
		}
		return got.String(), e.State().Totals
	}
	plain, _ := text(Options{Context: 2048, Draft: -1})
	guessed, totals := text(Options{Context: 2048, draftAlways: true})
	if plain != guessed || strings.Count(plain, ".\n") != 6 {
		t.Errorf("plain\n%s\nguessed\n%s", plain, guessed)
	}
	if totals.AcceptedTokens == 0 || totals.AcceptedTokens == totals.DraftTokens {
		t.Errorf("%d of %d guesses came true; both kinds should occur", totals.AcceptedTokens, totals.DraftTokens)
	}
}

// A grammar that leads nowhere ends its request and nobody else's.
func TestAGrammarThatLeadsNowhereEndsItsRequest(t *testing.T) {
	e := loadReal(t, Options{Context: 2048})
	neighbour := make(chan error)
	go func() {
		_, err := e.Generate(t.Context(), Request{Prompt: tokenize(t, e, "Once upon a time"), MaxTokens: 60}, discard)
		neighbour <- err
	}()
	_, err := e.Generate(t.Context(), Request{
		Prompt: tokenize(t, e, "Once upon a time"), MaxTokens: 60,
		Grammar: mustParse(t, `root ::= "a" root "b" | "a" root "c"`),
	}, discard)
	if !errors.Is(err, ErrNoContinuation) {
		t.Errorf("error %v", err)
	}
	if err := <-neighbour; err != nil {
		t.Errorf("the neighbour: %v", err)
	}
	eventually(t, "freed cells", func() bool { s := e.State(); return s.CellsUsed == s.Evictable })
	if _, err := ParseGrammar("root ::= x"); !errors.As(err, new(*GrammarError)) {
		t.Errorf("a grammar without its rule: %v", err)
	}
}
