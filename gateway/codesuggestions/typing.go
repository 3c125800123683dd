package codesuggestions

import (
	"context"
	"errors"
	"strconv"
	"sync"
)

// errSuperseded is the cause of a context that ended because the same person asked again at the
// same place: the answer would come too late for the text that it was made for.
var errSuperseded = errors.New("a newer request for the same file has come")

// place is where somebody types.
type place struct{ user, project, file string }

// placeOf returns where a request comes from. Without a user nothing can be told apart: many
// people may then share the other names.
func placeOf(user string, r Request) (place, bool) {
	p := place{user: user, file: r.File.Name}
	switch {
	case r.ProjectPath != nil && *r.ProjectPath != "":
		p.project = *r.ProjectPath
	case r.ProjectID != nil:
		p.project = strconv.FormatInt(*r.ProjectID, 10)
	}
	return p, user != ""
}

// typing knows the completion that runs at each place. Its zero value knows of none.
type typing struct {
	mu      sync.Mutex
	running map[place]*turn
}

type turn struct{ cancel context.CancelCauseFunc }

// begin ends the completion that runs at a place, and returns the context of the next one. end
// must be called when that has been answered.
func (t *typing) begin(ctx context.Context, at place) (next context.Context, end func()) {
	next, cancel := context.WithCancelCause(ctx)
	mine := &turn{cancel}
	t.mu.Lock()
	defer t.mu.Unlock()
	if before := t.running[at]; before != nil {
		before.cancel(errSuperseded)
	}
	if t.running == nil {
		t.running = map[place]*turn{}
	}
	t.running[at] = mine
	return next, func() {
		cancel(nil)
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.running[at] == mine {
			delete(t.running, at)
		}
	}
}
