package main

import (
	"strings"
	"testing"
	"time"
)

func TestPaceTakes(t *testing.T) {
	at := pace{read: 100, write: 20}
	if got := at.takes(1, 200, 10); got != 2500*time.Millisecond {
		t.Errorf("one person waits %s", got)
	}
	// Reading is shared, writing goes on for several at once.
	if got := at.takes(4, 200, 30); got != 12*time.Second {
		t.Errorf("four people wait %s", got)
	}
}

func TestFit(t *testing.T) {
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	for _, test := range []struct {
		name             string
		nominally, least int
		limit            time.Duration
		want             int
	}{
		{"it fits", 40, 1, 40 * time.Second, 40},
		{"once", 41, 1, 40 * time.Second, 20},
		{"more than once", 6000, 100, 400 * time.Second, 375},
		{"not below the least", 6000, 1000, time.Second, 1500},
		{"no limit", 6000, 1, 0, 6000},
		{"smaller than the least already", 60, 1000, time.Second, 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := fit("things", test.nominally, test.least, test.limit, second)
			if got.is != test.want {
				t.Errorf("%d, want %d", got.is, test.want)
			}
			notes := strings.Join(got.notes(), "\n")
			if (notes != "") != (test.want != test.nominally) {
				t.Errorf("%d of %d is noted as %q", got.is, test.nominally, notes)
			}
		})
	}
}

// On two cores a scenario shows the same with less.
func TestScenariosFitTheMachine(t *testing.T) {
	r := peersOf(t, newFakeNative(1, 1), newFakeNative(1, 1))
	const limit = 45 * time.Second
	slow, fast := pace{read: 110, write: 35}, pace{read: 5000, write: 200}
	for _, at := range []pace{slow, fast} {
		herd := newTeam(r, "herd", crowd, 2000, herdTail, herdTarget, true, at, limit)
		neighbour := newNeighbour(r, 6000, at, limit)
		chats := newChat(*r, crowd, at, limit)
		typing := newTyping(r, typingDebounce, false, at, limit)
		sizes := []size{herd.head, neighbour.paste, chats.question, typing.words, newCrowd(r, at, limit).length}
		for _, s := range sizes {
			if at == fast && s.is != s.nominally {
				t.Errorf("a fast machine: %s is %d of %d", s.what, s.is, s.nominally)
			}
		}
		if at == fast {
			continue
		}
		for _, s := range sizes[:4] {
			if s.is == s.nominally {
				t.Errorf("a slow machine: %s is %d", s.what, s.is)
			}
		}
		// What is shared and what is not keep their proportion: it decides by how much sharing can be faster.
		if whole, scaled := 2000.0/herdTail, float64(herd.head.is)/float64(herd.tail); scaled < 0.9*whole || scaled > 1.1*whole {
			t.Errorf("a head of %d with tails of %d", herd.head.is, herd.tail)
		}
		// A batch of llama-server, which is how long a stream beside it stands still, is still filled.
		if neighbour.paste.is < 2*promptTokens {
			t.Errorf("a paste of %d tokens", neighbour.paste.is)
		}
		if longer := newNeighbour(r, 6000, at, 0); longer.paste.is != 6000 {
			t.Errorf("without a limit a paste is %d tokens", longer.paste.is)
		}
	}
}

func TestFindPace(t *testing.T) {
	slower := newFakeNative(8, 100)
	slower.takes = 4 * time.Millisecond
	r := peersOf(t, slower, newFakeNative(8, 100))
	at, err := r.findPace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at.read <= 0 || at.write <= 0 || at.write > 1/slower.takes.Seconds() {
		t.Errorf("%+v: the slower side writes no more than %.0f tokens a second", at, 1/slower.takes.Seconds())
	}
}
