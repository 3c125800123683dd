package engine

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/models"
)

// fakeContext is a model that says one token after the other of script, for every row, and can
// be told to go wrong. It never looks at the cache: sched's tests do that.
type fakeContext struct {
	mu      sync.Mutex
	token   llama.Token
	fail    []error        // what the next steps return; nil entries succeed
	row     llama.RowState // what becomes of the rows of the next steps
	hold    chan struct{}  // if set, a step waits for a value or for Abort
	aborted chan struct{}
	pace    time.Duration // that a token takes
	steps   int
	tokens  int
	cleared int
	closed  bool
}

func newFakeContext() *fakeContext {
	return &fakeContext{token: 1, aborted: make(chan struct{}, 1)}
}

func (f *fakeContext) Step(s *llama.Step) error {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil && len(s.Tokens) > 0 {
		select {
		case <-hold:
		case <-f.aborted:
			return llama.ErrAborted
		}
	}
	if f.pace > 0 && len(s.Tokens) > 0 {
		select {
		case <-time.After(f.pace * time.Duration(len(s.Tokens))):
		case <-f.aborted:
			return llama.ErrAborted
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps++
	f.tokens += len(s.Tokens)
	if len(s.Tokens) > 0 && len(f.fail) > 0 {
		err := f.fail[0]
		f.fail = f.fail[1:]
		if err != nil {
			return err
		}
	}
	s.Sampled, s.States = s.Sampled[:0], s.States[:0]
	for range s.Rows {
		token := f.token
		if f.row != llama.RowDrawn {
			token = -1
		}
		s.Sampled = append(s.Sampled, token)
		s.States = append(s.States, f.row)
	}
	if len(s.Rows) > 0 {
		f.row = llama.RowDrawn
	}
	return nil
}

func (f *fakeContext) SetThreads(int) error { return nil }

func (f *fakeContext) Abort(on bool) {
	select {
	case <-f.aborted:
	default:
	}
	if on {
		f.aborted <- struct{}{}
	}
}

func (f *fakeContext) ClearAll() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleared++
	return nil
}

func (f *fakeContext) Close() error {
	f.closed = true
	return nil
}

// fakeVocabulary has three tokens: 0 ends, 1 is "a", 2 is "b".
func fakeVocabulary() *Vocabulary { return &Vocabulary{pieces: []string{"<end>", "a", "b"}} }

const fakeEnd = 0

// startFake starts an engine on a fake context and closes it with the test.
func startFake(t *testing.T, f *fakeContext, change func(*sched.Config)) *Engine {
	t.Helper()
	cfg := sched.Config{Cells: 1024, Rows: 2, BatchTokens: 64, SliceTokens: 16, Queue: 2, Reuse: true}
	if change != nil {
		change(&cfg)
	}
	e := newEngine(settings{sched: cfg, limit: cfg.Cells, maxWait: time.Minute}, slog.New(slog.DiscardHandler))
	e.vocab = fakeVocabulary()
	e.sampler = func(Request) (*llama.Sampler, error) { return nil, nil }
	if err := e.start(func() (stepper, error) { return f, nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if !f.closed {
			t.Error("the context was not closed")
		}
	})
	return e
}

func request(prompt, max int) Request {
	tokens := make([]models.Token, prompt)
	for i := range tokens {
		tokens[i] = 1
	}
	return Request{Prompt: tokens, MaxTokens: max, Stops: models.Stops{Tokens: []models.Token{fakeEnd}}}
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: never came", what)
		}
	}
}
