package codesuggestions

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ErrSuperseded is the cause of a context that ended because the same person asked again at the
// same place: the answer would come too late for the text that it was made for.
var ErrSuperseded = errors.New("a newer request for the same file has come")

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

// typing knows, for each place, the completion that runs there and the last one that was
// answered. Texts of one person never reach another: the user is a part of the place.
type typing struct {
	mu      sync.Mutex
	running map[place]*turn
	last    *lru.Cache[place, shown]
}

const (
	// placesKept and textKept bound the memory for what was answered: 4096 places, 10 MB at most
	// beside the names.
	placesKept = 4096
	textKept   = 2048
	// shownFor is how long an answer is good for somebody who types on. Other files may have
	// changed meanwhile.
	shownFor = time.Minute
)

func newTyping() *typing {
	last, err := lru.New[place, shown](placesKept)
	if err != nil {
		panic(err) // only a size below one
	}
	return &typing{running: map[place]*turn{}, last: last}
}

// turn is a completion that runs.
type turn struct {
	cancel context.CancelCauseFunc
	asked  asked
	above  string        // the text above the cursor, which the request holds anyway
	over   chan struct{} // closed when it was answered
	waits  *turn         // that asked for the same before, and is waited for
}

// goesOn reports whether a text above the cursor is t's with more at its end, or less: somebody has typed on, deleted, or
// moved the cursor. Other texts are questions of their own, such as a program asks under one file's name.
func (t *turn) goesOn(above string) bool {
	return t != nil && (strings.HasPrefix(above, t.above) || strings.HasPrefix(t.above, above))
}

// supersede ends t and what it waits for.
func (t *turn) supersede() {
	for ; t != nil; t = t.waits {
		t.cancel(ErrSuperseded)
	}
}

// asked tells requests apart.
type asked struct {
	rest  [sha256.Size]byte // of all that decides about the answer, but what is above the cursor
	above [sha256.Size]byte
	bytes int // above the cursor
}

func askedBy(r Request, model string) asked {
	h := sha256.New()
	// Strings and lists of strings: this cannot fail.
	_ = json.NewEncoder(h).Encode([]any{model, r.File.Below, r.File.Language, r.Prompt, r.Messages, r.Context})
	return asked{rest: [sha256.Size]byte(h.Sum(nil)), above: sha256.Sum256([]byte(r.File.Above)), bytes: len(r.File.Above)}
}

// shown is an answer that somebody may be typing through.
type shown struct {
	asked
	text string
	at   time.Time
}

// after returns what is left of the answer for somebody who has typed on to r, or has asked
// for the same again.
func (s shown) after(r Request, a asked) (rest string, ok bool) {
	above := r.File.Above
	if s.rest != a.rest || time.Since(s.at) > shownFor || len(above) < s.bytes || s.above != sha256.Sum256([]byte(above[:s.bytes])) {
		return "", false
	}
	rest, ok = strings.CutPrefix(s.text, above[s.bytes:])
	return rest, ok && strings.TrimSpace(rest) != ""
}

// begin ends the completion that runs at a place, if the text above the cursor goes on from there,
// and returns the context of the next one. end must be called when that has been answered.
//
// A completion that asks for the very same is not ended but waited for: remembered then has its
// answer, if it got one.
func (t *typing) begin(ctx context.Context, at place, a asked, above string) (next context.Context, end func()) {
	next, cancel := context.WithCancelCause(ctx)
	mine := &turn{cancel: cancel, asked: a, above: above, over: make(chan struct{})}
	t.mu.Lock()
	before := t.running[at]
	if before != nil && before.asked == a {
		mine.waits = before
	}
	t.running[at] = mine
	t.mu.Unlock()
	switch {
	case mine.waits != nil:
		select {
		case <-before.over:
		case <-next.Done():
		}
	case before.goesOn(above):
		before.supersede()
	}
	return next, func() {
		cancel(nil)
		close(mine.over)
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.running[at] == mine {
			delete(t.running, at)
		}
	}
}

// remember keeps an answer.
func (t *typing) remember(at place, a asked, text string) {
	if text != "" && len(text) <= textKept {
		t.last.Add(at, shown{asked: a, text: text, at: time.Now()})
	}
}

// remembered returns what is left of the last answer at a place, if r goes on from there.
func (t *typing) remembered(at place, r Request, a asked) (rest string, ok bool) {
	s, ok := t.last.Get(at)
	if !ok {
		return "", false
	}
	return s.after(r, a)
}
