package main

import (
	"context"
	"errors"
	"fmt"
)

// scenario is something that both sides can do and that yields figures. A new one needs a file
// with this interface and a line in main.go's list.
type scenario interface {
	// figures are what one repetition yields, in order.
	figures() []figure
	// prepare does what is not measured. round counts from 0 and never repeats, so what is made
	// of it is new to both peers.
	prepare(ctx context.Context, round int) error
	// theirs and ours do the same work, once, and return the values of figures.
	theirs(ctx context.Context) ([]float64, error)
	ours(ctx context.Context) ([]float64, error)
	// notes says what a reader should know of the repetitions, such as lengths of answers.
	notes() []string
}

// spareRounds is how many rounds may be dropped because a prompt's answer was short, beyond
// one for each repetition.
const spareRounds = 2

// duel lets both sides take turns, A B A B, so that what changes on the machine during the run
// meets both. With an error comes what was measured before it.
func duel(ctx context.Context, s scenario, repetitions int, say func(string)) ([]comparison, []string, error) {
	figures := s.figures()
	compared := make([]comparison, len(figures))
	for i, f := range figures {
		compared[i].figure = f
	}
	dropped := 0
	for done := 0; done < repetitions; {
		say(fmt.Sprintf("repetition %d of %d", done+1, repetitions))
		theirs, ours, err := round(ctx, s, done+dropped)
		if short := (*shortAnswerError)(nil); errors.As(err, &short) {
			if dropped++; dropped <= repetitions+spareRounds {
				say(fmt.Sprintf("%s; both sides again with another prompt", short))
				continue
			}
			return compared, notesOf(s, done, dropped), fmt.Errorf("no prompt was answered in full length %d times: %w; this model ends its answers early and cannot be compared here", dropped, err)
		}
		if err != nil {
			return compared, notesOf(s, done, dropped), err
		}
		if len(theirs) != len(figures) || len(ours) != len(figures) {
			return nil, nil, fmt.Errorf("%d and %d values for %d figures", len(theirs), len(ours), len(figures))
		}
		for i := range compared {
			compared[i].theirs = append(compared[i].theirs, theirs[i])
			compared[i].ours = append(compared[i].ours, ours[i])
		}
		done++
	}
	return compared, notesOf(s, repetitions, dropped), nil
}

func notesOf(s scenario, done, dropped int) (notes []string) {
	if done > 0 {
		notes = s.notes()
	}
	if dropped > 0 {
		notes = append(notes, fmt.Sprintf("%d rounds were dropped because an answer ended early", dropped))
	}
	return notes
}

func round(ctx context.Context, s scenario, number int) (theirs, ours []float64, err error) {
	if err := s.prepare(ctx, number); err != nil {
		return nil, nil, err
	}
	if theirs, err = s.theirs(ctx); err != nil {
		return nil, nil, &unableError{"theirs", err}
	}
	if ours, err = s.ours(ctx); err != nil {
		return nil, nil, &unableError{"ours", err}
	}
	return theirs, ours, nil
}

// unableError says that a side could not do what a scenario asked for.
type unableError struct {
	side string
	err  error
}

func (e *unableError) Error() string { return e.side + ": " + e.err.Error() }
func (e *unableError) Unwrap() error { return e.err }
