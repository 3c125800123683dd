// Package top shows live what a gateway does, from the numbers of its metrics listener.
package top

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Sample is what a gateway has counted by a moment. Numbers that only grow are as they are: Between makes
// rates of them.
type Sample struct {
	At       time.Time
	Memory   float64 // bytes, of the whole process
	Bypassed bool    // nobody is authenticated
	Requests float64 // answered
	Refused  float64
	Models   []ModelSample // by name
}

// ModelSample is the part of one model.
type ModelSample struct {
	Name                        string
	Running, Waiting            float64
	Cells, Used, Shared         float64 // of the KV cache
	Prompt, Reused, Output      float64 // tokens, so far
	Busy                        float64 // seconds in steps, so far
	FirstTokens, FirstTokenTime float64 // answers begun so far, and seconds until then, together
}

// Read reads a page of metrics. One that has none of aigw's is an error.
func Read(page io.Reader, at time.Time) (Sample, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(page)
	if err != nil {
		return Sample{}, fmt.Errorf("this is no page of metrics: %w", err)
	}
	if families["aigw_auth_bypass"] == nil {
		return Sample{}, fmt.Errorf("these are not the metrics of an aigw; --url is the address of --metrics-listen, by default http://127.0.0.1:8082")
	}
	s := Sample{
		At: at, Memory: sum(families["process_resident_memory_bytes"]), Bypassed: sum(families["aigw_auth_bypass"]) > 0,
		Requests: sum(families["http_request_duration_seconds"]), Refused: sum(families["aigw_requests_refused_total"]),
	}
	models := map[string]*ModelSample{}
	for name, field := range map[string]func(*ModelSample) *float64{
		"aigw_engine_requests_running":     func(m *ModelSample) *float64 { return &m.Running },
		"aigw_engine_requests_waiting":     func(m *ModelSample) *float64 { return &m.Waiting },
		"aigw_engine_kv_cells":             func(m *ModelSample) *float64 { return &m.Cells },
		"aigw_engine_kv_cells_used":        func(m *ModelSample) *float64 { return &m.Used },
		"aigw_engine_kv_cells_shared":      func(m *ModelSample) *float64 { return &m.Shared },
		"aigw_engine_prompt_tokens_total":  func(m *ModelSample) *float64 { return &m.Prompt },
		"aigw_engine_cached_tokens_total":  func(m *ModelSample) *float64 { return &m.Reused },
		"aigw_engine_output_tokens_total":  func(m *ModelSample) *float64 { return &m.Output },
		"aigw_engine_busy_seconds_total":   func(m *ModelSample) *float64 { return &m.Busy },
		"aigw_time_to_first_token_seconds": func(m *ModelSample) *float64 { return &m.FirstTokens },
	} {
		for _, metric := range families[name].GetMetric() {
			label := label(metric, "model_name")
			if models[label] == nil {
				models[label] = &ModelSample{Name: label}
			}
			*field(models[label]) += value(metric)
			if h := metric.GetHistogram(); h != nil {
				models[label].FirstTokenTime += h.GetSampleSum()
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		s.Models = append(s.Models, *models[name])
	}
	return s, nil
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// value is the number of a metric; of a histogram how many were observed.
func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.GetCounter().GetValue()
	case m.Gauge != nil:
		return m.GetGauge().GetValue()
	case m.Histogram != nil:
		return float64(m.GetHistogram().GetSampleCount())
	}
	return m.GetUntyped().GetValue()
}

func sum(f *dto.MetricFamily) float64 {
	all := 0.0
	for _, m := range f.GetMetric() {
		all += value(m)
	}
	return all
}
