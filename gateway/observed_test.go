package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aigw/engine"
	"aigw/gateway/gatewaytest"
)

// Each generation is counted, by how it ended, and says where its time went.
func TestGenerationsAreCounted(t *testing.T) {
	o := open
	o.CountThreads = true
	o.MaxConcurrent = map[string]map[string]int{"agent": {"codestral": 4}}
	s := gatewaytest.Start(t, o)
	s.Loading("m", 0)
	g := &gatewaytest.Generator{Pieces: []string{"1"}, Result: engine.Result{
		Finish: engine.FinishStop, PromptTokens: 10, CachedTokens: 7, OutputTokens: 3,
		Queue: 20 * time.Millisecond, Prefill: 30 * time.Millisecond, Decode: 80 * time.Millisecond,
	}}
	m := gatewaytest.Model(g)
	s.Ready(m)
	s.Do("POST", completions, rightBody, "X-Request-ID", "one")
	busy := gatewaytest.Model(&gatewaytest.Generator{Err: &engine.BusyError{Why: engine.TooLate}})
	s.Ready(busy)
	s.Do("POST", completions, rightBody)
	broken := gatewaytest.Model(&gatewaytest.Generator{Err: errors.New("broken")})
	s.Ready(broken)
	s.Do("POST", completions, rightBody, "X-Request-ID", "broken")
	s.Do("POST", completions, `{}`)

	page := s.Metrics()
	name := m.DisplayName()
	for _, want := range []string{
		`aigw_queue_seconds_bucket{class="completion",model_name="` + name + `",le="0.01"} 0`,
		`aigw_queue_seconds_bucket{class="completion",model_name="` + name + `",le="0.025"} 1`,
		`aigw_time_to_first_token_seconds_sum{class="completion",model_name="` + name + `"} 0.05`,
		`aigw_inter_token_seconds_sum{class="completion",model_name="` + name + `"} 0.04`,
		`aigw_generation_seconds_sum{class="completion",model_name="` + name + `"} 0.13`,
		`aigw_tokens_total{kind="reused",model_name="` + name + `"} 7`,
		`aigw_tokens_total{kind="new",model_name="` + name + `"} 3`,
		`aigw_tokens_total{kind="answer",model_name="` + name + `"} 3`,
		`aigw_generations_total{class="completion",end="stop",model_name="` + name + `"} 1`,
		`aigw_generations_total{class="completion",end="busy",model_name="` + name + `"} 1`,
		`aigw_generations_total{class="completion",end="failed",model_name="` + name + `"} 1`,
		`aigw_requests_refused_total{reason="too_late"} 1`,
		`aigw_requests_refused_total{reason="invalid"} 1`,
		`aigw_prefix_hit_ratio_bucket{class="completion",model_name="` + name + `",le="0.5"} 0`,
		`aigw_prefix_hit_ratio_bucket{class="completion",model_name="` + name + `",le="0.75"} 1`,
		`aigw_completions_superseded_total{model_name="` + name + `"} 0`,
		`aigw_completions_typed_through_total{model_name="` + name + `"} 0`,
		`code_suggestions_post_processing_duration_seconds_count{model_engine="agent",model_name="` + name + `"} 1`,
		`gitlab_cloud_cost_spend_entry_total{feature_category="code_suggestions",item="completions/completion/output",model="` + name + `",unit="characters",vendor="agent"} 1`,
		`ai_gateway_threads_count{pid="`,
		`aigw_model_load_seconds{model_name="` + name + `"} `,
		`model_inferences_max_concurrent{model_engine="agent",model_name="codestral"} 4`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing", want)
		}
	}
	line := s.LogLine("one")
	if line["prompt_tokens"] != 10.0 || line["cached_tokens"] != 7.0 || line["queue_duration_s"] != 0.02 || line["generation_end"] != "stop" {
		t.Errorf("%v", line)
	}
	if line["model_output_score"] != 100_000.0 || line["blocked"] != false || line["post_processing_duration_s"] == nil {
		t.Errorf("fields of the original are missing in %v", line)
	}
	if line = s.LogLine("broken"); line["http_exception_details"] != "503: Inference failed" || line["model_exception_status_code"] != 503.0 {
		t.Errorf("%v", line)
	}
}

func TestOthersNumbersAreShown(t *testing.T) {
	s := gatewaytest.Start(t, open)
	mine := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "aigw_test_number", Help: "A number."}, func() float64 { return 7 })
	if err := s.AddMetrics(mine); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Metrics(), "aigw_test_number 7") {
		t.Error("it is not on the page")
	}
	if err := s.AddMetrics(mine); err == nil {
		t.Error("the same name twice is accepted")
	}
}
