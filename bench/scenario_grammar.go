package main

import (
	"context"
	"fmt"

	"aigw/engine"
	"aigw/gateway/grammar"
	"aigw/models"
)

// grammarScenario compares the engine with itself: a turn of Duo Chat's agent that ends in a long answer, written with the
// grammar that keeps it in form, and without (theirs).
type grammarScenario struct {
	engine  *engine.Engine
	grammar *engine.Grammar
	prompt  []models.Token
}

var _ scenario = (*grammarScenario)(nil)

// grammarTarget is what issue 8 asks for.
const grammarTarget = 0.95

func (s *grammarScenario) figures() []figure {
	return []figure{{name: fmt.Sprintf("decode of a turn with its grammar, %d tokens", 2*outputTokens), unit: "tok/s", target: grammarTarget}}
}

func (s *grammarScenario) prepare(_ context.Context, round int) (err error) {
	_, rows := tableOf(grammarPrompts+round, promptTokens)
	s.prompt, err = s.engine.Vocabulary().Tokenize("Question: Explain these limits in detail.\n" + rows + "\nThought: I can explain these.\nFinal Answer: They are limits.\n" +
		"Question: Explain them again, at length.\nThought:")
	return err
}

func (s *grammarScenario) theirs(ctx context.Context) ([]float64, error) { return s.speed(ctx, nil) }

func (s *grammarScenario) ours(ctx context.Context) ([]float64, error) {
	return s.speed(ctx, s.grammar)
}

// speed is tokens a second of an answer of full length: without stops nothing ends it.
func (s *grammarScenario) speed(ctx context.Context, g *engine.Grammar) ([]float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestLimit, fmt.Errorf("the engine did not answer within %s", requestLimit))
	defer cancel()
	r, err := s.engine.Generate(ctx, engine.Request{Prompt: s.prompt, MaxTokens: 2 * outputTokens, Grammar: g}, func(string) error { return nil })
	if err == nil && r.OutputTokens != 2*outputTokens {
		err = fmt.Errorf("%d tokens instead of %d", r.OutputTokens, 2*outputTokens)
	}
	if err != nil {
		return nil, err
	}
	return []float64{float64(r.OutputTokens-1) / r.Decode.Seconds()}, nil
}

func (s *grammarScenario) notes() []string { return nil }

// compareGrammar runs the engine with a grammar against itself without.
func (b *benchmark) compareGrammar(ctx context.Context) (err error) {
	b.say("loading the engine")
	e, err := openGuessing(ctx, b.set, -1, b.log)
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, e.Close) }()
	g, err := engine.ParseGrammar(grammar.React(nil))
	if err != nil {
		return err
	}
	compared, notes, err := duel(ctx, &grammarScenario{engine: e, grammar: g}, b.repetitions, b.sayFor("grammar"))
	if err != nil {
		return fmt.Errorf("grammar: %w", err)
	}
	return b.add(section{title: "grammar", repetitions: b.repetitions, comparisons: compared, notes: notes, ours: "with the grammar", theirs: "without"})
}
