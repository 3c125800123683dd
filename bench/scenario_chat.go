package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// chatScenario is people who hold conversations: each asks, reads, and asks again, and the whole conversation is sent along each time.
// What counts is the time to the first token of a turn that is not the first: it should cost the new tokens only.
type chatScenario struct {
	rivals
	people    int
	question  size       // in tokens; a pasted stack trace or function
	questions [][]string // of each person
}

var _ scenario = (*chatScenario)(nil)

const (
	chatTurns          = 5
	chatQuestionTokens = 96
	chatAnswerTokens   = 32 // a third of a question
	chatTemplateTokens = 16 // about what surrounds a message
)

func newChat(r rivals, people int, at pace, limit time.Duration) *chatScenario {
	question := fit(fmt.Sprintf("a question of %s, in tokens,", plural(people, "chat")), chatQuestionTokens, 24, limit, func(n int) time.Duration {
		return at.takes(people, chatTurns*(n+chatTemplateTokens), chatTurns*n*chatAnswerTokens/chatQuestionTokens)
	})
	return &chatScenario{rivals: r, people: people, question: question}
}

// answer is how many tokens an answer has at most.
func (s *chatScenario) answer() int { return s.question.is * chatAnswerTokens / chatQuestionTokens }

func (s *chatScenario) figures() []figure {
	who := "one chat"
	if s.people > 1 {
		who = fmt.Sprintf("%d chats at once", s.people)
	}
	return []figure{
		{name: fmt.Sprintf("%s: time to first token of turns 2 to %d, median", who, chatTurns), unit: "s", better: less},
		{name: fmt.Sprintf("%s: time to first token of turns 2 to %d, longest", who, chatTurns), unit: "s", better: less},
		{name: who + ": time to first token of turn 1, median", unit: "s", better: less},
	}
}

func (s *chatScenario) prepare(ctx context.Context, round int) error {
	s.questions = make([][]string, s.people)
	for i := range s.questions {
		for turn := range chatTurns {
			text, err := s.prompt(ctx, chatPrompts+((round*crowd+i)*chatTurns+turn)+100*s.people, s.question.is)
			if err != nil {
				return err
			}
			s.questions[i] = append(s.questions[i], "What does this say?\n"+text)
		}
	}
	return nil
}

func (s *chatScenario) theirs(ctx context.Context) ([]float64, error) {
	return s.converse(ctx, s.rivals.theirs)
}

func (s *chatScenario) ours(ctx context.Context) ([]float64, error) {
	return s.converse(ctx, s.rivals.ours)
}

// converse has all conversations held, each at its own pace.
func (s *chatScenario) converse(ctx context.Context, with chatPeer) ([]float64, error) {
	firsts, failed := make([]samples, s.people), make([]error, s.people)
	var all sync.WaitGroup
	for i, questions := range s.questions {
		all.Go(func() { firsts[i], failed[i] = conversation(ctx, with, questions, s.answer()) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	var first, later samples
	for _, f := range firsts {
		first, later = append(first, f[0]), append(later, f[1:]...)
	}
	return []float64{later.median(), later.quantile(1), first.median()}, nil
}

// conversation returns the time to the first token of each turn, in seconds.
func conversation(ctx context.Context, with chatPeer, questions []string, tokens int) (samples, error) {
	var firsts samples
	messages := []message{{"system", "Be brief."}}
	for _, question := range questions {
		messages = append(messages, message{"user", question})
		a, err := with.chat(ctx, messages, tokens)
		if err != nil {
			return nil, err
		}
		firsts = append(firsts, a.toFirst().Seconds())
		messages = append(messages, message{"assistant", a.text})
	}
	return firsts, nil
}

func (s *chatScenario) notes() []string {
	return append([]string{fmt.Sprintf("each turn adds a question of %d tokens and its answer of at most %d; both sides keep what was said in their caches, and each goes on from its own answers",
		s.question.is, s.answer())}, s.question.notes()...)
}
