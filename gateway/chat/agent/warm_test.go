package agent_test

import (
	"slices"
	"testing"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
)

// What is computed ahead is what a first turn begins with, and is to be kept.
func TestWarmth(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"Final Answer: x"}}
	s := start(t, open, g)
	s.WarmChat(t.Context())
	ahead := g.Requests()
	length := 0
	for i, r := range ahead {
		if r.Class != engine.Background || r.MaxTokens != 1 || len(r.Prompt) <= length || (r.Keep > 0) != (i == len(ahead)-1) {
			t.Fatalf("%d: class %v, %d tokens wanted, a prompt of %d behind one of %d, %d to keep", i, r.Class, r.MaxTokens, len(r.Prompt), length, r.Keep)
		}
		length = len(r.Prompt)
	}
	if length == 0 || ahead[len(ahead)-1].Keep != length {
		t.Fatalf("%d of %d tokens are kept", ahead[len(ahead)-1].Keep, length)
	}
	s.Do("POST", path, firstTurn)
	turns := g.Requests()
	first := turns[len(turns)-1]
	if !slices.Equal(first.Prompt[:length], ahead[len(ahead)-1].Prompt) || first.Keep < length || first.Keep > length+8 {
		t.Errorf("a turn begins with %q, keeps %d of %d", gatewaytest.PromptText(first.Prompt[:min(length, len(first.Prompt))]), first.Keep, len(first.Prompt))
	}
}

// A model without conversations has nothing computed, and one with a small context nothing that does not fit.
func TestWarmthOfOtherModels(t *testing.T) {
	for _, size := range []int{0, 100} {
		g := &gatewaytest.Generator{}
		s := gatewaytest.Start(t, open)
		m := gatewaytest.Model(g)
		if size > 0 {
			m.Chat, m.ContextSize = &gatewaytest.Chat{}, size
		}
		s.Ready(m)
		s.WarmChat(t.Context())
		if n := len(g.Requests()); n != 0 {
			t.Errorf("context %d: %d requests", size, n)
		}
	}
}
