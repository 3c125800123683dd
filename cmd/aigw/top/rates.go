package top

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rates is what happened between two samples. Its JSON is what scripts read.
type Rates struct {
	At       time.Time    `json:"at"`
	Seconds  float64      `json:"seconds"` // between the samples
	Requests float64      `json:"requests_per_second"`
	Refused  float64      `json:"refused_per_second"`
	Memory   float64      `json:"memory_bytes"`
	Bypassed bool         `json:"auth_bypassed"`
	Models   []ModelRates `json:"models"`
}

// ModelRates is the part of one model.
type ModelRates struct {
	Name       string  `json:"model"`
	Running    float64 `json:"running"`
	Waiting    float64 `json:"waiting"`
	Output     float64 `json:"output_tokens_per_second"`
	Prompt     float64 `json:"prompt_tokens_per_second"`
	Reused     float64 `json:"reused"`              // share of the prompt tokens, from 0 to 1
	Busy       float64 `json:"busy"`                // share of the time, from 0 to 1
	FirstToken float64 `json:"first_token_seconds"` // mean; 0: no answer has begun
	Cells      float64 `json:"kv_cells"`
	Used       float64 `json:"kv_cells_used"`
	Shared     float64 `json:"kv_cells_shared"`
}

// Between compares two samples. A gateway that was started again in between counts from zero.
func Between(a, b Sample) Rates {
	seconds := b.At.Sub(a.At).Seconds()
	rate := func(before, after float64) float64 {
		if after < before {
			before = 0
		}
		if seconds <= 0 {
			return 0
		}
		return (after - before) / seconds
	}
	r := Rates{
		At: b.At, Seconds: seconds, Memory: b.Memory, Bypassed: b.Bypassed,
		Requests: rate(a.Requests, b.Requests), Refused: rate(a.Refused, b.Refused), Models: []ModelRates{},
	}
	for _, m := range b.Models {
		var before ModelSample
		if i := slices.IndexFunc(a.Models, func(o ModelSample) bool { return o.Name == m.Name }); i >= 0 {
			before = a.Models[i]
		}
		computed, reused := rate(before.Prompt, m.Prompt), rate(before.Reused, m.Reused)
		r.Models = append(r.Models, ModelRates{
			Name: m.Name, Running: m.Running, Waiting: m.Waiting,
			Output: rate(before.Output, m.Output), Prompt: computed, Reused: share(reused, reused+computed),
			Busy:       min(1, rate(before.Busy, m.Busy)),
			FirstToken: share(rate(before.FirstTokenTime, m.FirstTokenTime), rate(before.FirstTokens, m.FirstTokens)),
			Cells:      m.Cells, Used: m.Used, Shared: m.Shared,
		})
	}
	return r
}

func share(part, all float64) float64 {
	if all <= 0 {
		return 0
	}
	return part / all
}

// Line is one line for a log or a pipe.
func (r Rates) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s requests %.1f/s refused %.1f/s memory %s", r.At.UTC().Format(time.RFC3339), r.Requests, r.Refused, size(r.Memory))
	for _, m := range r.Models {
		fmt.Fprintf(&b, " | %s running %.0f waiting %.0f output %.1f tokens/s prompts %.1f tokens/s reused %.0f%% busy %.0f%% cells %.0f%%",
			m.Name, m.Running, m.Waiting, m.Output, m.Prompt, 100*m.Reused, 100*m.Busy, 100*share(m.Used, m.Cells))
	}
	if r.Bypassed {
		b.WriteString(" | authentication is bypassed")
	}
	return b.String()
}

// size writes a size for people.
func size(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.0f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f GiB", n)
}
