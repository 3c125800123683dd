// Package metrics counts what the gateway does, under the names of the original gateway, so that
// its dashboards keep working.
package metrics

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aigw/engine"
)

// Metrics is the set of counters of one server. It may be used concurrently.
type Metrics struct {
	registry *prometheus.Registry

	bypass       prometheus.Gauge
	refused      *prometheus.CounterVec
	generations  *generations
	original     *original
	httpDuration *prometheus.HistogramVec

	inFlight          *prometheus.GaugeVec
	inferences        *prometheus.CounterVec
	inferenceDuration *prometheus.HistogramVec

	suggestions        *prometheus.CounterVec
	suggestionDuration *prometheus.HistogramVec
	promptBytes        *prometheus.HistogramVec
	promptTokens       *prometheus.HistogramVec
	promptLanguage     *prometheus.CounterVec
	accepts            *prometheus.CounterVec
	requests           *prometheus.CounterVec
	errors             *prometheus.CounterVec

	engines engineStates

	mu     sync.Mutex
	models map[string]bool // names of models that were served
}

// durationBuckets are the original's, in seconds.
var durationBuckets = []float64{0.5, 1, 2.5, 5, 10, 30, 60}

// sizeBuckets are the original's, in bytes or tokens.
var sizeBuckets = prometheus.ExponentialBuckets(32, 2, 8)

// New returns a set with all counters at zero.
func New() *Metrics {
	model := []string{"model_engine", "model_name"}
	inference := []string{"model_engine", "model_name", "error", "streaming", "feature_category"}
	component := []string{"model_engine", "model_name", "component"}
	telemetry := []string{"model_engine", "model_name", "lang", "exp_names", "exp_variants"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		models:   map[string]bool{},
		engines:  engineStates{states: map[string]func() engine.State{}},

		generations:  newGenerations(),
		original:     newOriginal(),
		httpDuration: histogram("http_request_duration_seconds", "Time from a request's arrival to the start of its answer.", durationBuckets, "handler", "method", "status"),

		inFlight:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "model_inferences_in_flight", Help: "Generations that run or wait for their turn."}, model),
		inferences:        counter("model_inferences_total", "Generations that have ended.", inference...),
		inferenceDuration: histogram("inference_request_duration_seconds", "Duration of generations, waiting included.", durationBuckets, inference...),

		bypass: prometheus.NewGauge(prometheus.GaugeOpts{Name: "aigw_auth_bypass", Help: "1 where requests are not authenticated."}),

		refused: counter("aigw_requests_refused_total", "Requests refused, by the reason: a limit, a full queue, a missing right, a body that is not understood.", "reason"),

		suggestions:        counter("code_suggestions_inference_requests_total", "Generations for code suggestions.", model...),
		suggestionDuration: histogram("code_suggestions_inference_request_duration_seconds", "Duration of generations for code suggestions.", durationBuckets, model...),
		promptBytes:        histogram("code_suggestions_inference_prompt_size_bytes", "Size of the code around the cursor, as it was sent.", sizeBuckets, component...),
		promptTokens:       histogram("code_suggestions_inference_prompt_size_tokens", "Tokens of the code around the cursor that the model was given.", sizeBuckets, component...),
		promptLanguage:     counter("code_suggestions_prompt_language_total", "Code suggestions by programming language.", "lang", "extension", "editor_lang"),
		accepts:            counter("code_suggestions_accepts_total", "Suggestions accepted, as editors report.", telemetry...),
		requests:           counter("code_suggestions_requests_total", "Suggestions requested, as editors report.", telemetry...),
		errors:             counter("code_suggestions_errors_total", "Suggestions failed, as editors report.", telemetry...),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.bypass, m.refused, m.httpDuration, m.inFlight, m.inferences, m.inferenceDuration,
		m.suggestions, m.suggestionDuration, m.promptBytes, m.promptTokens, m.promptLanguage,
		m.accepts, m.requests, m.errors, &m.engines,
		m.original.spent, m.original.postProcessing,
	)
	m.generations.register(m.registry)
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Handler answers every path with the metrics in Prometheus' format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// ObserveHTTP notes an answered request. handler is the route's template, which is bounded in
// number; requests for unknown paths are not to be noted.
func (m *Metrics) ObserveHTTP(handler, method string, status int, duration time.Duration) {
	m.httpDuration.WithLabelValues(handler, method, fmt.Sprintf("%dxx", status/100)).Observe(duration.Seconds())
}

// Inference is one generation.
type Inference struct {
	Engine    string // "agent"
	Model     string // display name
	Feature   string // GitLab's feature category, such as "code_suggestions"
	Streaming bool
}

// CodeSuggestions is the feature category that has metrics of its own.
const CodeSuggestions = "code_suggestions"

// Begin notes that a generation begins. The function returned notes its end; the end of a
// request whose client hung up is no error.
func (m *Metrics) Begin(i Inference) (end func(failed bool)) {
	start := time.Now()
	m.KnowModel(i.Model)
	gauge := m.inFlight.WithLabelValues(i.Engine, i.Model)
	gauge.Inc()
	return func(failed bool) {
		gauge.Dec()
		took := time.Since(start).Seconds()
		labels := []string{i.Engine, i.Model, yesNo(failed), yesNo(i.Streaming), i.Feature}
		m.inferences.WithLabelValues(labels...).Inc()
		m.inferenceDuration.WithLabelValues(labels...).Observe(took)
		if i.Feature == CodeSuggestions {
			m.suggestions.WithLabelValues(i.Engine, i.Model).Inc()
			m.suggestionDuration.WithLabelValues(i.Engine, i.Model).Observe(took)
		}
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// ObservePrompt notes the size of a part of the code around the cursor: "prefix" or "suffix".
func (m *Metrics) ObservePrompt(i Inference, component string, bytes, tokens int) {
	m.promptBytes.WithLabelValues(i.Engine, i.Model, component).Observe(float64(bytes))
	m.promptTokens.WithLabelValues(i.Engine, i.Model, component).Observe(float64(tokens))
}

// CountLanguage notes the language of a suggestion. All three values must come from a fixed set.
func (m *Metrics) CountLanguage(language, extension, editorLanguage string) {
	m.promptLanguage.WithLabelValues(language, extension, editorLanguage).Inc()
}

// Bypassed notes that requests are not authenticated.
func (m *Metrics) Bypassed() { m.bypass.Set(1) }

// Refused notes that a request was refused. reason must come from a fixed set.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// KnowModel lets a model's name appear in labels that clients choose.
func (m *Metrics) KnowModel(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.models[name] = true
}

func (m *Metrics) knowsModel(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.models[name]
}
