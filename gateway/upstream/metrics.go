package upstream

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// Fleet are all models that are elsewhere, for the page of metrics.
type Fleet []*Model

var (
	upDesc       = prometheus.NewDesc("aigw_upstream_up", "Whether the server of a model answers.", []string{"model_name", "host"}, nil)
	circuitDesc  = prometheus.NewDesc("aigw_upstream_circuit_open", "Whether the server of a model is not asked for a while, because it has failed several times in a row.", []string{"model_name", "host"}, nil)
	requestsDesc = prometheus.NewDesc("aigw_upstream_requests_total", "Requests to the server of a model, by how they ended.", []string{"model_name", "host", "end"}, nil)
	retriesDesc  = prometheus.NewDesc("aigw_upstream_retries_total", "Times that the server of a model was sent a request again.", []string{"model_name", "host"}, nil)
)

// Describe implements prometheus.Collector.
func (f Fleet) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{upDesc, circuitDesc, requestsDesc, retriesDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (f Fleet) Collect(to chan<- prometheus.Metric) {
	yes := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	for _, m := range f {
		name, host := m.Name(), m.Host()
		to <- prometheus.MustNewConstMetric(circuitDesc, prometheus.GaugeValue, yes(m.circuit.State() == gobreaker.StateOpen), name, host)
		m.mu.Lock()
		to <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, yes(m.looked && m.health == nil), name, host)
		to <- prometheus.MustNewConstMetric(retriesDesc, prometheus.CounterValue, float64(m.count.retries), name, host)
		for _, end := range []string{"answered", "busy", "cancelled", "failed"} {
			to <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(m.count.ends[end]), name, host, end)
		}
		m.mu.Unlock()
	}
}
