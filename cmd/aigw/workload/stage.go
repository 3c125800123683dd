package workload

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Objectives are what people are promised. Nobody may be refused, and nothing may fail.
type Objectives struct {
	// Within is in which time 95 of 100 see the first text of an answer; of a completion that is all of it. A class
	// without a value has no objective.
	Within map[Class]time.Duration
	Gap    time.Duration // the longest that a text may stand still while it is written; 0: no objective
}

// Stage is what so many people at once have met. Its names in JSON are stable.
type Stage struct {
	People  int              `json:"people"`
	Who     string           `json:"who"`
	Seconds float64          `json:"seconds"`
	Classes map[Class]Figure `json:"classes"`
	// Missed says which objectives were not kept, in words; empty: all were.
	Missed []string `json:"missed"`
	// Thin says that nothing was asked that can be judged.
	Thin    bool  `json:"-"`
	failure error // one of those that failed
}

// Figure is what became of the questions of one class.
type Figure struct {
	Asked     int `json:"asked"`
	Answered  int `json:"answered"`
	Overtaken int `json:"overtaken"` // typed on before the answer could be late
	Late      int `json:"late"`      // no answer yet, and the objective missed already
	Refused   int `json:"refused"`
	Failed    int `json:"failed"`
	Empty     int `json:"empty"` // answers without a visible character
	// Milliseconds to the first text, late ones with what they have waited; null without any.
	FirstP50 *float64 `json:"first_p50_ms"`
	FirstP95 *float64 `json:"first_p95_ms"`
	WholeP50 *float64 `json:"whole_p50_ms"`
	WorstGap float64  `json:"worst_gap_ms"`
	// Characters of all answers a second.
	Speed float64 `json:"characters_per_second"`
}

// stage turns a window into figures, and holds them against the objectives.
func (o Objectives) stage(w *window, people int, who string) Stage {
	took := w.closed.Sub(w.began)
	s := Stage{People: people, Who: who, Seconds: took.Seconds(), Classes: map[Class]Figure{}, Missed: []string{}, failure: w.failure}
	judged := 0
	for _, c := range Classes {
		t := w.classes[c]
		if t == nil {
			continue
		}
		judged += len(t.firsts) + t.refused + t.failed
		s.Classes[c] = Figure{
			Asked: t.asked, Answered: t.answered, Overtaken: t.overtaken, Late: t.late, Refused: t.refused, Failed: t.failed, Empty: t.empty,
			FirstP50: quantile(t.firsts, 0.5), FirstP95: quantile(t.firsts, 0.95), WholeP50: quantile(t.wholes, 0.5),
			WorstGap: inMilliseconds(t.gap), Speed: float64(t.characters) / took.Seconds(),
		}
		s.Missed = append(s.Missed, o.missed(c, s.Classes[c])...)
	}
	s.Thin = judged == 0
	return s
}

func (o Objectives) missed(c Class, f Figure) (out []string) {
	if f.Failed > 0 {
		out = append(out, fmt.Sprintf("%d of %d %s failed", f.Failed, f.Asked, c.plural()))
	}
	if f.Refused > 0 {
		out = append(out, fmt.Sprintf("%d of %d %s were refused", f.Refused, f.Asked, c.plural()))
	}
	if within := inMilliseconds(o.Within[c]); within > 0 && f.FirstP95 != nil && *f.FirstP95 > within {
		out = append(out, fmt.Sprintf("95 of 100 %s began within %s, not within %s", c.plural(), seconds(*f.FirstP95), seconds(within)))
	}
	if most := inMilliseconds(o.Gap); most > 0 && f.WorstGap > most {
		out = append(out, fmt.Sprintf("a text of %s stood still for %s, not for %s at most", c.plural(), seconds(f.WorstGap), seconds(most)))
	}
	return out
}

// plural is how people call the answers of a class.
func (c Class) plural() string {
	switch c {
	case Completion:
		return "suggestions"
	case Opening:
		return "first suggestions in a file"
	case OfGeneration:
		return "generations"
	}
	return "chat answers"
}

// quantile is the least value that the share q does not exceed; nil without values.
func quantile(values []time.Duration, q float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	v := inMilliseconds(sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)])
	return &v
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func seconds(ms float64) string {
	if ms < 1000 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}
