package engine

import (
	"cmp"
	"slices"
	"time"

	"aigw/engine/prefix"
)

// Look is what an engine is busy with at a moment, for an operator who watches: no text, no tokens, and
// nobody's name.
type Look struct {
	// Requests are in the order in which they came. There are at most as many as run and wait.
	Requests []RequestLook
	// People is how many different owners the requests have, as far as they are known.
	People int
	// Held are the runs of tokens in the prefix tree, what most share first.
	Held []Held
	// StepTime bounds a step while somebody's answer is written, IdleTime while nobody's is.
	StepTime, IdleTime time.Duration
}

// Held is a run of tokens in the prefix tree.
type Held = prefix.Held

// Phase is how far a request has come.
type Phase string

// The phases.
const (
	Waits  Phase = "waits"  // for its turn
	Reads  Phase = "reads"  // its prompt is computed
	Writes Phase = "writes" // its answer is
)

// RequestLook is one request.
type RequestLook struct {
	Class                         Class
	Phase                         Phase
	Age, Queue                    time.Duration // since it came; of that until its turn, so far
	PromptTokens, CachedTokens    int           // of the prompt; of these found in the cache
	OutputTokens, MaxOutputTokens int
}

// Look reports what the engine is busy with. It takes as long as State.
func (e *Engine) Look() Look {
	l := e.look(time.Now())
	slices.SortFunc(l.Requests, func(a, b RequestLook) int { return cmp.Compare(b.Age, a.Age) })
	slices.SortFunc(l.Held, func(a, b Held) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(b.Visits, a.Visits), cmp.Compare(b.Cells, a.Cells), cmp.Compare(a.From, b.From))
	})
	return l
}

func (e *Engine) look(now time.Time) Look {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := Look{Held: e.sched.Held(), Requests: make([]RequestLook, 0, len(e.gens))}
	l.StepTime, l.IdleTime = e.sched.Budget()
	owners := map[string]bool{}
	for _, g := range e.gens {
		r := RequestLook{
			Class: g.req.Class, Phase: Writes, Age: now.Sub(g.submitted), Queue: g.started.Sub(g.submitted),
			PromptTokens: len(g.req.Prompt), CachedTokens: g.cached, OutputTokens: g.count, MaxOutputTokens: g.req.MaxTokens,
		}
		switch {
		case g.started.IsZero():
			r.Phase, r.Queue = Waits, r.Age
		case g.first.IsZero():
			r.Phase = Reads
		}
		if g.req.Owner != "" {
			owners[g.req.Owner] = true
		}
		l.Requests = append(l.Requests, r)
	}
	l.People = len(owners)
	return l
}
