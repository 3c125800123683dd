package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Telemetry is what an editor reports about suggestions that it showed.
type Telemetry struct {
	Engine, Model string
	Language      string // must come from a fixed set
	Experiments   bool   // whether any experiment took part
	Requests      int64
	Accepts       int64
	Errors        int64
}

// Other stands in labels for every value that is not on the list of known ones, because clients
// choose the values and each new one would cost memory for ever.
const Other = "other"

// engines are the values of model.engine that this and the original gateway have sent out.
var engines = []string{"", "agent", "litellm", "anthropic", "vertex-ai", "codestral", "fireworks_ai"}

// maxReport bounds one number of a report; larger ones are no count of what a person did.
const maxReport = 1_000_000

// CountTelemetry adds an editor's report.
func (m *Metrics) CountTelemetry(t Telemetry) {
	engine, model, experiments := t.Engine, t.Model, ""
	if !slices.Contains(engines, engine) {
		engine = Other
	}
	if model != "" && !m.knowsModel(model) {
		model = Other
	}
	if t.Experiments {
		experiments = Other
	}
	for _, one := range []struct {
		counter *prometheus.CounterVec
		n       int64
	}{{m.requests, t.Requests}, {m.accepts, t.Accepts}, {m.errors, t.Errors}} {
		if one.n >= 0 && one.n <= maxReport {
			one.counter.WithLabelValues(engine, model, t.Language, experiments, experiments).Add(float64(one.n))
		}
	}
}
