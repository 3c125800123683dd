package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// generations are what the original does not have: where the time of an answer goes, with buckets
// for completions, which people wait for in tenths of a second.
type generations struct {
	queue      *prometheus.HistogramVec
	firstToken *prometheus.HistogramVec
	interToken *prometheus.HistogramVec
	whole      *prometheus.HistogramVec
	ended      *prometheus.CounterVec
	tokens     *prometheus.CounterVec
	reused     *prometheus.HistogramVec
	superseded *prometheus.CounterVec
	through    *prometheus.CounterVec
	loading    *prometheus.GaugeVec
	limits     *prometheus.GaugeVec
}

// latencyBuckets are in seconds: 10 ms is a keystroke, 3 s GitLab's check of a model, 60 s more than
// anybody waits.
var latencyBuckets = []float64{.01, .025, .05, .1, .2, .35, .5, .75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60}

// tokenBuckets are in seconds: from a small model on a GPU to a large one on a busy CPU.
var tokenBuckets = []float64{.001, .0025, .005, .01, .02, .035, .05, .075, .1, .15, .25, .5, 1, 2.5}

// hitBuckets are shares: nothing, a common head, most of a file, all but the last words.
var hitBuckets = []float64{0, .1, .25, .5, .75, .9, .95, .99}

func newGenerations() *generations {
	model := []string{"model_name", "class"}
	return &generations{
		queue:      histogram("aigw_queue_seconds", "Time from admission to the first token of the prompt computed.", append([]float64{.001}, latencyBuckets...), model...),
		firstToken: histogram("aigw_time_to_first_token_seconds", "Time from admission to the first token of the answer.", latencyBuckets, model...),
		interToken: histogram("aigw_inter_token_seconds", "Time from token to token of an answer, as its mean.", tokenBuckets, model...),
		whole:      histogram("aigw_generation_seconds", "Time from admission to the end of the answer.", latencyBuckets, model...),
		ended:      counter("aigw_generations_total", "Generations by how they ended: stop, length, superseded, cancelled, busy or failed.", "model_name", "class", "end"),
		tokens:     counter("aigw_tokens_total", "Tokens of prompts, reused from the KV cache or computed anew, and of answers.", "model_name", "kind"),
		reused:     histogram("aigw_prefix_hit_ratio", "Share of a prompt that was taken from the KV cache.", hitBuckets, model...),
		superseded: counter("aigw_completions_superseded_total", "Completions given up because the same person has typed on.", "model_name"),
		through:    counter("aigw_completions_typed_through_total", "Completions answered with the rest of the last one, which the person is typing.", "model_name"),
		loading:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "aigw_model_load_seconds", Help: "How long it took from the start of the program until the model answered."}, []string{"model_name"}),
		limits:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "model_inferences_max_concurrent", Help: "Most concurrent generations, as configured."}, []string{"model_engine", "model_name"}),
	}
}

func (g *generations) register(r *prometheus.Registry) {
	r.MustRegister(g.queue, g.firstToken, g.interToken, g.whole, g.ended, g.tokens, g.reused, g.superseded, g.through, g.loading, g.limits)
}

// Generation is one that has ended.
type Generation struct {
	Model string // display name
	Class string // of a fixed set: completion, generation, chat, background
	End   string // of a fixed set: stop, length, superseded, cancelled, busy, failed
	Busy  string // why it was refused, of a fixed set; "" otherwise

	PromptTokens, CachedTokens, OutputTokens int
	Queue, Prefill, Decode                   time.Duration
}

// Generated notes a generation that has ended. What it never came to is not counted.
func (m *Metrics) Generated(g Generation) {
	m.generations.ended.WithLabelValues(g.Model, g.Class, g.End).Inc()
	if g.Busy != "" {
		m.Refused(g.Busy)
		return
	}
	if g.Prefill <= 0 { // no first token
		return
	}
	m.generations.queue.WithLabelValues(g.Model, g.Class).Observe(g.Queue.Seconds())
	m.generations.firstToken.WithLabelValues(g.Model, g.Class).Observe((g.Queue + g.Prefill).Seconds())
	m.generations.whole.WithLabelValues(g.Model, g.Class).Observe((g.Queue + g.Prefill + g.Decode).Seconds())
	if g.PromptTokens > 0 {
		m.generations.reused.WithLabelValues(g.Model, g.Class).Observe(float64(g.CachedTokens) / float64(g.PromptTokens))
	}
	if g.OutputTokens > 1 {
		m.generations.interToken.WithLabelValues(g.Model, g.Class).Observe(g.Decode.Seconds() / float64(g.OutputTokens-1))
	}
	for kind, n := range map[string]int{"reused": g.CachedTokens, "new": g.PromptTokens - g.CachedTokens, "answer": g.OutputTokens} {
		m.generations.tokens.WithLabelValues(g.Model, kind).Add(float64(max(0, n)))
	}
}

// Loaded notes how long it took until a model answered. What it will be counted for begins at zero, so that
// the first of it is seen as an increase.
func (m *Metrics) Loaded(model string, took time.Duration) {
	m.generations.loading.WithLabelValues(model).Set(took.Seconds())
	m.generations.superseded.WithLabelValues(model)
	m.generations.through.WithLabelValues(model)
}

// Superseded notes a completion that nobody wants any more, because the same person has typed on.
func (m *Metrics) Superseded(model string) { m.generations.superseded.WithLabelValues(model).Inc() }

// TypedThrough notes a completion that was answered from the last one at the same place.
func (m *Metrics) TypedThrough(model string) { m.generations.through.WithLabelValues(model).Inc() }

// Concurrency notes a limit that the operator has set for a model of an engine, for the original's
// gauge.
func (m *Metrics) Concurrency(engine, model string, most int) {
	m.generations.limits.WithLabelValues(engine, model).Set(float64(most))
}

// Add adds numbers that somebody else counts, such as the engine's. It fails if their names are taken.
func (m *Metrics) Add(c prometheus.Collector) error { return m.registry.Register(c) }
