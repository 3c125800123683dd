package metrics

import (
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// original are counters that are kept for the dashboards of the original gateway only. Of its metrics these
// have no counterpart: abuse_request_scores, which a model in the cloud gives, and
// code_suggestions_prompt_symbols_total and code_suggestions_experiments_total, which belong to a path that
// self-hosted models never took.
type original struct {
	spent          *prometheus.CounterVec
	postProcessing *prometheus.HistogramVec
}

func newOriginal() *original {
	return &original{
		spent: counter("gitlab_cloud_cost_spend_entry_total", "Characters of prompts and answers. Nobody is charged for them here.", "item", "unit", "vendor", "model", "feature_category"),
		postProcessing: histogram("code_suggestions_post_processing_duration_seconds", "Duration of cleaning a suggestion.",
			prometheus.DefBuckets, "model_engine", "model_name"),
	}
}

// Spent notes the sizes of a generation, in characters.
func (m *Metrics) Spent(i Inference, prompt, answer int) {
	for item, n := range map[string]int{"completions/completion/input": prompt, "completions/completion/output": answer} {
		m.original.spent.WithLabelValues(item, "characters", i.Engine, i.Model, i.Feature).Add(float64(n))
	}
}

// PostProcessed notes how long it took to clean a suggestion, in seconds.
func (m *Metrics) PostProcessed(i Inference, seconds float64) {
	m.original.postProcessing.WithLabelValues(i.Engine, i.Model).Observe(seconds)
}

// CountThreads adds the number of the process's threads, those of llama.cpp included.
func (m *Metrics) CountThreads() {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ai_gateway_threads_count", Help: "Threads of the process.",
		ConstLabels: prometheus.Labels{"pid": strconv.Itoa(os.Getpid())},
	}, func() float64 {
		threads, err := os.ReadDir("/proc/self/task") // proc(5)
		if err != nil {
			return 0
		}
		return float64(len(threads))
	}))
}
