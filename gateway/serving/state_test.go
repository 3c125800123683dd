package serving_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
)

func unavailable(t *testing.T, err error) *serving.UnavailableError {
	t.Helper()
	var e *serving.UnavailableError
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *UnavailableError", err)
	}
	return e
}

// While a model loads, the time to try again follows from how long the progress took.
func TestRetryAfterFollowsTheProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s serving.State
		for _, step := range []struct {
			after    time.Duration
			progress float64
			want     time.Duration
		}{
			{0, 0, 5 * time.Second},
			{10 * time.Second, 0.25, 30 * time.Second},
			{10 * time.Second, 0.5, 20 * time.Second},
			{18 * time.Second, 0.95, time.Second * 2},
			{0, 1, time.Second},
			{0, 7, time.Second},
			{time.Hour, 0.5, time.Minute},
		} {
			time.Sleep(step.after)
			s.Loading("a.gguf", step.progress)
			if got := unavailable(t, s.Check()).RetryAfter.Round(time.Second); got != step.want {
				t.Errorf("at %v: %v, want %v", step.progress, got, step.want)
			}
		}
		s.Loading("b.gguf", 0) // the next model starts anew
		time.Sleep(time.Second)
		s.Loading("b.gguf", 0.5)
		if got := unavailable(t, s.Check()).RetryAfter; got != time.Second {
			t.Errorf("next model: %v", got)
		}
	})
}

func TestPhases(t *testing.T) {
	model := &serving.Model{Name: "m", Codec: &gatewaytest.Codec{}}
	for _, test := range []struct {
		name  string
		set   func(*serving.State)
		ready bool
		phase serving.Phase // of the error for a completion; "" if the model is returned
	}{
		{"zero value", func(*serving.State) {}, false, serving.PhaseLoading},
		{"loading", func(s *serving.State) { s.Loading("m", 0.5) }, false, serving.PhaseLoading},
		{"ready", func(s *serving.State) { s.Ready(model) }, true, ""},
		{"ready without a model for the task", func(s *serving.State) { s.Ready(nil) }, true, serving.PhaseNoModel},
		{"loading again", func(s *serving.State) { s.Ready(model); s.Loading("n", 0) }, false, serving.PhaseLoading},
		{"no model", func(s *serving.State) { s.NoModel() }, true, serving.PhaseNoModel},
		{"failed", func(s *serving.State) { s.Failed() }, false, serving.PhaseFailed},
		{"draining", func(s *serving.State) { s.Ready(model); s.Drain() }, false, serving.PhaseDraining},
		{"nothing follows draining", func(s *serving.State) { s.Drain(); s.Ready(model) }, false, serving.PhaseDraining},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s serving.State
			test.set(&s)
			if err := s.Check(); (err == nil) != test.ready {
				t.Errorf("Check: %v", err)
			}
			got, err := s.Choose(serving.Completion, serving.Wanted{Identifier: "openai/x", Family: "codegemma"})
			if test.phase == "" {
				if err != nil || got != model {
					t.Errorf("model %v, %v", got, err)
				}
				return
			}
			if e := unavailable(t, err); e.Phase != test.phase || e.RetryAfter < time.Second || e.Error() == "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestDisplayName(t *testing.T) {
	for name, want := range map[string]string{"": "", "m": "m", strings.Repeat("ü", 50): strings.Repeat("ü", 50), strings.Repeat("ü", 51): strings.Repeat("ü", 50)} {
		if got := (&serving.Model{Name: name}).DisplayName(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
