package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway/metrics"
)

// What an engine counted itself is on the page as Prometheus wants it: buckets with all below them.
func TestEnginesNumbers(t *testing.T) {
	state := engine.State{Shared: 5, Totals: engine.Totals{Stalls: 2}}
	state.DecodeSteps.Counts[3], state.DecodeSteps.Counts[14], state.DecodeSteps.Sum = 4, 1, 9*time.Second
	m := metrics.New()
	m.Watch("small", func() engine.State { return state })
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`aigw_engine_step_seconds_bucket{kind="decode",model_name="small",le="0.005"} 0`,
		`aigw_engine_step_seconds_bucket{kind="decode",model_name="small",le="0.01"} 4`,
		`aigw_engine_step_seconds_bucket{kind="decode",model_name="small",le="2.5"} 4`,
		`aigw_engine_step_seconds_bucket{kind="decode",model_name="small",le="+Inf"} 5`,
		`aigw_engine_step_seconds_sum{kind="decode",model_name="small"} 9`,
		`aigw_engine_step_seconds_count{kind="prompt",model_name="small"} 0`,
		`aigw_engine_stalls_total{model_name="small"} 2`,
		`aigw_engine_kv_cells_shared{model_name="small"} 5`,
	} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
}
