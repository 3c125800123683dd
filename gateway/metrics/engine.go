package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"aigw/engine"
)

// engineStates collects what the engines of the loaded models are doing, when somebody asks.
type engineStates struct {
	mu     sync.Mutex
	states map[string]func() engine.State // by the model's display name
}

// Watch adds the engine of a model to the metrics, in place of an earlier one of that name.
func (m *Metrics) Watch(model string, state func() engine.State) {
	m.engines.mu.Lock()
	defer m.engines.mu.Unlock()
	m.engines.states[model] = state
}

// engineMetric is one number of an engine.
type engineMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(engine.State) float64
}

func engineDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("aigw_engine_"+name, help, append([]string{"model_name"}, labels...), nil)
}

var (
	engineMetrics = []engineMetric{
		{engineDesc("refused_total", "Requests refused because their queue was full or their turn too far."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.Refused) }},
		{engineDesc("expired_total", "Requests given up because their turn did not come in time."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.Expired) }},
		{engineDesc("preempted_total", "Times that a running request made room for one of an earlier class."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.Preempted) }},
		{engineDesc("prompt_tokens_total", "Prompt tokens computed."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.PromptTokens) }},
		{engineDesc("cached_tokens_total", "Prompt tokens taken from the KV cache instead."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.CachedTokens) }},
		{engineDesc("output_tokens_total", "Tokens generated."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.OutputTokens) }},
		{engineDesc("draft_tokens_total", "Tokens guessed and computed along."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.DraftTokens) }},
		{engineDesc("accepted_tokens_total", "Guessed tokens that came true."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.AcceptedTokens) }},
		{engineDesc("steps_total", "Steps computed."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.Steps) }},
		{engineDesc("aborted_steps_total", "Steps that ended early because nobody wanted them any more."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.Aborted) }},
		{engineDesc("busy_seconds_total", "Time spent in steps."), prometheus.CounterValue, func(s engine.State) float64 { return s.Busy.Seconds() }},
		{engineDesc("kv_cells", "Cells of the KV cache."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.Cells) }},
		{engineDesc("kv_cells_used", "Cells in use."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.CellsUsed) }},
		{engineDesc("kv_cells_evictable", "Cells in use that hold prefixes which nobody uses at the moment."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.Evictable) }},
		{engineDesc("kv_cells_kept", "Cells of heads that are kept for everybody."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.KeptTokens) }},
		{engineDesc("kv_cells_shared", "Cells that two or more running requests use at once."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.Shared) }},
		{engineDesc("stalls_total", "Times that a second or more passed between two tokens of an answer."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.Stalls) }},
		{engineDesc("kv_cells_parked", "Cells of prefixes in main memory, from where they come back when somebody begins with them."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.ParkedTokens) }},
		{engineDesc("evicted_tokens_total", "Tokens of prefixes that were given up."), prometheus.CounterValue, func(s engine.State) float64 { return float64(s.EvictedTokens) }},
		{engineDesc("prefixes", "Nodes of the prefix tree."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.Prefixes) }},
		{engineDesc("threads", "Threads that compute at the moment."), prometheus.GaugeValue, func(s engine.State) float64 { return float64(s.Threads) }},
	}
	engineRunning = engineDesc("requests_running", "Requests that the model works on.", "class")
	engineWaiting = engineDesc("requests_waiting", "Requests that wait for their turn.", "class")
	engineStep    = engineDesc("step_seconds", "How long steps took: those that only decode, and those that read prompts, too.", "kind")
	engineWait    = engineDesc("wait_seconds", "Time that a request which came now would wait, as far as is known.", "class")

	classes = [...]string{engine.Completion: "completion", engine.Generation: "generation", engine.Chat: "chat", engine.Background: "background"}
)

// Describe implements prometheus.Collector.
func (e *engineStates) Describe(to chan<- *prometheus.Desc) {
	for _, m := range engineMetrics {
		to <- m.desc
	}
	to <- engineRunning
	to <- engineWaiting
	to <- engineWait
	to <- engineStep
}

// Collect implements prometheus.Collector.
func (e *engineStates) Collect(to chan<- prometheus.Metric) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for model, state := range e.states {
		s := state()
		for _, m := range engineMetrics {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s), model)
		}
		to <- stepHistogram(s.DecodeSteps, model, "decode")
		to <- stepHistogram(s.PromptSteps, model, "prompt")
		for i, class := range classes {
			c := s.ByClass[i]
			to <- prometheus.MustNewConstMetric(engineRunning, prometheus.GaugeValue, float64(c.Running), model, class)
			to <- prometheus.MustNewConstMetric(engineWaiting, prometheus.GaugeValue, float64(c.Waiting), model, class)
			to <- prometheus.MustNewConstMetric(engineWait, prometheus.GaugeValue, c.Wait.Seconds(), model, class)
		}
	}
}

// stepHistogram is what an engine counted as Prometheus wants it: each bucket with all below it.
func stepHistogram(t engine.StepTimes, model, kind string) prometheus.Metric {
	buckets, below := map[float64]uint64{}, uint64(0)
	for i, bound := range engine.StepBounds {
		below += t.Counts[i]
		buckets[bound.Seconds()] = below
	}
	return prometheus.MustNewConstHistogram(engineStep, below+t.Counts[len(engine.StepBounds)], t.Sum.Seconds(), buckets, model, kind)
}
