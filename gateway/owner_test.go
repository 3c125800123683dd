package gateway_test

import (
	"strings"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
)

// stateful is a generator that says what it is doing.
type stateful struct{ gatewaytest.Generator }

func (s *stateful) State() engine.State {
	var state engine.State
	state.Preempted, state.CellsUsed = 3, 70
	state.ByClass[engine.Chat] = engine.ClassState{Waiting: 2, Wait: 1500 * time.Millisecond}
	return state
}

// The engine learns whose a request is, and the metrics what the engine is doing.
func TestTheEngineIsToldTheOwnerAndWatched(t *testing.T) {
	g := &stateful{gatewaytest.Generator{Pieces: []string{"text"}}}
	s := gatewaytest.Start(t, open)
	m := gatewaytest.Model(g)
	s.Ready(m)
	s.Ready(m) // again, as when another model joins
	body := `{"prompt_version":1,"current_file":{"file_name":"a.py","content_above_cursor":"def ","content_below_cursor":""}}`
	if a := s.Do("POST", "/v2/code/completions", body, "X-Gitlab-Global-User-Id", "user-7"); a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.Text)
	}
	asked := g.Requests()
	if len(asked) == 0 || asked[len(asked)-1].Owner != "user-7" {
		t.Errorf("asked %+v", asked)
	}
	metrics := s.Metrics()
	for _, line := range []string{
		`aigw_engine_preempted_total{model_name="Test Model Code Completions"} 3`,
		`aigw_engine_kv_cells_used{model_name="Test Model Code Completions"} 70`,
		`aigw_engine_requests_waiting{class="chat",model_name="Test Model Code Completions"} 2`,
		`aigw_engine_wait_seconds{class="chat",model_name="Test Model Code Completions"} 1.5`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
}
