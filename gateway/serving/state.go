package serving

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Phase is a state of the server as a whole.
type Phase string

const (
	PhaseLoading  Phase = "loading"  // a model that was asked for is not ready yet
	PhaseReady    Phase = "ready"    // all models that were asked for answer
	PhaseNoModel  Phase = "no model" // none was asked for
	PhaseFailed   Phase = "failed"   // a model that was asked for cannot be loaded
	PhaseDraining Phase = "draining" // running requests are finished, new ones are refused

	// PhaseUnreachable is of a server of which a model is at another one that does not answer.
	PhaseUnreachable Phase = "unreachable"
)

// State says which models serve. Its zero value is PhaseLoading, before anything is known. It may
// be used concurrently.
type State struct {
	mu       sync.Mutex
	phase    Phase
	loading  string    // name of the model that loads
	progress float64   // of it, 0 to 1
	began    time.Time // when it began to load
	rules    Rules
	models   []*Model

	embedding *EmbeddingModel
}

// NewState returns a state in which rules choose among the models.
func NewState(rules Rules) *State { return &State{rules: rules} }

// Loading notes that a model loads. progress goes from 0 to 1.
func (s *State) Loading(name string, progress float64) {
	s.change(func() {
		if s.phase != PhaseLoading || s.loading != name {
			s.began = time.Now()
		}
		s.phase, s.loading, s.progress = PhaseLoading, name, min(max(progress, 0), 1)
	})
}

// Ready notes that all models that were asked for answer, in the order in which they were named;
// nil stands for none.
func (s *State) Ready(models ...*Model) {
	models = slices.DeleteFunc(slices.Clone(models), func(m *Model) bool { return m == nil })
	s.change(func() { s.phase, s.models = PhaseReady, models })
}

// NoModel notes that no model was asked for.
func (s *State) NoModel() { s.change(func() { s.phase = PhaseNoModel }) }

// Failed notes that a model cannot be loaded. Clients are not told why.
func (s *State) Failed() { s.change(func() { s.phase = PhaseFailed }) }

// Drain notes that the server stops. No other state follows.
func (s *State) Drain() { s.change(func() { s.phase = PhaseDraining }) }

func (s *State) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != PhaseDraining {
		f()
	}
}

// Check returns nil when everything that was asked for serves, or *UnavailableError. A server
// without any model is ready: it does all that it was asked to do.
func (s *State) Check() error {
	s.mu.Lock()
	phase, all, unavailable := s.phase, s.models, s.unavailable()
	s.mu.Unlock()
	if phase != PhaseReady && phase != PhaseNoModel {
		return unavailable
	}
	for _, m := range all {
		if m.Available != nil && m.Available() != nil {
			return &UnavailableError{Phase: PhaseUnreachable, RetryAfter: shortWait, text: "The server of model " + m.DisplayName() + " does not answer; the log of this one says why"}
		}
	}
	return nil
}

// Choose returns the model for a role, *UnavailableError if none serves at the moment, or
// *UnsuitableError if none of those that do can answer. One model answers everything that it can,
// however it is called, unless the rules are strict.
func (s *State) Choose(role Role, wanted Wanted) (*Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != PhaseReady || len(s.models) == 0 {
		return nil, s.unavailable()
	}
	return s.rules.choose(s.models, role, wanted)
}

// Models returns the models that serve, in the order in which they were named, or *UnavailableError.
func (s *State) Models() ([]*Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != PhaseReady || len(s.models) == 0 {
		return nil, s.unavailable()
	}
	return slices.Clone(s.models), nil
}

// ChooseNamed is Choose for callers who mean the name that they give: a name that no model has, nor its
// family, is an *UnknownModelError. Only models that may reports are considered. An empty name is any.
func (s *State) ChooseNamed(role Role, name string, may func(*Model) bool) (*Model, error) {
	all, err := s.Models()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(m *Model) bool { return !may(m) })
	if name != "" && !known(all, name) {
		unknown := &UnknownModelError{Name: name}
		for _, m := range all {
			unknown.Loaded = append(unknown.Loaded, m.Name)
		}
		return nil, unknown
	}
	return s.rules.choose(all, role, Wanted{Identifier: name, Family: name})
}

// UnavailableError says why no model serves and when to try again.
type UnavailableError struct {
	Phase      Phase
	Progress   float64 // of loading, 0 to 1
	RetryAfter time.Duration
	text       string
}

func (e *UnavailableError) Error() string { return e.text }

// ErrStopping is the cause of a context that ended because the server did not wait any longer.
var ErrStopping = errors.New("server is shutting down")

// Stopping is the error of a server that finishes its work.
func Stopping() *UnavailableError {
	return &UnavailableError{Phase: PhaseDraining, RetryAfter: shortWait, text: "The server is shutting down"}
}

// How long a client should wait where nothing can be estimated.
const (
	shortWait = 5 * time.Second // something is going on
	longWait  = time.Minute     // an administrator has to act
)

// unavailable is called with the lock held.
func (s *State) unavailable() *UnavailableError {
	switch s.phase {
	case PhaseDraining:
		return Stopping()
	case PhaseFailed:
		return &UnavailableError{Phase: s.phase, RetryAfter: longWait, text: "The model could not be loaded; the server's log says why"}
	case PhaseNoModel, PhaseReady: // ready, but with no model for this task
		return &UnavailableError{Phase: PhaseNoModel, RetryAfter: longWait, text: "No model is loaded for this task; start aigw run with --model FILE"}
	}
	if s.loading == "" {
		return &UnavailableError{Phase: PhaseLoading, RetryAfter: shortWait, text: "The server is starting"}
	}
	return &UnavailableError{
		Phase:      PhaseLoading,
		Progress:   s.progress,
		RetryAfter: s.remaining(),
		text:       fmt.Sprintf("Model %s is loading (%.0f %%)", s.loading, 100*s.progress),
	}
}

// remaining estimates from the time that the progress took so far.
func (s *State) remaining() time.Duration {
	if s.progress <= 0 {
		return shortWait
	}
	left := time.Duration(float64(time.Since(s.began)) * (1 - s.progress) / s.progress)
	return min(max(left, time.Second), longWait)
}
