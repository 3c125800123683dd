package workload

import (
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// ErrRefused is the cause of errors that say: too busy, come again.
var ErrRefused = errors.New("refused")

// Class is what an objective is stated for.
type Class string

const (
	Completion Class = "completion" // the next suggestions in a file
	Opening    Class = "opening"    // the first suggestion in a file: all of it has to be read
	// OfGeneration and OfChat are answers that are shown while they are written.
	OfGeneration Class = "generation"
	OfChat       Class = "chat"
)

// Classes are all, in the order in which they are reported.
var Classes = []Class{Completion, Opening, OfGeneration, OfChat}

// attempt is a question under way. Its fields after began belong to the recorder's lock.
type attempt struct {
	r     *recorder
	class Class
	began time.Time
	in    *window // that it counts in; nil: none

	first, last time.Time // of its text
	gap         time.Duration
	characters  int
	blank       bool // nothing but white space yet
}

// recorder notes what becomes of questions. A question counts in the window in which it was asked.
type recorder struct {
	within map[Class]time.Duration

	mu      sync.Mutex
	current *window
	open    map[*attempt]bool
}

func newRecorder(within map[Class]time.Duration) *recorder {
	return &recorder{within: within, open: map[*attempt]bool{}}
}

// window is a time in which questions count.
type window struct {
	began, closed time.Time
	classes       map[Class]*tally
	failure       error // one of those that failed
}

// tally is what became of the questions of a class.
type tally struct {
	asked, answered, overtaken, late, refused, failed, empty int
	firsts, wholes                                           []time.Duration
	gap                                                      time.Duration
	characters                                               int
}

// start opens a window. There is one at most.
func (r *recorder) start() *window {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = &window{began: time.Now(), classes: map[Class]*tally{}}
	return r.current
}

// close lets no more questions into the window. What was asked in it is still waited for.
func (r *recorder) close(w *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.closed = time.Now()
	r.current = nil
}

// undecided tells that a question of the window is neither answered nor late.
func (r *recorder) undecided(w *window) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.open {
		if a.in == w && a.first.IsZero() && time.Since(a.began) <= r.within[a.class] {
			return true
		}
	}
	return false
}

// collect settles what is still open. The window does not change any more.
func (r *recorder) collect(w *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.open {
		if a.in == w {
			r.settle(a)
			a.in = nil
		}
	}
}

// tally of an attempt; nil where it does not count.
func (a *attempt) tally() *tally {
	if a.in == nil {
		return nil
	}
	t := a.in.classes[a.class]
	if t == nil {
		t = &tally{}
		a.in.classes[a.class] = t
	}
	return t
}

func (r *recorder) begin(c Class) *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &attempt{r: r, class: c, began: time.Now(), in: r.current, blank: true}
	r.open[a] = true
	return a
}

// piece notes text that has come.
func (a *attempt) piece(text string) {
	if text == "" {
		return
	}
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	now := time.Now()
	if a.first.IsZero() {
		a.first = now
	} else {
		a.gap = max(a.gap, now.Sub(a.last))
	}
	a.last = now
	a.characters += utf8.RuneCountInString(text)
	a.blank = a.blank && strings.TrimSpace(text) == ""
}

// end notes that an answer has come, or an error.
func (r *recorder) end(a *attempt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, a)
	t := a.tally()
	if t == nil {
		return
	}
	t.asked++
	switch {
	case errors.Is(err, ErrRefused):
		t.refused++
	case err != nil:
		t.failed++
		a.in.failure = err
	default:
		t.answered++
		if a.blank {
			t.empty++
		}
		if a.first.IsZero() { // an answer without text is one, too
			a.first = time.Now()
		}
		t.firsts = append(t.firsts, a.first.Sub(a.began))
		t.wholes = append(t.wholes, time.Since(a.began))
		t.gap = max(t.gap, a.gap)
		t.characters += a.characters
	}
}

// overtaken notes that nobody wants the answer any more.
func (r *recorder) overtaken(a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, a)
	r.settle(a)
}

// settle judges a question that has no answer yet. If it has waited for less than its objective, nothing can be said of
// it; otherwise it is late, and would have waited for at least as long as it did.
func (r *recorder) settle(a *attempt) {
	t := a.tally()
	if t == nil {
		return
	}
	waited := time.Since(a.began)
	t.asked++
	switch {
	case !a.first.IsZero(): // it came in time for its beginning to be seen
		t.overtaken++
		t.firsts = append(t.firsts, a.first.Sub(a.began))
		t.gap = max(t.gap, a.gap)
		t.characters += a.characters
	case r.within[a.class] > 0 && waited >= r.within[a.class]:
		t.late++
		t.firsts = append(t.firsts, waited)
	default:
		t.overtaken++
	}
}
