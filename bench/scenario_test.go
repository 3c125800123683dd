package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// scripted is a scenario that does nothing but remember; fail decides about a side's round.
type scripted struct {
	calls []string
	round int
	fail  func(side string, round int) error
}

func (s *scripted) figures() []figure { return []figure{{name: "speed"}, {name: "round"}} }

func (s *scripted) prepare(_ context.Context, round int) error {
	s.round = round
	return s.did("prepare")
}

func (s *scripted) theirs(context.Context) ([]float64, error) {
	return []float64{100, float64(s.round)}, s.did("theirs")
}

func (s *scripted) ours(context.Context) ([]float64, error) {
	return []float64{200, float64(s.round)}, s.did("ours")
}

func (s *scripted) notes() []string { return []string{"scripted"} }

func (s *scripted) did(side string) error {
	s.calls = append(s.calls, fmt.Sprint(side, s.round))
	if s.fail == nil {
		return nil
	}
	return s.fail(side, s.round)
}

func silent(string) {}

func TestDuelTakesTurns(t *testing.T) {
	s := &scripted{}
	compared, notes, err := duel(t.Context(), s, 3, silent)
	if err != nil {
		t.Fatal(err)
	}
	want := "prepare0 theirs0 ours0 prepare1 theirs1 ours1 prepare2 theirs2 ours2"
	if got := strings.Join(s.calls, " "); got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	if len(compared) != 2 || !slices.Equal(compared[0].ours, samples{200, 200, 200}) || !slices.Equal(compared[0].theirs, samples{100, 100, 100}) {
		t.Errorf("compared %+v", compared)
	}
	if len(notes) != 1 {
		t.Errorf("notes %q", notes)
	}
}

func TestDuelDropsShortAnswers(t *testing.T) {
	for _, side := range []string{"theirs", "ours"} {
		t.Run(side, func(t *testing.T) {
			s := &scripted{fail: func(at string, round int) error {
				if at == side && (round == 1 || round == 2) {
					return fmt.Errorf("wrapped: %w", errors.Join(nil, &shortAnswerError{"aigw", 5, 128}))
				}
				return nil
			}}
			compared, notes, err := duel(t.Context(), s, 3, silent)
			if err != nil {
				t.Fatal(err)
			}
			// What the other side did in a dropped round is dropped too: samples stay in pairs.
			for _, got := range []samples{compared[1].ours, compared[1].theirs} {
				if !slices.Equal(got, samples{0, 3, 4}) {
					t.Errorf("rounds %v were kept, want 0, 3 and 4", got)
				}
			}
			if !strings.Contains(strings.Join(notes, "\n"), "2 rounds were dropped") {
				t.Errorf("notes %q do not tell what was dropped", notes)
			}
		})
	}
}

func TestDuelGivesUp(t *testing.T) {
	s := &scripted{fail: func(string, int) error { return &shortAnswerError{"aigw", 5, 128} }}
	_, _, err := duel(t.Context(), s, 2, silent)
	if err == nil || !strings.Contains(err.Error(), "aigw ended an answer after 5 of 128 tokens") {
		t.Errorf("error %v, want the reason", err)
	}
	if want := 2 + spareRounds + 1; len(s.calls) != want {
		t.Errorf("%d rounds were tried, want %d", len(s.calls), want)
	}

	gone := errors.New("peer is gone")
	for _, side := range []string{"prepare", "theirs", "ours"} {
		s := &scripted{fail: func(at string, round int) error {
			if at == side && round == 1 {
				return gone
			}
			return nil
		}}
		if _, _, err := duel(t.Context(), s, 3, silent); !errors.Is(err, gone) {
			t.Errorf("%s: error %v, want %v", side, err, gone)
		}
	}
}

// What was measured before a side failed is kept, and the side is named.
func TestDuelKeepsWhatWasMeasured(t *testing.T) {
	full := errors.New("answered 400")
	s := &scripted{fail: func(at string, round int) error {
		if at == "ours" && round == 2 {
			return full
		}
		return nil
	}}
	compared, notes, err := duel(t.Context(), s, 3, silent)
	if unable := (*unableError)(nil); !errors.As(err, &unable) || unable.side != "ours" || !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if len(compared[0].ours) != 2 || len(compared[0].theirs) != 2 || len(notes) != 1 {
		t.Errorf("%+v, %q", compared, notes)
	}
}
